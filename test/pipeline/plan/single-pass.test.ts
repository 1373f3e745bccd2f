import { describe, expect, it } from 'vitest';
import { cut, photograph, similarity } from '../../helpers/pictures.ts';
import { thrownBy } from '../../helpers/thrown.ts';
import { make } from '../make.ts';

const one = (resize: object, encode: object = { jpeg: {} }) => ({ steps: [{ resize }], encode: [encode] });

/** The same variant where something else is made of its pixels as well, so that they are handed over. */
const beside = (variant: object) => ({
	variant,
	other: { from: 'variant', steps: [{ flip: {} }], encode: [{ png: {} }] },
});

describe('a single encoding of a photograph', () => {
	it.each([
		['a width', one({ width: 300 })],
		['a box', one({ width: 200, height: 200, fit: 'inside' }, { webp: {} })],
		['a frame', one({ width: 300, height: 300, fit: 'contain', background: '#ff0000' })],
		['AVIF', one({ height: 100 }, { avif: { effort: 0 } })],
	])('is made in a single pass, with the same result: %s', async (_what, variant) => {
		for (const orientation of [1, 6]) {
			const file = await photograph({ width: 1600, height: 1200, orientation, gps: true });
			const direct = await make(file, { variants: { variant } });
			expect(direct.steps.map(({ step }) => step)).toEqual([
				expect.stringMatching(/^decode and encode variant\.(jpg|webp|avif)$/),
			]);
			expect(direct.steps.at(-1)?.done).toBe(1);
			const handed = await make(file, { variants: beside(variant) });
			expect(handed.steps.map(({ step }) => step)).toContain('decode');
			const [made, expected] = [direct.outputs[0], handed.outputs.find(({ name }) => name === 'variant')];
			if (!made || !expected) throw new Error('Nothing was made.');
			expect([made.width, made.height, made.digest]).toEqual([expected.width, expected.height, expected.digest]);
			expect(await similarity(made.data, expected.data)).toBeGreaterThan(0.98);
		}
	});

	it('is made in a single pass from a WebP too, and refused if it is broken', async () => {
		const file = await photograph({ width: 1600, height: 1200, format: 'webp' });
		const variant = one({ width: 300 }, { webp: {} });
		const direct = await make(file, { variants: { variant } });
		expect(direct.steps.map(({ step }) => step)).toEqual(['decode and encode variant.webp']);
		const handed = await make(file, { variants: beside(variant) });
		const [made, expected] = [direct.outputs[0], handed.outputs.find(({ name }) => name === 'variant')];
		if (!made || !expected) throw new Error('Nothing was made.');
		expect([made.width, made.height, made.digest]).toEqual([expected.width, expected.height, expected.digest]);
		expect(await similarity(made.data, expected.data)).toBeGreaterThan(0.98);
		// Its header counts its bytes, and so it is refused before it is decoded.
		expect(await thrownBy(() => make(cut(file, 50), { variants: { variant } }))).toMatchObject({ class: 'corrupt' });
		const torn = Buffer.from(file);
		torn.fill(0xff, file.length >> 1);
		expect(await thrownBy(() => make(torn, { variants: { variant } }))).toMatchObject({ class: 'corrupt' });
	});

	it.each([
		['PNG', { format: 'png' as const }],
		['CMYK', { icc: 'cmyk' as const }],
		['greys', { greyscale: true }],
	])('is not made in a single pass from pixels of another kind: %s', async (_what, options) => {
		const { steps } = await make(await photograph({ width: 400, height: 300, ...options }), {
			variants: { variant: one({ width: 100 }) },
		});
		expect(steps.map(({ step }) => step)).toEqual(['decode', 'encode variant.jpg']);
	});

	it.each([
		[1, { width: 150, height: 300, position: 'centre' }],
		[1, { width: 150, height: 300, position: 'left' }],
		[1, { width: 150, height: 300, position: 'attention' }],
		[2, { width: 150, height: 300, position: 'left' }],
		// Rotated pictures are read whole before they are cut, wherever that is.
		...[3, 4, 5, 6, 7, 8].flatMap(
			(orientation) =>
				[
					[orientation, { width: 150, height: 300, position: 'left' }],
					[orientation, { width: 300, height: 60, position: 'top' }],
					[orientation, { width: 300, height: 60, position: 'bottom' }],
				] as const,
		),
	] as const)(
		'is made so where nothing of the file can be left unread, and refused when it ends early: orientation %i, %j',
		async (orientation, resize) => {
			const file = await photograph({ width: 1600, height: 1200, orientation });
			const variant = one(resize);
			const direct = await make(file, { variants: { variant } });
			expect(direct.steps.map(({ step }) => step)).toEqual(['decode and encode variant.jpg']);
			const handed = await make(file, { variants: beside(variant) });
			const [made, expected] = [direct.outputs[0], handed.outputs.find(({ name }) => name === 'variant')];
			if (!made || !expected) throw new Error('Nothing was made.');
			expect([made.width, made.height, made.digest]).toEqual([resize.width, resize.height, expected.digest]);
			expect(await similarity(made.data, expected.data)).toBeGreaterThan(0.98);
			for (const percent of [50, 90, 99]) {
				const error = await thrownBy(() => make(cut(file, percent), { variants: { variant } }));
				expect(error).toMatchObject({ class: 'corrupt' });
			}
		},
	);

	it('is not made in a single pass if cropped at the top or bottom, because the end of the file might not be read', async () => {
		const file = await photograph({ width: 400, height: 300 });
		const variants = { variant: one({ width: 100, height: 20, position: 'top' }) };
		expect((await make(file, { variants })).steps[0]?.step).toBe('decode');
		expect(await thrownBy(() => make(cut(file, 60), { variants }))).toMatchObject({ class: 'corrupt' });
	});

	it('is made the usual way if the file is odd, and refused if it is broken', async () => {
		const file = await photograph({ width: 400, height: 300 });
		// Bytes between segments, which cameras leave and libjpeg warns about.
		const end = 4 + file.readUInt16BE(4);
		const odd = Buffer.concat([file.subarray(0, end), Buffer.alloc(40), file.subarray(end)]);
		const { steps } = await make(odd, { variants: { variant: one({ width: 100 }) } });
		expect(steps.map(({ step }) => step)).toEqual(['decode', 'encode variant.jpg']);
		const error = await thrownBy(() => make(cut(file, 50), { variants: { variant: one({ width: 100 }) } }));
		expect(error).toMatchObject({ class: 'corrupt', step: 'decode' });
	});
});

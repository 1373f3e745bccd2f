import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { cut, photograph, similarity } from '../../helpers/pictures.ts';
import { thrownBy } from '../../helpers/thrown.ts';
import { type Made, make, one } from '../make.ts';

function stepsOf({ steps }: Made): readonly string[] {
	return steps.map(({ step }) => step);
}

function sizeOf(picture: { readonly width: number; readonly height: number } | undefined) {
	return picture && [picture.width, picture.height];
}

describe('an intermediate', () => {
	it.each([
		// Of what the decoder scales by 8, by 4 and by 2, the largest that it still does.
		['an eighth', { width: 200 }, [266, 200]],
		['a quarter', { width: 400 }, [480, 360]],
		['a half', { width: 600 }, [800, 600]],
		['all of it, up to three million pixels', { width: 1000 }, [2000, 1500]],
	])('of a JPEG is as large as %s requires without more decoding', async (_what, resize, size) => {
		const file = await photograph({ width: 2400, height: 1800 });
		const made = await make(file, one([{ resize }]), { intermediate: {} });
		expect(stepsOf(made)).toEqual(['decode', 'scale and encode only.webp']);
		expect(made.steps.at(-1)?.done).toBe(1);
		expect(sizeOf(made.intermediate)).toEqual(size);
	});

	it.each([
		['a width', { width: 300 }],
		['a frame', { width: 300, height: 300, fit: 'contain', background: '#ff0000' }],
		['a cut at the sides', { width: 100, height: 300 }],
		['a cut above and below', { width: 300, height: 100, position: 'top' }],
		['what draws the eye', { width: 150, height: 150, position: 'attention' }],
	])('gives the same result as the original, without decoding again: %s', async (_what, resize) => {
		for (const orientation of [1, 6]) {
			const file = await photograph({ width: 1600, height: 1200, orientation });
			const recipe = one([{ resize }], [{ jpeg: { quality: 90 } }]);
			const { intermediate } = await make(file, one([{ resize: { width: 390 } }]), { intermediate: {} });
			const alone = (await make(file, recipe)).variant('only');
			const made = await make(file, recipe, { intermediate: { cached: intermediate } });
			expect(stepsOf(made)).toEqual(['scale and encode only.jpg']);
			expect(made.intermediate).toBe(intermediate);
			const copied = made.variant('only');
			expect([copied.width, copied.height, copied.digest]).toEqual([alone.width, alone.height, alone.digest]);
			expect(await similarity(copied.data, alone.data)).toBeGreaterThan(0.97);
		}
	});

	it('also serves further steps and several encodings', async () => {
		const file = await photograph({ width: 1600, height: 1200 });
		const { intermediate } = await make(file, one([{ resize: { width: 500 } }]), { intermediate: {} });
		const recipe = one([{ resize: { width: 200 } }, { blur: { sigma: 2 } }], [{ webp: {} }, { jpeg: {} }]);
		const alone = await make(file, recipe);
		const made = await make(file, recipe, { intermediate: { cached: intermediate } });
		expect(stepsOf(made)).toEqual(['scale to 200×150', 'encode only.webp', 'encode only.jpg']);
		expect(made.steps.at(-1)?.done).toBe(1);
		for (const format of ['webp', 'jpeg']) {
			const [one, other] = [made.variant('only', format), alone.variant('only', format)];
			expect(await similarity(one.data, other.data)).toBeGreaterThan(0.97);
		}
	});

	it('keeps transparency', async () => {
		const opaque = await photograph({ width: 800, height: 600, format: 'png' });
		const hole = { create: { width: 800, height: 600, channels: 4, background: '#00000000' } } as const;
		const image = sharp(opaque).extract({ left: 100, top: 100, width: 500, height: 400 });
		const file = await sharp(hole)
			.composite([{ input: await image.toBuffer(), left: 100, top: 100 }])
			.png()
			.toBuffer();
		const { intermediate } = await make(file, one([{ resize: { width: 300 } }]), { intermediate: {} });
		expect([sizeOf(intermediate), intermediate?.channels]).toEqual([[800, 600], 4]);
		for (const encode of [{ webp: { lossless: true } }, { jpeg: { quality: 95 } }]) {
			const recipe = one([{ resize: { width: 200 } }], [encode]);
			const alone = (await make(file, recipe)).variant('only');
			const copied = (await make(file, recipe, { intermediate: { cached: intermediate } })).variant('only');
			expect(await similarity(copied.data, alone.data)).toBeGreaterThan(0.97);
		}
	});

	it('is the size itself if a larger one would not help, and is made again if it is too small', async () => {
		const file = await photograph({ width: 1600, height: 1200 });
		const near = await make(file, one([{ resize: { width: 520 } }]), { intermediate: {} });
		expect(stepsOf(near)).toEqual(['decode', 'encode only.webp']);
		expect(sizeOf(near.intermediate)).toEqual([520, 390]);
		const larger = await make(file, one([{ resize: { width: 500 } }]), { intermediate: { cached: near.intermediate } });
		expect(stepsOf(larger)).toEqual(['decode', 'encode only.webp']);
		expect(sizeOf(larger.intermediate)).toEqual([500, 375]);
		const smaller = await make(file, one([{ resize: { width: 470 } }]), {
			intermediate: { cached: near.intermediate },
		});
		expect(stepsOf(smaller)).toEqual(['scale and encode only.webp']);
	});

	it.each([
		['more than one size is made', { variants: { a: wide(300), b: wide(150) } }, {}],
		['it is another kernel', one([{ resize: { width: 300, kernel: 'cubic' } }]), {}],
		['colours stay as they are', { variants: { a: { ...wide(300), colour: 'p3' } } }, { icc: 'p3' as const }],
		['it is too large', one([{ flip: {} }]), { width: 2400, height: 1800 }],
	])('is not made if %s', async (_what, recipe, options) => {
		const file = await photograph({ width: 1600, height: 1200, ...options });
		const made = await make(file, recipe, { intermediate: {} });
		expect(made.intermediate).toBeUndefined();
		expect(stepsOf(made)).toEqual(stepsOf(await make(file, recipe)));
	});

	it('is not made from a truncated file', async () => {
		const file = await photograph({ width: 1600, height: 1200 });
		for (const resize of [{ width: 300 }, { width: 300, height: 40, position: 'top' }]) {
			const error = await thrownBy(() => make(cut(file, 60), one([{ resize }]), { intermediate: {} }));
			expect(error).toMatchObject({ class: 'corrupt', step: 'decode' });
		}
	});
});

/** A variant of this width. */
function wide(width: number) {
	return { steps: [{ resize: { width } }], encode: [{ webp: {} }] };
}

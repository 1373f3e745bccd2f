import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { area } from '../../src/operations/geometry.ts';
import { operations } from '../../src/operations/index.ts';
import type { Operation, Size } from '../../src/operations/operation.ts';
import { draw, pixelsOf, steppedFile } from './pixels.ts';

/** Options beside the example, those above all that change the size. */
const variations: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
	resize: [
		{ width: '50%' },
		{ width: '12.5%', height: '300%', fit: 'fill' },
		{ width: 30, height: 20, fit: 'auto', x: 5, y: '-10%' },
		{ width: 30, height: 20, focus: { x: 0, y: 1 } },
		{ width: 30, height: 20, dpr: 4, minDpr: 0.5, position: 'right', x: 3 },
		{ width: 30, height: 20, dpr: 2, minDpr: 1, withoutEnlargement: true, position: 'attention' },
		{ minWidth: 2, minHeight: 2 },
		{ width: 9, height: 9, fit: 'inside', minHeight: 2, withoutEnlargement: true },
	],
	crop: [
		{ width: '33.3%', height: 3, ratio: '1:2', position: 'top', y: -1 },
		{ width: 7 },
		{ width: 2, height: 900, position: 'attention' },
		{ width: 3, height: 3, position: 'entropy' },
		{ height: 5, left: 100, top: 9 },
		{ ratio: '16:9' },
		{ ratio: '1:1', focus: { x: 1, y: 0.3 } },
		{ ratio: '100:1', position: 'right bottom' },
	],
	trim: [
		{ lineArt: true },
		{ background: '#ffffff80' },
		{ margin: 5, threshold: 0 },
		{ matte: '#ff00ff', equal: 'both' },
	],
	extend: [
		{ top: 3, left: 10, with: 'copy' },
		{ right: 7, bottom: 2, background: '#ff000080' },
		{ width: 400, position: 'left', with: 'repeat' },
		{ width: 9, height: 9 },
		{ width: 9, height: 9, ratio: '3:1', position: 'left', x: 2 },
		{ top: '200%', left: '0.5%' },
		{ ratio: '3:4', background: '#00000000' },
	],
	border: [{ width: 1, colour: '#00ff0040' }],
	rotate: [{ angle: 90 }, { angle: 180 }, { angle: -90 }, { angle: 45, background: '#00000000' }, { angle: 359.9 }],
	round: [{ radius: 1 }, { radius: 16_384 }, { radius: '50%' }],
	circle: [{}, { position: 'left bottom' }],
	blur: [{ sigma: 60 }],
	median: [{ size: 50 }],
	clahe: [{}, { width: 1, height: 1, maxSlope: 0 }],
	threshold: [{ value: 0 }],
	pixelate: [{ size: 2 }, { size: 1_024 }],
	opacity: [{ value: 0 }, { value: 1 }],
};

const shapes = [
	[1, 1],
	[2, 2],
	[1, 3_000],
	[3_000, 1],
	[7, 5],
] as const;

/** Two colours, so that there is something to find, and something transparent. */
function speckled(size: Size, hasAlpha: boolean): Promise<Buffer> {
	return draw(size, (x, y) => {
		const colour = (x + y) % 3 === 0 ? [250, 120, 20] : [30, 60, 200];
		return hasAlpha ? [...colour, (x * 31 + y * 57) % 256] : colour;
	});
}

async function check(operation: Operation, written: Readonly<Record<string, unknown>>, input: Size, hasAlpha: boolean) {
	const shown = `${JSON.stringify({ [operation.name]: written })} of ${input.width} × ${input.height}${hasAlpha ? ' with alpha' : ''}`;
	const { output, isAtMost, addsAlpha } = operation.predict(input, operation.schema.parse(written));
	const file = await steppedFile(await speckled(input, hasAlpha), { [operation.name]: written });
	// Only the header: some of these pictures are large.
	const made = await sharp(file).metadata();
	if (isAtMost) {
		expect(made.width, shown).toBeLessThanOrEqual(output.width);
		expect(made.height, shown).toBeLessThanOrEqual(output.height);
	} else {
		expect({ width: made.width, height: made.height }, shown).toEqual(output);
	}
	// It may add alpha, but need not: where nothing was lacking, for example.
	if (hasAlpha || !addsAlpha) expect(made.hasAlpha, shown).toBe(hasAlpha && operation.name !== 'flatten');
}

describe.each(operations)('operation $name', (operation) => {
	it.each(shapes)('makes the predicted size from %i × %i, with alpha and without', async (width, height) => {
		for (const written of [operation.example, ...(variations[operation.name] ?? [])]) {
			const { output } = operation.predict({ width, height }, operation.schema.parse(written));
			// The large ones take long, and those with alpha are the harder case.
			for (const hasAlpha of area(output) > 2e6 ? [true] : [false, true]) {
				await check(operation, written, { width, height }, hasAlpha);
			}
		}
	});
});

it('draws non-empty pictures', async () => {
	expect(await pixelsOf(await speckled({ width: 7, height: 5 }, true))).toMatchObject({ width: 7, hasAlpha: true });
	expect(await pixelsOf(await speckled({ width: 7, height: 5 }, false))).toMatchObject({ height: 5, hasAlpha: false });
});

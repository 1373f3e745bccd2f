import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { box } from '../../helpers/boxes.ts';
import { avifWith, gridOf, sequenceOf } from '../../helpers/heif.ts';
import { cut, extraTitle, sharedPictures } from '../../helpers/pictures.ts';
import { thrownBy } from '../../helpers/thrown.ts';
import { make, one } from '../make.ts';

const side = 64;
const asPng = one([], [{ png: {} }]);

/** More red to the right, more green to the bottom. */
const gradient = Buffer.from(
	Array.from({ length: side * side }, (_, at) => [(at % side) * 4, Math.floor(at / side) * 4, 0]).flat(),
);
let avif: Buffer;
beforeAll(async () => {
	avif = await sharp(gradient, { raw: { width: side, height: side, channels: 3 } })
		.avif({ lossless: true })
		.toBuffer();
});

async function pixelsOf(file: Buffer): Promise<Buffer> {
	return sharp((await make(file, asPng)).variant('only').data)
		.toColourspace('srgb')
		.removeAlpha()
		.raw()
		.toBuffer();
}

function difference(one: Buffer, other: Buffer): number {
	expect(one.length).toBe(other.length);
	return one.reduce((most, value, at) => Math.max(most, Math.abs(value - (other[at] ?? 0))), 0);
}

const items = (count: number) => Array.from({ length: count }, (_, index) => ({ id: 100 + index, type: 'mime' }));

describe('AVIF beyond what libvips takes by default', () => {
	it.each(['avif', 'avis', 'mif1', 'msf1', 'miaf', 'MA1A', 'MA1B', 'avio', 'iso8'])(
		'is read with the main brand %s',
		async (brand) => {
			const file = avifWith(avif, { brand });
			// The brand AVIF is among those that it is compatible with.
			expect(file.toString('latin1', 8, 12)).toBe(brand);
			expect((await make(file, asPng)).facts).toMatchObject({ format: 'avif', width: side, height: side, frames: 1 });
			expect(difference(await pixelsOf(file), gradient)).toBeLessThan(4);
		},
	);

	it.each([false, true])(
		'is read as a sequence without a still picture, with places of 64 bits: %s',
		async (isLong) => {
			const file = sequenceOf(avif, { tracks: ['pict'], isLong });
			expect((await make(file, asPng)).facts).toMatchObject({
				format: 'avif',
				width: side,
				height: side,
				alpha: false,
			});
			expect(difference(await pixelsOf(file), gradient)).toBeLessThan(4);
		},
	);

	it.each([10, 255, 256, 300, 999])('is read with %i further items', async (count) => {
		expect(difference(await pixelsOf(avifWith(avif, { items: items(count) })), gradient)).toBeLessThan(4);
	});

	it('is unsupported, and neither damaged nor too large, with more', async () => {
		const error = await thrownBy(() => make(avifWith(avif, { items: items(1_000) }), asPng));
		expect(error).toMatchObject({ code: 'unsupported-feature', class: 'unsupported' });
		expect(error.message).toBe('Expected an AVIF or HEIC of at most 1000 items but received one of 1001.');
	});

	it('is read if the tiles of its grid share an item', async () => {
		const made = await make(gridOf(avif, side, [1, 1, 1, 1]), asPng);
		expect(made.facts).toMatchObject({ width: side * 2, height: side * 2 });
		const pixels = await pixelsOf(gridOf(avif, side, [1, 1, 1, 1]));
		for (const [left, top] of [
			[0, 0],
			[side, 0],
			[0, side],
			[side, side],
		] as const) {
			const tile = await sharp(pixels, { raw: { width: side * 2, height: side * 2, channels: 3 } })
				.extract({ left, top, width: side, height: side })
				.raw()
				.toBuffer();
			expect(difference(tile, gradient)).toBeLessThan(4);
		}
	});
});

describe('what is said of an AVIF that cannot be read', () => {
	it.each([10, 50, 90])('cut at %i percent: it ends too early', async (percent) => {
		const error = await thrownBy(() => make(cut(avif, percent), asPng));
		expect(error).toMatchObject({ code: 'corrupt-picture', message: expect.stringContaining('ends too early') });
	});

	it('a whole one whose grid lacks a tile: it is damaged, and does not end too early', async () => {
		const error = await thrownBy(() => make(gridOf(avif, side, [1, 1, 1]), asPng));
		expect(error).toMatchObject({ code: 'corrupt-picture', message: 'The picture is damaged and cannot be decoded.' });
	});

	it.each([
		['a1lx', 7],
		['a1op', 1],
		['lsel', 2],
	] as const)('one with layers (%s) that libheif does not decode: layers are unsupported', async (type, bytes) => {
		const layered = (file: Buffer) =>
			avifWith(file, { properties: [box(type, Buffer.alloc(bytes))], ownProperties: [5] });
		expect(difference(await pixelsOf(layered(avif)), gradient)).toBeLessThan(4);
		const file = layered(avif);
		file.fill(0, file.length - 100);
		const error = await thrownBy(() => make(file, asPng));
		expect(error).toMatchObject({ code: 'unsupported-feature', message: expect.stringContaining('layered') });
	});

	it('a sequence with a track for alpha and no still picture', async () => {
		const error = await thrownBy(() => make(sequenceOf(avif, { tracks: ['pict', 'auxv'] }), asPng));
		expect(error).toMatchObject({ code: 'unsupported-feature', message: expect.stringContaining('sequence') });
	});

	it('a sequence without a track of pictures', async () => {
		const ftyp = box('ftyp', Buffer.from('avis\0\0\0\0avismsf1iso8', 'latin1'));
		const file = Buffer.concat([ftyp, box('moov', Buffer.alloc(40)), box('mdat', Buffer.alloc(400))]);
		const error = await thrownBy(() => make(file, asPng));
		expect(error).toMatchObject({ code: 'unsupported-feature', message: expect.stringContaining('sequence') });
	});

	it('one whose size is beyond the limit: it is too large', async () => {
		const error = await thrownBy(() => make(avif, asPng, { maxMegapixels: 0.001 }));
		expect(error).toMatchObject({ code: 'too-many-pixels' });
	});
});

const cases = sharedPictures('../cases', /^(colors-animated-8bpc|grid-shared-tile)\.avif$/);
describe.skipIf(cases.length === 0)(extraTitle('../cases', cases), () => {
	it.skipIf(cases.length === 0)('takes the first picture of an animation', async () => {
		const file = await readFile(cases.find(({ name }) => name.startsWith('colors'))?.path ?? '');
		const made = await make(file, asPng);
		expect(made.facts).toMatchObject({ format: 'avif', width: 150, height: 150 });
		const { channels } = await sharp(made.variant('only').data).stats();
		// The first picture is black, as avifdec has it.
		expect(channels.map(({ min, max }) => [min, max])).toEqual([
			[0, 0],
			[0, 0],
			[0, 0],
		]);
	});

	it.skipIf(cases.length === 0)('says why a grid of different tiles is not read', async () => {
		const file = await readFile(cases.find(({ name }) => name.startsWith('grid'))?.path ?? '');
		const error = await thrownBy(() => make(file, asPng));
		expect(error).toMatchObject({
			code: 'unsupported-feature',
			message: 'The tiles of the picture have different kinds of colours, which is not supported.',
		});
	});
});

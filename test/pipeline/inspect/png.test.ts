import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { photograph, pngChunk } from '../../helpers/pictures.ts';
import { thrownBy } from '../../helpers/thrown.ts';
import { make, one } from '../make.ts';

const asPng = one([], [{ png: {} }]);

/** EXIF of an orientation (EXIF 2.32, 4.6.4.A). */
function exif(orientation: number): Buffer {
	const block = Buffer.from('4d4d002a0000000800010112000300000001000000000000' + '0000', 'hex');
	block.writeUInt16BE(orientation, 18);
	return pngChunk('eXIf', block);
}

/** A PNG of 8 × 4, red on the left and blue on the right, in which chunks stand before the first of another. */
async function png(before: string, ...chunks: readonly Buffer[]): Promise<Buffer> {
	const side = (r: number, b: number) =>
		sharp({ create: { width: 4, height: 4, channels: 3, background: { r, g: 0, b } } });
	const file = await side(0, 255).extend({ left: 4, background: '#ff0000' }).png().toBuffer();
	const at = file.indexOf(before, 0, 'latin1') - 4;
	return Buffer.concat([file.subarray(0, at), ...chunks, file.subarray(at)]);
}

describe('EXIF of a PNG', () => {
	it.each([
		['IDAT', []],
		['IEND', []],
		['IEND', [pngChunk('tEXt', Buffer.from('Author\0Ann')), pngChunk('tIME', Buffer.from([7, 234, 1, 1, 1, 1, 1]))]],
	] as const)('counts before %s, with %j beside it', async (before, others) => {
		const made = await make(await png(before, ...others, exif(6)), asPng);
		expect(made.facts).toMatchObject({ width: 4, height: 8, orientation: 6 });
		const { data, info } = await sharp(made.variant('only').data).raw().toBuffer({ resolveWithObject: true });
		expect(info).toMatchObject({ width: 4, height: 8 });
		// A quarter turn to the right: what was on the left is at the top.
		const half = data.length / 2;
		expect(data.subarray(0, half).equals(Buffer.alloc(half, Buffer.from([255, 0, 0])))).toBe(true);
		expect(data.subarray(half).equals(Buffer.alloc(half, Buffer.from([0, 0, 255])))).toBe(true);
	});

	it('leaves the picture as it is stored where the recipe says so', async () => {
		const stored = { variants: { only: { orient: false, steps: [], encode: [{ png: {} }] } } };
		const made = await make(await png('IEND', exif(6)), stored);
		expect(made.variant('only')).toMatchObject({ width: 8, height: 4 });
	});

	it('is kept and analysed wherever it stands', async () => {
		const photo = await photograph({ width: 64, height: 48, gps: true, format: 'png' });
		const at = photo.indexOf('eXIf') - 4;
		const end = at + 12 + photo.readUInt32BE(at);
		const late = Buffer.concat([
			photo.subarray(0, at),
			photo.subarray(end, photo.length - 12),
			photo.subarray(at, end),
			photo.subarray(photo.length - 12),
		]);
		const recipe = { analyse: ['exif'], ...(asPng as object) };
		const [first, last] = [await make(photo, recipe), await make(late, recipe)];
		expect(first.analysis.exif).toBeDefined();
		expect(last.analysis).toEqual(first.analysis);
		expect(last.variant('only').data.equals(first.variant('only').data)).toBe(true);
	});
});

it('says that a PNG for iPhones is not supported', async () => {
	const error = await thrownBy(async () =>
		make(await png('IHDR', pngChunk('CgBI', Buffer.from([0x50, 0, 0x20, 0x02]))), asPng),
	);
	expect(error).toMatchObject({ code: 'unsupported-feature', class: 'unsupported' });
	expect(error.message).toBe('Expected an ordinary PNG but received one that Xcode has optimised for iPhones (CgBI).');
});

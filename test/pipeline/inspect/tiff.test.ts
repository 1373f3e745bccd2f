import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { PicpipeError } from '../../../src/errors.ts';
import { inspectHead } from '../../../src/intake/receive.ts';
import { type OddTiff, oddTiff, storedLevel } from '../../helpers/odd-tiff.ts';
import { extraTitle, profileOf, sharedPictures } from '../../helpers/pictures.ts';
import { tiff } from '../../helpers/tiff.ts';
import { make, one } from '../make.ts';

const side = 32;
const asPng = one([], [{ png: {} }]);

/** Red, green, blue of the pixels of one row of the result. */
async function row(file: Buffer, y = side / 2, recipe: unknown = asPng): Promise<number[][]> {
	const { data, info } = await sharp((await make(file, recipe)).variant('only').data)
		.toColourspace('srgb')
		.removeAlpha()
		.raw()
		.toBuffer({ resolveWithObject: true });
	return Array.from({ length: info.width }, (_, x) => [
		...data.subarray((y * info.width + x) * 3, (y * info.width + x + 1) * 3),
	]);
}

async function refusal(file: Buffer): Promise<PicpipeError> {
	return make(file, asPng).then(
		() => expect.fail('the picture was accepted'),
		(error: PicpipeError) => error,
	);
}

/** @param colours red, green, blue for each column */
function expectColours(
	found: readonly (readonly number[])[],
	colours: (x: number) => readonly number[],
	tolerance = 2,
): void {
	expect(found).toHaveLength(side);
	for (const [x, rgb] of found.entries()) {
		for (const [channel, value] of colours(x).entries())
			expect(Math.abs((rgb[channel] ?? -1) - value), `${x}: ${rgb} for ${colours(x)}`).toBeLessThanOrEqual(tolerance);
	}
}

/** A picture whose first sample grows from left to right. */
function ramp(spec: Partial<OddTiff> & Pick<OddTiff, 'photometric' | 'bits'>): Buffer {
	return oddTiff({
		width: side,
		height: side,
		samples: 1,
		value: (x) => storedLevel(x / (side - 1), spec.bits, spec.sampleFormat),
		...spec,
	});
}

const grey = (x: number) => {
	const value = (x / (side - 1)) * 255;
	return [value, value, value];
};

/** CIE L* from 0 to 100 as sRGB (CIE 15; IEC 61966-2-1). */
function lightness(value: number): number {
	const light = value > 8 ? ((value + 16) / 116) ** 3 : value / 903.3;
	return 255 * (light <= 0.0031308 ? light * 12.92 : 1.055 * light ** (1 / 2.4) - 0.055);
}

describe('colours of a TIFF that libvips does not read', () => {
	const layouts: readonly Partial<OddTiff>[] = [
		{},
		{ tile: 16 },
		{ isPlanar: true },
		{ isPlanar: true, tile: 16, isBigEndian: true },
	];

	it.each(layouts.flatMap((layout) => [8, 16].map((bits) => ({ ...layout, bits }))))('Lab: %j', async (layout) => {
		const unit = layout.bits === 8 ? 1 : 256;
		const lab = (a: number, b: number) =>
			ramp({
				...layout,
				photometric: 'lab',
				samples: 3,
				value: (x, _y, sample) =>
					sample === 0 ? storedLevel(x / (side - 1), layout.bits) : (sample === 1 ? a : b) * unit,
			});
		expectColours(await row(lab(0, 0)), (x) => [0, 0, 0].fill(lightness((x / (side - 1)) * 100)), 3);
		// Lab (50, 40, -30), from CSS Color 4.
		const [, , , , , , , , , , , , , , , , middle = []] = await row(lab(40, -30));
		const [red = 0, green = 0, blue = 0] = middle;
		expect(Math.abs(red - 164) + Math.abs(green - 95) + Math.abs(blue - 173)).toBeLessThan(15);
	});

	it.each(
		layouts.flatMap((layout) => [8, 16].flatMap((bits) => [0, 1, 2].map((extra) => ({ ...layout, bits, extra })))),
	)('Lab with a fourth sample: %j', async ({ extra, ...layout }) => {
		const file = ramp({
			...layout,
			photometric: 'lab',
			samples: 4,
			extra: [extra],
			value: (x, _y, sample) =>
				[storedLevel(0.5, layout.bits), 0, 0, storedLevel(extra === 1 ? 1 : x / (side - 1), layout.bits)][sample] ?? 0,
		});
		const { data } = await sharp((await make(file, asPng)).variant('only').data)
			.ensureAlpha()
			.raw()
			.toBuffer({ resolveWithObject: true });
		for (let x = 0; x < side; x++) {
			const alpha = extra === 2 ? (x / (side - 1)) * 255 : 255;
			expect(Math.abs((data[x * 4 + 3] ?? -1) - alpha), `alpha ${x}`).toBeLessThanOrEqual(1);
			if (alpha > 20) expect(Math.abs((data[x * 4] ?? -1) - 119), `grey ${x}`).toBeLessThanOrEqual(3);
		}
	});

	it.each(layouts.flatMap((layout) => [1, 2, 3, 4, 8, 12, 16].map((bits) => ({ ...layout, bits }))))(
		'palette: %j',
		async (layout) => {
			const count = 2 ** layout.bits;
			const level = (index: number) => Math.round((index / (count - 1)) * 65_535);
			const colours = Array.from({ length: count }, (_, index) => level(index));
			const file = ramp({
				...layout,
				photometric: 'palette',
				tags: [[320, 3, [...colours, ...colours.map(() => 0x4000), ...colours.map((red) => 65_535 - red)]]],
			});
			const index = (x: number) => Math.round((x / (side - 1)) * (count - 1));
			expectColours(await row(file), (x) => [level(index(x)) / 257, 64, 255 - level(index(x)) / 257]);
		},
	);

	it.each(
		[6, 8, 12, 16, 32].flatMap((bits) =>
			[...layouts, { extra: [2] }, { extra: [0] }].map((layout) => ({ ...layout, bits })),
		),
	)('CMYK looks as it does with 8 bits side by side: %j', async (layout) => {
		const inks = (x: number, y: number, sample: number) =>
			[x / (side - 1), y / (side - 1), 0.25, (x % 8) / 16, 1][sample] as number;
		const cmyk = ({ bits, ...spec }: Partial<OddTiff> & { readonly bits: number }) =>
			ramp({
				...spec,
				photometric: 'cmyk',
				bits,
				samples: spec.extra ? 5 : 4,
				value: (x, y, sample) => storedLevel(inks(x, y, sample), bits),
			});
		const twin = await row(cmyk({ bits: 8 }));
		expect(Math.max(...twin.flat()) - Math.min(...twin.flat())).toBeGreaterThan(80);
		// Six bits are 4 of 256 levels apart.
		expectColours(await row(cmyk(layout)), (x) => twin[x] ?? [], layout.bits === 6 ? 6 : 3);
	});

	it.each(layouts)('YCbCr without subsampling: %j', async (layout) => {
		const file = (blue: number, red: number) =>
			ramp({
				...layout,
				photometric: 'yCbCr',
				bits: 8,
				samples: 3,
				tags: [[530, 3, [1, 1]]],
				value: (x, _y, sample) => [Math.round((x / (side - 1)) * 255), blue, red][sample] ?? 0,
			});
		expectColours(await row(file(128, 128)), grey);
		// Red of 255 has Y 76, Cb 85, Cr 255 (ITU-T T.871, 7).
		const [red = 0, green = 0, blue = 0] = (await row(file(85, 255)))[9] ?? [];
		expect(Math.abs(red - 254) + green + blue).toBeLessThan(6);
	});

	it('YCbCr with subsampled chroma', async () => {
		// Units of four lumas and one chroma each (TIFF 6.0, section 21).
		const file = ramp({
			photometric: 'yCbCr',
			bits: 8,
			samples: 3,
			tags: [[530, 3, [2, 2]]],
			value: (x, y, sample) => {
				const at = ((y % (side / 2)) * side + x) * 3 + sample;
				const [unit, part] = [Math.floor(at / 6), at % 6];
				const column = (unit % (side / 2)) * 2 + (part % 2);
				return part < 4 ? Math.round((column / (side - 1)) * 255) : 128;
			},
		});
		expectColours(await row(file, 4), grey, 3);
	});

	it('keeps the profile, the orientation and the size of each page', async () => {
		const profile = await profileOf('p3');
		const file = oddTiff({
			width: side,
			height: 8,
			photometric: 'rgb',
			sampleFormat: 'float',
			bits: 32,
			samples: 3,
			tags: [
				[274, 3, [6]],
				[34_675, 7, [...profile]],
			],
			value: (_x, _y, sample) => ([220, 30, 30][sample] ?? 0) / 255,
		});
		const made = await make(file, asPng);
		expect(made.facts).toMatchObject({ width: 8, height: side, orientation: 6, frames: 1, alpha: false });
		const { channels } = await sharp(made.variant('only').data).stats();
		// Display P3 (220, 30, 30) in sRGB.
		const [red = 0, green = 0, blue = 0] = channels.map(({ mean }) => mean);
		expect(Math.abs(red - 241) + green + blue).toBeLessThan(4);
	});
});

describe('compressions and predictors of samples that libvips does not read', () => {
	it.each(['none', 'horizontal'] as const)(
		'LZW with predictor %s, longer than its table of codes',
		async (predictor) => {
			const values = Buffer.from(Array.from({ length: 200 * 200 }, (_, at) => ((at * at) >> 5) ^ (at % 200)));
			const file = await sharp(values, { raw: { width: 200, height: 200, channels: 1 } })
				.toColourspace('b-w')
				.tiff({ compression: 'lzw', predictor })
				.toBuffer();
			// The same bytes as signed numbers, of which the most negative is black.
			const type = file.indexOf(Buffer.from([0x53, 1, 3, 0, 1, 0, 0, 0]));
			expect(type).toBeGreaterThan(0);
			file[type + 8] = 2;
			const { data } = (await make(file, asPng)).variant('only');
			const made = await sharp(data).extractChannel(0).raw().toBuffer();
			expect(made.equals(Buffer.from(values.map((value) => value ^ 0x80)))).toBe(true);
		},
	);

	it.each(
		[false, true].flatMap((isBigEndian): (Partial<OddTiff> & Pick<OddTiff, 'bits'>)[] => [
			{ bits: 8, sampleFormat: 'int', isBigEndian, predictor: 2, compression: 'deflate' },
			{ bits: 32, isBigEndian, predictor: 2, compression: 'deflate' },
			{ bits: 16, sampleFormat: 'int', isBigEndian, predictor: 2, compression: 'packBits' },
			{ bits: 32, sampleFormat: 'float', isBigEndian, predictor: 3, compression: 'deflate' },
			{ bits: 64, sampleFormat: 'float', isBigEndian, predictor: 3, compression: 'deflate', tile: 16, isPlanar: true },
			{ bits: 16, sampleFormat: 'float', isBigEndian, predictor: 3, compression: 'deflate' },
			{ bits: 12, isBigEndian, isReversed: true },
		]),
	)('%j', async (spec) => {
		const rgb = ramp({
			...spec,
			photometric: 'rgb',
			samples: 3,
			value: (x, _y, sample) =>
				storedLevel(sample === 2 ? 1 - x / (side - 1) : x / (side - 1), spec.bits, spec.sampleFormat),
		});
		expectColours(await row(rgb), (x) => [grey(x)[0] ?? 0, grey(x)[0] ?? 0, 255 - (grey(x)[0] ?? 0)]);
	});
});

it.each(['ccittfax4', 'none', 'jpeg'] as const)(
	'reads a single plane that is said to be one of several: %s',
	async (compression) => {
		const stripes = Buffer.from(Array.from({ length: 64 * 64 }, (_, at) => ((at % 64) & 8 ? 255 : 0)));
		const bitdepth = compression === 'jpeg' ? {} : { bitdepth: 1 as const };
		const file = await sharp(stripes, { raw: { width: 64, height: 64, channels: 1 } })
			.toColourspace('b-w')
			.tiff({ compression, ...bitdepth, quality: 100, predictor: 'none' })
			.toBuffer();
		file.writeUInt16LE(2, file.indexOf(Buffer.from([0x1c, 1, 3, 0, 1, 0, 0, 0])) + 8);
		const found = await row(file);
		expect(found.map(([value = 0]) => Math.round(value / 255))).toEqual(
			Array.from({ length: 64 }, (_, x) => (x & 8 ? 1 : 0)),
		);
	},
);

describe('a TIFF that cannot be read', () => {
	const patched = (bits: number, tag: number, value: number, more: Partial<OddTiff> = {}) => {
		const file = ramp({ photometric: 'rgb', samples: 3, bits, ...more });
		const at = file.lastIndexOf(Buffer.from([tag & 0xff, tag >> 8, 3, 0]));
		expect(at).toBeGreaterThan(0);
		file.writeUInt16LE(value, at + 8);
		return file;
	};

	it.each<[string, Buffer, RegExp]>([
		['old-style JPEG', patched(8, 259, 6), /old-style JPEG/],
		['JPEG of 12 bits', patched(12, 259, 7), /8 bits per sample in JPEG compression but received 12/],
		[
			'floats of 24 bits',
			ramp({ photometric: 'rgb', samples: 3, bits: 24, sampleFormat: 'float', value: () => 0.5 }),
			/24 for floating-point/,
		],
		[
			'complex numbers',
			ramp({ photometric: 'blackIsZero', bits: 64, sampleFormat: 'complexFloat' }),
			/complex numbers/,
		],
		['ZSTD of 32 bits', patched(32, 259, 50_000), /compression 50000/],
		['ZSTD of 8 bits', patched(8, 259, 50_000), /compression or layout/],
		[
			'Lab of 32 bits',
			ramp({ photometric: 'lab', samples: 3, bits: 32 }),
			/8 or 16 bits per sample of Lab but received 32/,
		],
		['ICC Lab', patched(8, 262, 9), /compression or layout/],
		['values of a sensor', patched(8, 262, 32_803), /compression or layout/],
		['CMYK without black', ramp({ photometric: 'cmyk', samples: 3, bits: 8 }), /compression or layout/],
		[
			'inks other than CMYK',
			ramp({ photometric: 'cmyk', samples: 4, bits: 8, tags: [[332, 3, [2]]] }),
			/compression or layout|inks/,
		],
		[
			'heights in metres',
			ramp({ photometric: 'blackIsZero', bits: 32, sampleFormat: 'float', value: (x) => x * 100 }),
			/floating-point samples from 0 to 1 but received samples from 0 to 3100/,
		],
		[
			'floats up to 255',
			ramp({ photometric: 'rgb', samples: 3, bits: 32, sampleFormat: 'float', value: (x) => x * 8 }),
			/from 0 to 1 but received samples from 0 to 248/,
		],
		[
			'floats of which some are not numbers',
			ramp({ photometric: 'blackIsZero', bits: 32, sampleFormat: 'float', value: (x) => (x < 3 ? Number.NaN : 0.5) }),
			/from 0 to 1/,
		],
		[
			'floats that are not numbers',
			ramp({ photometric: 'blackIsZero', bits: 32, sampleFormat: 'float', value: () => Number.NaN }),
			/samples that are not numbers/,
		],
		...[1, 4, 8].map((bits): [string, Buffer, RegExp] => [
			`a mask of ${bits} bits`,
			patched(bits, 262, 4),
			/a transparency mask/,
		]),
		[
			'counts up to 1000 in 32 bits',
			ramp({ photometric: 'blackIsZero', bits: 32, value: (x) => x * 30 }),
			/samples that fill their range/,
		],
	])('is unsupported and not damaged: %s', async (_name, file, sentence) => {
		const error = await refusal(file);
		expect(error).toMatchObject({ code: 'unsupported-feature', class: 'unsupported' });
		expect(error.message).toMatch(sentence);
	});

	it('is unsupported if its samples differ in size', async () => {
		const file = ramp({ photometric: 'rgb', samples: 3, bits: 8 });
		const bits = file.lastIndexOf(Buffer.from([8, 0, 8, 0, 8, 0]));
		file.writeUInt16LE(6, bits + 2);
		expect(await refusal(file)).toMatchObject({
			code: 'unsupported-feature',
			message: expect.stringMatching(/samples that differ/),
		});
	});

	it.each(['none', 'deflate', 'packBits'] as const)('is damaged if samples are missing: %s', async (compression) => {
		const file = ramp({ photometric: 'blackIsZero', bits: 12, compression });
		// The directory is at the end, so the data cannot be cut off: its last strip claims too little or lies beyond the end.
		const lengths = file.lastIndexOf(Buffer.from([0x17, 1, 4, 0, 2, 0, 0, 0]));
		const place = file.readUInt32LE(lengths + 8);
		const length = file.readUInt32LE(place);
		file.writeUInt32LE(length >> 1, place);
		expect(await refusal(file)).toMatchObject({ code: 'corrupt-picture' });
		file.writeUInt32LE(1_000_000, place);
		expect(await refusal(file)).toMatchObject({
			code: 'corrupt-picture',
			message: expect.stringMatching(/ends too early/),
		});
	});

	it('is within limits before anything is read of it', async () => {
		const file = ramp({ photometric: 'blackIsZero', bits: 12 });
		const width = file.lastIndexOf(Buffer.from([0, 1, 4, 0, 1, 0, 0, 0]));
		file.writeUInt32LE(4_000_000_000, width + 8);
		expect(await refusal(file)).toMatchObject({ class: 'limit' });
	});
});

it('reads each page of a TIFF as it is', async () => {
	const pages = await tiff([
		{ width: 16, height: 8, background: '#ff0000' },
		{ width: 24, height: 12, background: '#00ff00' },
	]);
	// The second page as signed numbers: 0 is mid-grey, 255 is -1.
	const last = pages.lastIndexOf(Buffer.from([0x1c, 1, 3, 0, 1, 0, 0, 0, 1]));
	pages.writeUInt16LE(339, last);
	pages.writeUInt16LE(2, last + 8);
	const recipe = {
		variants: {
			first: { steps: [], encode: [{ png: {} }] },
			second: { page: 2, steps: [], encode: [{ png: {} }] },
		},
	};
	const made = await make(pages, recipe);
	expect(made.facts).toMatchObject({ width: 16, height: 8, frames: 2 });
	const means = async (name: string) =>
		(await sharp(made.variant(name).data).stats()).channels.map(({ mean }) => Math.round(mean));
	expect(await means('first')).toEqual([255, 0, 0]);
	expect(await means('second')).toEqual([128, 127, 128]);
	expect(made.variant('second')).toMatchObject({ width: 24, height: 12 });
});

const cases = sharedPictures('../cases', /\.tiff?$/);
describe.skipIf(cases.length === 0)(extraTitle('../cases', cases), () => {
	const find = async (name: string) => readFile(cases.find((one) => one.name === name)?.path ?? '');

	it.skipIf(cases.length === 0).each(['float_gray_0to1.tif', 'int16_gray.tif', 'uint32_gray.tif'])(
		'shows the ramp of %s',
		async (name) => {
			const found = await row(await find(name));
			expect(found).toHaveLength(64);
			for (const [x, rgb] of found.entries()) {
				for (const value of rgb) expect(Math.abs(value - (x / 63) * 255), `${x}: ${rgb}`).toBeLessThanOrEqual(3);
			}
		},
	);

	it.skipIf(cases.length === 0)('reads Lab of 8 bits', async () => {
		const { data, info } = await sharp((await make(await find('t_lab8.tif'), asPng)).variant('only').data)
			.raw()
			.toBuffer({ resolveWithObject: true });
		expect(info).toMatchObject({ width: 240, height: 160, channels: 3 });
		const { channels } = await sharp(data, { raw: { width: 240, height: 160, channels: 3 } }).stats();
		for (const { stdev } of channels) expect(stdev).toBeGreaterThan(15);
	});

	it.skipIf(cases.length === 0).each(['tiff-3bit.tiff', 'tiff-12bit.tiff', 'plain.tif', 'printim.tif'])(
		'takes %s',
		async (name) => {
			const file = await find(name);
			expect((await inspectHead(file.subarray(0, 4_100))).type).toBe('image/tiff');
			const { data } = (await make(file, asPng)).variant('only');
			const levels = new Set(await sharp(data).extractChannel(0).raw().toBuffer());
			// The values of the one of 12 bits are almost all below 30 of 4095.
			expect(levels.size).toBeGreaterThan({ 'tiff-3bit.tiff': 7, 'tiff-12bit.tiff': 1 }[name] ?? 0);
		},
	);

	it.skipIf(cases.length === 0)('says that it does not know old-style JPEG', async () => {
		expect(await refusal(await find('ojpeg-tile.tif'))).toMatchObject({ code: 'unsupported-feature' });
	});
});

import { readFile } from 'node:fs/promises';
import heicDecode from 'heic-decode/lib.js';
import libheif from 'libheif-js/libheif-wasm/libheif-bundle.js';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import type { PicpipeError } from '../../../src/errors.ts';
import { inspect } from '../../../src/pipeline/inspect/inspect.ts';
import { inSrgb } from '../../helpers/colours.ts';
import { cpuMilliseconds } from '../../helpers/cpu.ts';
import {
	colourDifference,
	cut,
	extraTitle,
	gifDeclaring,
	type PhotographFormat,
	photograph,
	pngChunk,
	pngDeclaring,
	sharedPictures,
	similarity,
} from '../../helpers/pictures.ts';
import { limits, make, one } from '../make.ts';

const size = { width: 1200, height: 900 };
const small = one([{ resize: { width: 400 } }]);

/** How the engine refuses a file. */
async function refusal(file: Buffer, recipe: unknown = small): Promise<PicpipeError> {
	return make(file, recipe).then(
		() => expect.fail('the picture was accepted'),
		(error: PicpipeError) => error,
	);
}

function insert(file: Buffer, at: number, bytes: Buffer): Buffer {
	return Buffer.concat([file.subarray(0, at), bytes, file.subarray(at)]);
}

describe('input types', () => {
	const formats: readonly PhotographFormat[] = ['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'];
	it.each(formats)('takes %s', async (format) => {
		const made = await make(await photograph({ ...size, format }), small);
		expect(made.facts).toMatchObject({ format, ...size, frames: 1, alpha: false, orientation: 1 });
		const reference = await photograph(size);
		expect(await similarity(made.variant('only').data, reference)).toBeGreaterThan(0.96);
		expect(await colourDifference(made.variant('only').data, reference)).toBeLessThan(2.5);
	});

	it.each([
		['progressive JPEG', { progressive: true }],
		['interlaced PNG', { progressive: true, format: 'png' }],
		['16 bit PNG', { deep: true, format: 'png' }],
		['16 bit TIFF', { deep: true, format: 'tiff' }],
		['JPEG in Display P3', { icc: 'p3' }],
		['16 bit PNG in Display P3', { icc: 'p3', deep: true, format: 'png' }],
	] as const)('takes %s and its colours', async (_name, options) => {
		const made = await make(await photograph({ ...size, ...options }), small);
		const { data } = made.variant('only');
		expect(await colourDifference(data, await photograph(size))).toBeLessThan(2.5);
		expect(await sharp(data).metadata()).toMatchObject({ space: 'srgb', depth: 'uchar', hasProfile: false });
	});

	it('takes a CMYK JPEG, as well as its smaller range of colours allows', async () => {
		const made = await make(await photograph({ ...size, icc: 'cmyk' }), small);
		expect(made.facts.colourSpace).toBe('cmyk');
		const { data } = made.variant('only');
		expect(await colourDifference(data, await photograph(size))).toBeLessThan(12);
		expect(await sharp(data).metadata()).toMatchObject({ space: 'srgb', channels: 3 });
	});

	it('takes a greyscale JPEG and leaves it grey', async () => {
		const made = await make(await photograph({ ...size, greyscale: true }), small);
		const { channels } = await sharp(made.variant('only').data).stats();
		expect(Math.abs((channels[0]?.mean ?? 0) - (channels[1]?.mean ?? 255))).toBeLessThan(1);
		expect(await similarity(made.variant('only').data, await photograph(size))).toBeGreaterThan(0.96);
	});

	it('takes the first frame of an animated GIF', async () => {
		const frames = await Promise.all(['#ff0000', '#00ff00'].map((background) => solid(64, 48, background)));
		const gif = await sharp(frames, { join: { animated: true } })
			.gif()
			.toBuffer();
		const made = await make(gif, one([], [{ png: {} }]));
		expect(made.facts).toMatchObject({ format: 'gif', frames: 2, width: 64, height: 48 });
		expect(await colourDifference(made.variant('only').data, await solid(64, 48, '#ff0000'))).toBeLessThan(4);
	});

	it.each([
		['text', Buffer.from('hello, I am a picture')],
		['HTML', Buffer.from('<!doctype html><img src=x onerror=alert(1)>')],
		[
			'SVG',
			Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'),
		],
		['PDF', Buffer.from('%PDF-1.7\n1 0 obj\n<<>>\nendobj\n')],
		['nothing', Buffer.alloc(0)],
		['zeros', Buffer.alloc(4096)],
		['HEIF without HEVC', Buffer.from('\0\0\0\x18ftypmif1\0\0\0\0mif1miaf', 'latin1')],
		['BMP', Buffer.from('BM\x46\0\0\0\0\0\0\0\x36\0\0\0', 'latin1')],
		['netpbm', Buffer.from('P6 1 1 255 abc')],
		['libvips', Buffer.from('08f2a6b6', 'hex')],
	])('refuses %s as unsupported', async (_name, file) => {
		expect(await refusal(file)).toMatchObject({ code: 'unsupported-type', class: 'unsupported' });
	});
});

describe('damage is decided here', () => {
	const formats: readonly (readonly [string, Parameters<typeof photograph>[0]])[] = [
		['jpeg', size],
		['progressive jpeg', { ...size, progressive: true }],
		['png', { ...size, format: 'png' }],
		['interlaced png', { ...size, format: 'png', progressive: true }],
		['webp', { ...size, format: 'webp' }],
		['avif', { ...size, format: 'avif' }],
		['gif', { ...size, format: 'gif' }],
		['tiff', { ...size, format: 'tiff' }],
	];
	for (const [name, options] of formats) {
		it.each([1, 10, 50, 90, 99])(`refuses a ${name} cut at %i percent`, async (percent) => {
			expect(await refusal(cut(await photograph(options), percent))).toMatchObject({
				code: 'corrupt-picture',
				class: 'corrupt',
			});
		});
	}

	it('refuses a cut picture even when the variant only shows what is left of it', async () => {
		const top = one([{ resize: { width: 1200, height: 100, fit: 'cover', position: 'top' } }]);
		expect(await refusal(cut(await photograph(size), 70), top)).toMatchObject({ code: 'corrupt-picture' });
	});

	it('refuses a JPEG with a hole in its data, which libjpeg only warns about', async () => {
		const jpeg = await photograph(size);
		const middle = jpeg.length >> 1;
		const holed = Buffer.concat([jpeg.subarray(0, middle), jpeg.subarray(middle + 5_000)]);
		expect(await refusal(holed)).toMatchObject({ code: 'corrupt-picture', step: 'decode' });
	});

	it.each([
		['bytes after the end', (jpeg: Buffer) => Buffer.concat([jpeg, Buffer.alloc(10_000, 7)])],
		['bytes before the end marker', (jpeg: Buffer) => insert(jpeg, jpeg.length - 2, Buffer.alloc(20))],
		['a start of scan with odd parameters, as some phones write', oddScanParameters],
		['a damaged colour profile', (jpeg: Buffer) => insert(jpeg, 2, appSegment(2, 'ICC_PROFILE\0\x01\x01nonsense'))],
		['a damaged EXIF block', (jpeg: Buffer) => insert(jpeg, 2, appSegment(1, 'Exif\0\0II*\0\xff\xff\xff\xffnonsense'))],
	])('accepts a JPEG with %s', async (_name, harm) => {
		const jpeg = await photograph(size);
		const made = await make(harm(jpeg), small);
		expect(await similarity(made.variant('only').data, jpeg)).toBeGreaterThan(0.97);
	});

	it.each([
		['a useless colour profile', pngChunk('iCCP', Buffer.from('bad\0\0nonsense'))],
		['a text chunk with a wrong checksum', damaged(pngChunk('tEXt', Buffer.from('Title\0hello')))],
		['an unknown chunk', pngChunk('piCp', Buffer.alloc(5))],
	])('accepts a PNG with %s', async (_name, chunk) => {
		const png = await photograph({ ...size, format: 'png' });
		const made = await make(insert(png, 33, chunk), small);
		expect(await similarity(made.variant('only').data, png)).toBeGreaterThan(0.97);
	});
});

describe('limits are checked on the header', () => {
	it.each([
		['a PNG of 50,000 × 50,000', pngDeclaring(50_000, 50_000), 'too-wide-or-high'],
		['a PNG of 2³¹ - 1 squared', pngDeclaring(2 ** 31 - 1, 2 ** 31 - 1), 'too-wide-or-high'],
		['a PNG of 20,000 × 20,000', pngDeclaring(20_000, 20_000), 'too-many-pixels'],
		['a GIF of 5,000 frames', gifDeclaring({ width: 100, height: 100, frames: 5_000 }), 'too-many-frames'],
	] as const)('refuses %s quickly and without memory', async (_name, file, code) => {
		const before = process.memoryUsage.rss();
		const started = cpuMilliseconds();
		const error = await inspect(file, limits).catch((error: PicpipeError) => error);
		expect(error).toMatchObject({ code, class: 'limit', step: 'inspect' });
		expect((error as PicpipeError).message).toMatch(/^Expected at most .* but received /);
		expect(cpuMilliseconds() - started).toBeLessThan(250);
		expect(process.memoryUsage.rss() - before).toBeLessThan(50e6);
	});

	it('takes the first of 900 large frames', async () => {
		const picture = await inspect(gifDeclaring({ width: 2_000, height: 2_000, frames: 900 }), limits);
		expect(picture).toMatchObject({ megapixels: 4, reading: { framesAtOnce: 1, isFirstFrameOnly: true } });
		expect(picture.facts.frames).toBe(900);
	});

	it('accepts a picture exactly at every limit', async () => {
		const file = await photograph({ width: 1000, height: 500 });
		const exactly = { maxMegapixels: 0.5, maxDimension: 1000, maxFrames: 1 };
		expect((await inspect(file, exactly)).megapixels).toBe(0.5);
		await expect(inspect(file, { ...exactly, maxDimension: 999 })).rejects.toMatchObject({ code: 'too-wide-or-high' });
		await expect(inspect(file, { ...exactly, maxMegapixels: 0.49 })).rejects.toMatchObject({ code: 'too-many-pixels' });
	});
});

const suite = sharedPictures('pngsuite', /\.png$/);
describe.skipIf(suite.length === 0)(extraTitle('pngsuite', suite), () => {
	it.skipIf(suite.length === 0)('decodes every file to the right pixels', async () => {
		for (const { name, path } of suite) {
			const file = await readFile(path);
			const made = await make(file, one([], [{ png: {} }]));
			const actual = await rgba(made.variant('only').data);
			const gamma = gammaOf(file);
			if (gamma === undefined) {
				expect(actual.equals(await rgba(file)), name).toBe(true);
			} else {
				const expected = await withGamma(file, gamma);
				const wrong = expected.map((value, at) => Math.abs(value - (actual[at] ?? 0)));
				expect(actual).toHaveLength(expected.length);
				expect(Math.max(...wrong), name).toBeLessThanOrEqual(1);
			}
		}
	});
});

/** The gamma of a PNG that has no other chunk about its colours; none of the files has other primaries than sRGB. */
function gammaOf(file: Buffer): number | undefined {
	const [gama, header] = [file.indexOf('gAMA'), file.subarray(0, file.indexOf('IDAT'))];
	if (gama < 0 || ['cICP', 'iCCP', 'sRGB'].some((type) => header.includes(type))) return undefined;
	const gamma = file.readUInt32BE(gama + 4) / 1e5;
	return header.includes('cHRM') || Math.abs(gamma - 0.45455) > 1e-3 ? gamma : undefined;
}

/** The pixels as the formulas have them: from the file's own depth, because 8 bits of linear light lack dark tones. */
async function withGamma(file: Buffer, gamma: number): Promise<number[]> {
	const { depth } = await sharp(file).metadata();
	const isDeep = depth === 'ushort';
	const deep = await sharp(file).toColourspace('rgb16').ensureAlpha().raw({ depth: 'ushort' }).toBuffer();
	const values = isDeep ? new Uint16Array(deep.buffer, deep.byteOffset, deep.length / 2) : await rgba(file);
	const maximum = isDeep ? 65_535 : 255;
	return [...values].map((value, at) => {
		if (at % 4 === 3) return (255 * value) / maximum;
		return inSrgb([value / maximum, 0, 0], (one) => one ** (1 / gamma))[0] ?? 0;
	});
}

const broken = sharedPictures('broken', /\.png$/);
describe.skipIf(broken.length === 0)(extraTitle('broken', broken), () => {
	it.skipIf(broken.length === 0).each(broken)('refuses $name as corrupt', async ({ path }) => {
		expect(await refusal(await readFile(path), one([]))).toMatchObject({ code: 'corrupt-picture' });
	});
});

const formats = sharedPictures('formats');
describe.skipIf(formats.length === 0)(extraTitle('formats', formats), () => {
	it.skipIf(formats.length === 0).each(formats)('takes $name', async ({ path }) => {
		const file = await readFile(path);
		const made = await make(file, small, { maxMegapixels: 200 });
		expect(await similarity(made.variant('only').data, file)).toBeGreaterThan(0.95);
	});
});

const animated = sharedPictures('animated');
describe.skipIf(animated.length === 0)(extraTitle('animated', animated), () => {
	it.skipIf(animated.length === 0).each(animated)('takes the first frame of $name', async ({ path }) => {
		const file = await readFile(path);
		const made = await make(file, one([]));
		expect(made.facts.frames).toBeGreaterThan(20);
		expect(await similarity(made.variant('only').data, file)).toBeGreaterThan(0.95);
	});
});

const heic = sharedPictures('heic', /\.heic$/);
describe.skipIf(heic.length === 0)(extraTitle('heic', heic), () => {
	it.skipIf(heic.length === 0).each(heic)('takes $name, but not a part of it', async ({ path }) => {
		const file = await readFile(path);
		const header = await sharp(file).metadata();
		const made = await make(file, one([{ resize: { width: 400 } }], [{ jpeg: {} }]));
		const { width, height } = made.facts;
		expect(made.facts).toMatchObject({ format: 'heic', width: header.width, height: header.height, alpha: false });
		expect(made.variant('only')).toMatchObject({ width: 400, height: Math.round((400 * height) / width) });
		const { channels } = await sharp(made.variant('only').data).stats();
		for (const { stdev } of channels) expect(stdev).toBeGreaterThan(15);
		for (const percent of [1, 50, 99]) expect(await refusal(cut(file, percent))).toMatchObject({ class: 'corrupt' });
		const started = cpuMilliseconds();
		await expect(inspect(file, { ...limits, maxMegapixels: 1 })).rejects.toMatchObject({ code: 'too-many-pixels' });
		expect(cpuMilliseconds() - started).toBeLessThan(500);
	});

	const phone = heic.filter(({ name }) => name.startsWith('iphone'));
	it.skipIf(phone.length === 0)('converts the colours of a phone from Display P3', async () => {
		const file = await readFile(phone[0]?.path ?? '');
		const picture = await inspect(file, limits);
		// The decoder holds it once more than others.
		expect(picture.megapixels).toBeCloseTo((picture.facts.width * picture.facts.height * 2) / 1e6, 6);
		const part = { left: 1500, top: 1200, width: 64, height: 64 };
		const { data } = (await make(file, one([{ crop: part }], [{ png: {} }]))).variant('only');
		const made = await sharp(data).raw().toBuffer();
		const whole = await heicDecode(libheif()).one({ buffer: file });
		let [converted, asItIs] = [0, 0];
		for (let y = 0; y < part.height; y++) {
			for (let x = 0; x < part.width; x++) {
				const from = ((part.top + y) * whole.width + part.left + x) * 4;
				const own = [...whole.data.subarray(from, from + 3)];
				const expected = fromDisplayP3(own);
				for (let channel = 0; channel < 3; channel++) {
					const value = made[(y * part.width + x) * 3 + channel] ?? 0;
					converted += Math.abs(value - (expected[channel] ?? 0));
					asItIs += Math.abs(value - (own[channel] ?? 0));
				}
			}
		}
		expect(converted / made.length).toBeLessThan(1);
		expect(asItIs).toBeGreaterThan(converted * 2);
	});
});

function solid(width: number, height: number, background: string): Promise<Buffer> {
	return sharp({ create: { width, height, channels: 3, background } })
		.png()
		.toBuffer();
}

async function rgba(png: Buffer): Promise<Buffer> {
	return sharp(png).toColourspace('srgb').ensureAlpha().raw().toBuffer();
}

/** A JPEG's application segment. */
function appSegment(number: number, content: string): Buffer {
	const segment = Buffer.from(`\xff\xe0\0\0${content}`, 'latin1');
	segment[1] = 0xe0 + number;
	segment.writeUInt16BE(segment.length - 2, 2);
	return segment;
}

/** Spectral selection 0 to 0 in a sequential JPEG: "Invalid SOS parameters for sequential JPEG" (ITU T.81, B.2.3). */
function oddScanParameters(jpeg: Buffer): Buffer {
	const odd = Buffer.from(jpeg);
	const scan = odd.indexOf(Buffer.from([0xff, 0xda]));
	odd[scan + 2 + odd.readUInt16BE(scan + 2) - 2] = 0;
	return odd;
}

function damaged(chunk: Buffer): Buffer {
	const copy = Buffer.from(chunk);
	copy[copy.length - 1] = (copy[copy.length - 1] ?? 0) ^ 1;
	return copy;
}

/** Display P3 to sRGB, by the matrix between their primaries (both have the white D65 and the curve of sRGB). */
function fromDisplayP3(rgb: readonly number[]): number[] {
	const linear = rgb.map((value) =>
		value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4,
	);
	const [red = 0, green = 0, blue = 0] = linear;
	return [
		1.2249 * red - 0.2247 * green,
		-0.042 * red + 1.0419 * green,
		-0.0197 * red - 0.0786 * green + 1.0979 * blue,
	].map((value) => {
		const clipped = Math.max(0, Math.min(1, value));
		return 255 * (clipped <= 0.0031308 ? clipped * 12.92 : 1.055 * clipped ** (1 / 2.4) - 0.055);
	});
}

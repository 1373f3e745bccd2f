import sharp, { type Metadata, type SharpOptions } from 'sharp';
import type { Facts } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import type { Scaling } from '../operations/operation.ts';
import { classify, corrupt } from './classify.ts';
import { type InputFormat, inputFormats, sniffFormat } from './sniff.ts';

/** What a picture may be; checked against its header before a pixel is decoded. */
export interface PictureLimits {
	/** Million pixels: width × height × frames. */
	readonly maxMegapixels: number;
	/** Pixels. */
	readonly maxDimension: number;
	readonly maxFrames: number;
}

/** Decoded pixels: 8 bits a channel, sRGB, three channels or four with unpremultiplied alpha, upright. */
export interface Pixels {
	readonly data: Buffer;
	readonly width: number;
	readonly height: number;
	readonly channels: 3 | 4;
}

/** A picture whose header was read and is within the limits. */
export interface Inspected {
	readonly facts: Facts;
	/** Pixels that will be decoded, in millions: what it costs in memory. */
	readonly megapixels: number;
	readonly format: InputFormat;
	/** 16 bits a channel and an embedded colour profile: sharp converts those through P3. */
	readonly isDeepWithProfile: boolean;
	/** The EXIF block as it stands in the file. */
	readonly exif?: Buffer | undefined;
}

/** Loaders of libvips that may run; all from memory, so that no picture can open a file. */
const allowedLoaders = [
	'VipsForeignLoadJpegBuffer',
	'VipsForeignLoadPngBuffer',
	'VipsForeignLoadWebpBuffer',
	'VipsForeignLoadHeifBuffer',
	'VipsForeignLoadNsgifBuffer',
	'VipsForeignLoadTiffBuffer',
];

/**
 * Prepares sharp for a process that does nothing but imaging: one place for everything global.
 *
 * @param threads of libvips for each picture
 */
export function prepareSharp(threads: number): void {
	sharp.concurrency(threads);
	// No picture comes twice, so the cache would only hold memory.
	sharp.cache(false);
	sharp.block({ operation: ['VipsForeignLoad'] });
	sharp.unblock({ operation: allowedLoaders });
}

/*
 * Damaged pictures are decided here and nowhere else. The rule: a picture is refused when data is missing or contradicts
 * itself, and accepted when only something beside the pixels is odd.
 *
 * - `failOn: 'error'` refuses whatever ends early, and PNGs and GIFs whose checks fail. It lets pass what libraries only
 *   warn about, such as a useless colour profile or a wrong checksum on a text chunk.
 * - For JPEG it isn't enough: libjpeg repairs a hole in the data by guessing and calls it a warning. So JPEGs are decoded
 *   with `failOn: 'warning'`, and once more with `'error'` when the warning was one of those that cameras and phones are
 *   known to cause in pictures that are whole.
 * - Damage that leaves valid codes behind (a few flipped bits in a JPEG or WebP) can't be seen by any decoder.
 */
const harmlessJpegWarnings =
	/extraneous bytes before marker|Invalid SOS parameters|Inconsistent progression sequence|Unknown Adobe color transform|JFIF major revision|bad ICC marker|Invalid (Exif|crop)/i;

/** Every limit of sharp, on purpose. Pixels are limited by us, from the header, in words that a person understands. */
function inputOptions(failOn: 'error' | 'warning', limitInputPixels: number): SharpOptions {
	return {
		failOn,
		limitInputPixels,
		// Five: cyan, magenta, yellow, black and alpha.
		limitInputChannels: 5,
		// Keeps the libraries' own limits: scans of a progressive JPEG, chunks of a PNG, tiles of an AVIF.
		unlimited: false,
		pages: 1,
		sequentialRead: true,
		autoOrient: true,
		ignoreIcc: false,
	};
}

/**
 * Reads the header and checks it. Milliseconds and next to no memory, whatever the header declares.
 *
 * @throws PicpipeError of class `unsupported`, `corrupt` or `limit`
 */
export async function inspect(file: Buffer, limits: PictureLimits): Promise<Inspected> {
	const format = sniffFormat(file);
	if (!format) {
		throw new PicpipeError(
			'unsupported-type',
			`Expected a picture of type ${inputFormats.join(', ')} but received something else.`,
			{ step: 'inspect' },
		);
	}
	if (format === 'png') refuseHugePng(file, limits);
	const metadata = await readHeader(file);
	const { width, height } = metadata.autoOrient;
	const frames = metadata.pages ?? 1;
	if (!width || !height) throw corrupt('The picture has no width or no height.', 'inspect');
	checkLimits({ width, height, frames, decoded: decodedFrames(format, frames) }, limits);
	return {
		facts: {
			format,
			width,
			height,
			frames,
			alpha: metadata.hasAlpha,
			orientation: metadata.orientation ?? 1,
			colourSpace: metadata.space,
		},
		megapixels: (width * height) / 1e6,
		format,
		isDeepWithProfile: metadata.depth === 'ushort' && metadata.space === 'rgb16' && metadata.hasProfile,
		exif: metadata.exif,
	};
}

async function readHeader(file: Buffer): Promise<Metadata> {
	try {
		// No limit on pixels: nothing is decoded, and our own limits say it better.
		return await sharp(file, inputOptions('error', 0)).metadata();
	} catch (error) {
		throw classify(error, 'inspect', 'inspect');
	}
}

/** libpng calls sizes near 2³¹ an error without saying which; the header's place is fixed (PNG 1.2, 4.1.1). */
function refuseHugePng(file: Buffer, limits: PictureLimits): void {
	if (file.length < 24) return;
	const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
	if (file.toString('latin1', 12, 16) === 'IHDR') checkLimits({ width, height, frames: 1, decoded: 1 }, limits);
}

/** Of a document with many pages only the first is decoded; the frames of an animation belong together. */
function decodedFrames(format: InputFormat, frames: number): number {
	return format === 'tiff' ? 1 : frames;
}

interface Declared {
	readonly width: number;
	readonly height: number;
	/** Frames or pages in the file. */
	readonly frames: number;
	/** Of which so many are decoded. */
	readonly decoded: number;
}

function checkLimits({ width, height, frames, decoded }: Declared, limits: PictureLimits): void {
	const refuse = (code: 'too-many-frames' | 'too-wide-or-high' | 'too-many-pixels', detail: string) => {
		throw new PicpipeError(code, detail, { step: 'inspect' });
	};
	if (frames > limits.maxFrames) {
		refuse('too-many-frames', `Expected at most ${limits.maxFrames} frames but received ${frames}.`);
	}
	if (Math.max(width, height) > limits.maxDimension) {
		refuse(
			'too-wide-or-high',
			`Expected at most ${limits.maxDimension} pixels of width and height but received ${width} × ${height}.`,
		);
	}
	if (width * height * decoded > limits.maxMegapixels * 1e6) {
		const received = `${width} × ${height}${decoded > 1 ? ` × ${decoded} frames` : ''}`;
		refuse('too-many-pixels', `Expected at most ${limits.maxMegapixels} million pixels but received ${received}.`);
	}
}

/**
 * Decodes the whole picture, scaled to a size: upright, in sRGB, without metadata. Decoders that can shrink while they
 * load do so.
 *
 * @throws PicpipeError of class `corrupt`, `unsupported` or `limit`
 */
export async function decode(file: Buffer, picture: Inspected, scaling: Scaling): Promise<Pixels> {
	if (picture.format !== 'jpeg') return decodeOnce(file, picture, scaling, 'error');
	try {
		return await decodeOnce(file, picture, scaling, 'warning');
	} catch (error) {
		const cause = error instanceof PicpipeError ? error.cause : undefined;
		if (!(cause instanceof Error) || !harmlessJpegWarnings.test(cause.message)) throw error;
		return decodeOnce(file, picture, scaling, 'error');
	}
}

async function decodeOnce(
	file: Buffer,
	picture: Inspected,
	{ width, height, kernel }: Scaling,
	failOn: 'error' | 'warning',
): Promise<Pixels> {
	try {
		const { facts } = picture;
		let image = sharp(file, inputOptions(failOn, facts.width * facts.height));
		image = image.resize({ width, height, fit: 'fill', kernel });
		// sharp leaves the pixels of such pictures in P3 unless it is told where they shall end.
		if (picture.isDeepWithProfile) image = image.withIccProfile('srgb');
		const { data, info } = await image.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
		return { data, width: info.width, height: info.height, channels: info.channels === 4 ? 4 : 3 };
	} catch (error) {
		throw classify(error, 'decode', 'decode');
	}
}

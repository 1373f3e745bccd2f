import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import type { ColourOption } from '../domain/output.ts';
import type { Facts } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import type { Scaling } from '../operations/operation.ts';
import { classify, corrupt, endsEarly } from './classify.ts';
import { endsWithinBlock } from './gif.ts';
import { decodeHeic, heicWeight, refuseCutHeic } from './heic.ts';
import { type Animation, isOpaque, onFrames, open, type Pixels, scaled, toPixels } from './pixels.ts';
import { rgbProfile, withProfile } from './profile.ts';
import { type InputFormat, inputFormats, sniffFormat } from './sniff.ts';

/** What a picture may be; checked against its header before a pixel is decoded. */
export interface PictureLimits {
	/** Million pixels: width × height × frames. */
	readonly maxMegapixels: number;
	/** Pixels. */
	readonly maxDimension: number;
	readonly maxFrames: number;
}

/** A picture whose header was read and is within the limits. */
export interface Inspected {
	readonly facts: Facts;
	/** Pixels that will be decoded, in millions: what it costs in memory. */
	readonly megapixels: number;
	readonly format: InputFormat;
	/** 16 bits a channel and an embedded colour profile: sharp converts those through P3. */
	readonly isDeepWithProfile: boolean;
	/** Absent for what has a single frame, and for collections, of which the first picture is taken. */
	readonly animation?: Animation | undefined;
	/** The EXIF block as it stands in the file. */
	readonly exif?: Buffer | undefined;
	/** The XMP packet as it stands in the file. */
	readonly xmp?: Buffer | undefined;
	/** Its own RGB profile; the colours of animations are always converted. */
	readonly profile?: Buffer | undefined;
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
	if (format === 'gif' && endsWithinBlock(file)) throw corrupt(endsEarly, 'inspect');
	if (format === 'heic') refuseCutHeic(file);
	const metadata = await readHeader(file);
	// The decoder of HEIC turns pictures as the file's own boxes say, and so does the header; EXIF has no say (ISO 23008-12, 6.5.10).
	const { width, height } = format === 'heic' ? metadata : metadata.autoOrient;
	const frames = metadata.pages ?? 1;
	if (!width || !height) throw corrupt('The picture has no width or no height.', 'inspect');
	const animation = animationOf(format, metadata);
	const decoded = animation?.delay.length ?? 1;
	checkLimits({ width, height, frames, decoded }, limits);
	return {
		facts: {
			format,
			width,
			height,
			frames,
			alpha: metadata.hasAlpha,
			orientation: format === 'heic' ? 1 : (metadata.orientation ?? 1),
			colourSpace: metadata.space,
		},
		megapixels: (width * height * decoded * (format === 'heic' ? heicWeight : 1)) / 1e6,
		format,
		isDeepWithProfile: metadata.depth === 'ushort' && metadata.space === 'rgb16' && metadata.hasProfile,
		exif: metadata.exif,
		xmp: metadata.xmp,
		profile: animation ? undefined : rgbProfile(metadata.icc, metadata.space),
		animation,
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

/** Milliseconds that a frame is shown of which the file doesn't say it: what browsers take. */
const usualDelay = 100;

/** The pages of a TIFF and the pictures of an AVIF are no animation: only the first is decoded. */
function animationOf(format: InputFormat, { pages = 1, delay, loop = 0 }: Metadata): Animation | undefined {
	if (pages < 2 || (format !== 'gif' && format !== 'webp')) return undefined;
	return { delay: Array.from({ length: pages }, (_, index) => delay?.[index] ?? usualDelay), loop };
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
 * load do so. Of an animation it is the first frame.
 *
 * @param colour the colours that the pixels' numbers shall mean, if the picture has a profile of its own
 * @throws PicpipeError of class `corrupt`, `unsupported` or `limit`
 */
export async function decode(
	file: Buffer,
	picture: Inspected,
	scaling: Scaling,
	colour: ColourOption = 'srgb',
): Promise<Pixels> {
	if (picture.format === 'heic') return decodeFromHeic(file, picture, scaling, colour);
	const once = (failOn: 'error' | 'warning') => decodeOnce(file, picture, scaling, { failOn, colour });
	if (picture.format !== 'jpeg') return once('error');
	try {
		return await once('warning');
	} catch (error) {
		const cause = error instanceof PicpipeError ? error.cause : undefined;
		if (!(cause instanceof Error) || !harmlessJpegWarnings.test(cause.message)) throw error;
		return once('error');
	}
}

async function decodeFromHeic(file: Buffer, picture: Inspected, scaling: Scaling, colour: ColourOption) {
	const decoded = await decodeHeic(file, picture.facts);
	const pixels = picture.facts.alpha ? decoded : await toPixels(open(decoded).removeAlpha());
	if (!picture.profile) return scaled(pixels, scaling);
	return decodeOnce(withProfile(pixels, picture.profile), picture, scaling, { failOn: 'error', colour });
}

async function decodeOnce(
	file: Buffer,
	picture: Inspected,
	{ width, height, kernel }: Scaling,
	{ failOn, colour }: { readonly failOn: 'error' | 'warning'; readonly colour: ColourOption },
): Promise<Pixels> {
	try {
		const { facts, profile } = picture;
		const isConverted = profile === undefined || colour === 'srgb';
		const options = { ...inputOptions(failOn, facts.width * facts.height), ignoreIcc: !isConverted };
		let image = sharp(file, options).resize({ width, height, fit: 'fill', kernel });
		if (!isConverted) return colour === 'p3' ? await inDisplayP3(image, profile) : await toPixels(image);
		// sharp leaves the pixels of such pictures in P3 unless it is told where they shall end.
		if (picture.isDeepWithProfile) image = image.withIccProfile('srgb');
		return await toPixels(image.toColourspace('srgb'));
	} catch (error) {
		throw classify(error, 'decode', 'decode');
	}
}

/** From the original's own numbers, with 16 bits on the way: through sRGB, colours beyond it would be lost. */
async function inDisplayP3(image: Sharp, profile: Buffer): Promise<Pixels> {
	const deep = image.toColourspace('rgb16').raw({ depth: 'ushort' });
	const { data, info } = await deep.toBuffer({ resolveWithObject: true });
	const channels = info.channels === 4 ? 4 : 3;
	const { width, height } = info;
	const file = withProfile({ data, width, height, channels }, profile, 16);
	return toPixels(sharp(file, { limitInputPixels: width * height }).withIccProfile('p3'));
}

/**
 * Decodes every frame of an animation, scaled to a size.
 *
 * @throws PicpipeError of class `corrupt`, `unsupported` or `limit`
 */
export async function decodeFrames(file: Buffer, picture: Inspected, scaling: Scaling): Promise<Pixels> {
	const { facts, animation } = picture;
	if (!animation) return decode(file, picture, scaling);
	try {
		const options = inputOptions('error', facts.width * facts.height * animation.delay.length);
		// sharp turns no picture of several pages, so each frame is turned by itself.
		const image = sharp(file, { ...options, pages: -1, autoOrient: false }).toColourspace('srgb');
		const decoded = await toPixels(image, animation);
		// Decoders of animations always give alpha, which steps would carry along.
		const frames = isOpaque(decoded) ? await toPixels(open(decoded).removeAlpha(), animation) : decoded;
		const upright =
			facts.orientation === 1 ? frames : await onFrames(frames, (frame) => turn(frame, facts.orientation));
		const isScaled = upright.width !== scaling.width || upright.height !== scaling.height;
		return isScaled ? await scaled(upright, scaling) : upright;
	} catch (error) {
		throw classify(error, 'decode', 'decode');
	}
}

/** What has to be done to pixels of each EXIF orientation (EXIF 2.32, 4.6.4.A); sharp mirrors before it rotates. */
const turns: Readonly<Record<number, { readonly isMirrored: boolean; readonly angle: number }>> = {
	2: { isMirrored: true, angle: 0 },
	3: { isMirrored: false, angle: 180 },
	4: { isMirrored: true, angle: 180 },
	5: { isMirrored: true, angle: 270 },
	6: { isMirrored: false, angle: 90 },
	7: { isMirrored: true, angle: 90 },
	8: { isMirrored: false, angle: 270 },
};

async function turn(frame: Pixels, orientation: number): Promise<Pixels> {
	const { isMirrored = false, angle = 0 } = turns[orientation] ?? {};
	return toPixels(open(frame).flop(isMirrored).rotate(angle));
}

import sharp, { type Sharp } from 'sharp';
import type { ColourOption } from '../../domain/output.ts';
import { PicpipeError } from '../../errors.ts';
import type { Asset, Scaling, Size } from '../../operations/operation.ts';
import { mappedToSrgb } from '../colour/hdr.ts';
import { convertedToSrgb } from '../colour/matrix-profile.ts';
import { deepToSrgb, inDisplayP3, tiffWithProfile } from '../colour/profile.ts';
import { fromPlainCmyk, meaningOf, toSrgb } from '../colour/srgb.ts';
import { classifyError } from '../inspect/classify-error.ts';
import { decodeHeic, explainHeif, readingOfHeif } from '../inspect/heic.ts';
import { type Inspected, pageOptions } from '../inspect/inspect.ts';
import { inputOptions } from '../inspect/sharp-input.ts';
import { svgOptions } from '../inspect/svg.ts';
import { readPage, type TiffPage, withOnlyPage } from '../inspect/tiff-page.ts';
import { withExifFirst } from '../metadata/exif-block.ts';
import {
	type Animation,
	type DeepPixels,
	isOpaque,
	onFrames,
	open,
	type Pixels,
	scaled,
	toDeepPixels,
	toPixels,
	undoPremultiplied,
} from '../pixels/pixels.ts';
import { decodeJpeg, noteWarnings } from './decode-jpeg.ts';
import { readableTiff } from './tiff-samples.ts';

/*
 * The only place that decides whether a picture is damaged. A picture is refused if data is missing or contradictory, and accepted if
 * only data beside the pixels is odd.
 *
 * - `failOn: 'error'` refuses files that end early, and PNGs and GIFs whose checks fail. It accepts what libraries only
 *   warn about, such as an invalid colour profile or a wrong checksum of a text chunk.
 * - That is not enough for JPEG: libjpeg fills a hole in the data by guessing and only warns. So JPEGs are decoded with
 *   `failOn: 'warning'`. If the warning may be about something beside the picture data, its cause is removed from a copy, which is decoded
 *   with `'warning'` again, so that damage behind it still counts (`decode-jpeg.ts`).
 * - Damage that leaves valid codes behind (a few flipped bits in a JPEG or WebP) cannot be detected by any decoder.
 */

/**
 * Decodes the whole picture, scaled to a size: upright, in sRGB, without metadata. Decoders shrink on load if they can. Of an
 * animation it decodes the first frame.
 *
 * @param colour colour space of the result, if the picture has its own profile
 * @throws PicpipeError of class `corrupt`, `unsupported` or `limit`
 */
export async function decode(
	file: Buffer,
	picture: Inspected,
	scaling: Scaling,
	colour: ColourOption = 'srgb',
): Promise<Pixels> {
	if (picture.refusal) throw picture.refusal;
	try {
		return await decodePage(file, picture, scaling, colour);
	} catch (error) {
		const isUnsupported = error instanceof PicpipeError && error.code === 'unsupported-feature';
		const page = isUnsupported && picture.pages > 1 && !picture.oddTiff ? readPage(file, picture.page) : undefined;
		if (!page) throw error;
		// libvips goes through all directories, and fails with any page if libtiff lacks the compression of another.
		return decodePage(withOnlyPage(file, page), { ...picture, page: 1 }, scaling, colour);
	}
}

async function decodePage(file: Buffer, picture: Inspected, scaling: Scaling, colour: ColourOption): Promise<Pixels> {
	if (picture.format === 'heic' || picture.isPremultiplied) return decodeWhole(file, picture, scaling, colour);
	if (picture.oddTiff) return decodeOddTiff(file, { ...picture, oddTiff: picture.oddTiff }, scaling, colour);
	const once = (bytes: Buffer, failOn: FailOn, onWarning?: Reading['onWarning']) =>
		decodeOnce(bytes, picture, scaling, { failOn, onWarning, colour });
	return picture.format === 'jpeg' ? decodeJpeg(file, picture, once) : once(file, 'error');
}

type FailOn = 'error' | 'warning';

/** How a file is read. */
interface Reading {
	readonly failOn: FailOn;
	/** Called with every warning that did not make it fail. */
	readonly onWarning?: ((warning: string) => void) | undefined;
}

/** Decodes every pixel as stored, and scales and converts them afterwards. */
async function decodeWhole(file: Buffer, picture: Inspected, scaling: Scaling, colour: ColourOption): Promise<Pixels> {
	const { facts, profile, byMatrix, hdr, isPremultiplied } = picture;
	const stored = facts.format === 'heic' ? await decodeHeic(file, facts) : await storedPixels(file, picture);
	if (isPremultiplied) undoPremultiplied(stored);
	const pixels = facts.alpha ? stored : await toPixels(open(stored).removeAlpha());
	if (hdr) return mappedToSrgb(await scaled(pixels, scaling), 255, hdr);
	if (!profile) return scaled(pixels, scaling);
	if (colour === 'srgb' && byMatrix) return convertedToSrgb(await scaled(pixels, scaling), 255, byMatrix);
	const meaning = await meaningOf(profile);
	if (colour === 'srgb') return toSrgb(await scaled(pixels, scaling), profile, meaning);
	return decodeOnce(tiffWithProfile(pixels, profile), { ...picture, meaning }, scaling, { failOn: 'error', colour });
}

async function storedPixels(file: Buffer, picture: Inspected): Promise<Pixels> {
	try {
		return await toPixels(openOriginal(file, picture, { failOn: 'error', ignoreIcc: true }).toColourspace('srgb'));
	} catch (error) {
		throw explainHeif(classifyError(error, 'decode', 'decode'), file);
	}
}

async function decodeOddTiff(
	file: Buffer,
	picture: Inspected & { readonly oddTiff: TiffPage },
	scaling: Scaling,
	colour: ColourOption,
) {
	try {
		const readable = readableTiff(file, picture.oddTiff);
		// It has no other page.
		return await decodeOnce(readable, { ...picture, page: 1 }, scaling, { failOn: 'error', colour });
	} catch (error) {
		throw classifyError(error, 'decode', 'decode');
	}
}

async function decodeOnce(
	file: Buffer,
	picture: Inspected,
	{ width, height, kernel }: Scaling,
	{ failOn, onWarning, colour }: Reading & { readonly colour: ColourOption },
): Promise<Pixels> {
	try {
		const { profile, meaning, hdr, byMatrix, isDeepWithProfile, isPlainCmyk } = picture;
		const isOwn = profile !== undefined && colour !== 'srgb';
		const isBySharp = !isOwn && !meaning && !hdr && !byMatrix && !isDeepWithProfile;
		const opened = openOriginal(file, picture, { failOn, onWarning, ignoreIcc: !isBySharp });
		const image = opened.resize({ width, height, fit: 'fill', kernel });
		if (hdr) return mappedToSrgb(...(await storedValues(image, picture)), hdr);
		if (isPlainCmyk) return await fromPlainCmyk(image, picture.bits === undefined ? 8 : 16);
		if (isOwn && (colour === 'keep' || meaning === 'display-p3')) return await toPixels(image);
		if (isOwn) return await inDisplayP3(image, profile);
		if (byMatrix) return convertedToSrgb(...(await storedValues(image, picture)), byMatrix);
		if (isDeepWithProfile) return await deepToSrgb(image);
		const pixels = await toPixels(image.toColourspace('srgb'));
		return profile && meaning ? await toSrgb(pixels, profile, meaning) : pixels;
	} catch (error) {
		const classified = classifyError(error, 'decode', 'decode');
		throw picture.format === 'avif' ? explainHeif(classified, file) : classified;
	}
}

/** Values as stored, and the value of full light. */
async function storedValues(image: Sharp, { bits = 8 }: Inspected): Promise<readonly [DeepPixels | Pixels, number]> {
	if (bits <= 8) return [await toPixels(image.toColourspace('srgb')), 255];
	// Decoders shift values of 10 and 12 bits to the left.
	return [await toDeepPixels(image.toColourspace('rgb16')), (2 ** bits - 1) * 2 ** (16 - bits)];
}

/** A pipeline that begins with the file. */
function openOriginal(
	file: Buffer,
	{ facts, drawing, page, hasLateExif, isAsStored = false }: Inspected,
	{ failOn, onWarning, ignoreIcc }: Reading & { readonly ignoreIcc: boolean },
): Sharp {
	const heif = facts.format === 'avif' ? readingOfHeif(file) : undefined;
	const options = {
		...inputOptions(failOn, facts.width * facts.height),
		...heif?.options,
		autoOrient: !isAsStored,
		ignoreIcc,
		...(drawing ? svgOptions : pageOptions(page)),
	};
	const bytes = drawing?.document ?? heif?.bytes ?? (hasLateExif ? withExifFirst(file) : undefined);
	// A drawing is not scaled but rasterised at the requested size.
	const image = sharp(bytes ?? file, options);
	return onWarning ? image.on('warning', onWarning) : image;
}

/**
 * A pipeline that begins with a photograph in sRGB, for the caller to continue. Irregularities of the file make it fail, or are known once it has run.
 */
export function openPhotograph(file: Buffer, picture: Inspected): { image: Sharp; isSuspicious: () => boolean } {
	const { note, isRaised } = noteWarnings();
	const reading = { failOn: 'warning', onWarning: note, ignoreIcc: picture.meaning === 'srgb' } as const;
	return { image: openOriginal(file, picture, reading).toColourspace('srgb'), isSuspicious: isRaised };
}

/**
 * Decodes every frame of an animation, scaled to a size; a few at a time if they are too large to be in memory together.
 *
 * @throws PicpipeError of class `corrupt`, `unsupported` or `limit`
 */
export async function decodeFrames(file: Buffer, picture: Inspected, scaling: Scaling): Promise<Pixels> {
	const { animation, reading } = picture;
	if (!animation) return decode(file, picture, scaling);
	const { delay } = animation;
	const { framesAtOnce = delay.length } = reading ?? {};
	try {
		if (framesAtOnce >= delay.length) return await readFrames(file, picture, { scaling, from: 0, count: delay.length });
		const parts: Pixels[] = [];
		for (let from = 0; from < delay.length; from += framesAtOnce) {
			const count = Math.min(framesAtOnce, delay.length - from);
			parts.push(await readFrames(file, picture, { scaling, from, count }));
		}
		return await joinFrames(parts, animation);
	} catch (error) {
		throw classifyError(error, 'decode', 'decode');
	}
}

/** @param from the first of the frames, counted from 0 */
async function readFrames(
	file: Buffer,
	{ facts, animation }: Inspected,
	{ scaling, from, count }: { readonly scaling: Scaling; readonly from: number; readonly count: number },
): Promise<Pixels> {
	const options = { ...inputOptions('error', facts.width * facts.height * count), page: from, pages: count };
	// sharp does not rotate pictures of several pages, so each frame is rotated separately.
	const image = sharp(file, { ...options, autoOrient: false }).toColourspace('srgb');
	const { delay = [], loop = 0 } = animation ?? {};
	const timing = { delay: delay.slice(from, from + count), loop };
	const decoded = await toPixels(image, timing);
	// Decoders of animations always return alpha, which every step would have to process.
	const frames = isOpaque(decoded) ? await toPixels(open(decoded).removeAlpha(), timing) : decoded;
	const upright =
		facts.orientation === 1 ? frames : await onFrames(frames, (frame) => rotate(frame, facts.orientation));
	const isScaled = upright.width !== scaling.width || upright.height !== scaling.height;
	return isScaled ? scaled(upright, scaling) : upright;
}

/** Frames that were read one part after the other. A transparent pixel in any of them gives all of them alpha. */
async function joinFrames(parts: readonly Pixels[], animation: Animation): Promise<Pixels> {
	const hasAlpha = parts.some(({ channels }) => channels === 4);
	const alike: Pixels[] = [];
	for (const part of parts) {
		const isBare = hasAlpha && part.channels === 3;
		alike.push(isBare ? await toPixels(open(part).ensureAlpha(), part.animation) : part);
	}
	const [first] = alike;
	if (!first) throw new TypeError('Expected an animation with a frame.');
	return { ...first, data: Buffer.concat(alike.map(({ data }) => data)), animation };
}

/** Mirroring and rotation for each EXIF orientation (EXIF 2.32, 4.6.4.A); sharp mirrors before it rotates. */
const rotations: Readonly<Record<number, { readonly isMirrored: boolean; readonly angle: number }>> = {
	2: { isMirrored: true, angle: 0 },
	3: { isMirrored: false, angle: 180 },
	4: { isMirrored: true, angle: 180 },
	5: { isMirrored: true, angle: 270 },
	6: { isMirrored: false, angle: 90 },
	7: { isMirrored: true, angle: 90 },
	8: { isMirrored: false, angle: 270 },
};

async function rotate(frame: Pixels, orientation: number): Promise<Pixels> {
	const { isMirrored = false, angle = 0 } = rotations[orientation] ?? {};
	return toPixels(open(frame).flop(isMirrored).rotate(angle));
}

/** Larger side in pixels at which a vector logo is rasterised: a quarter of a picture of 4,000 pixels, in 4 MB. */
const rasterSide = 1_024;

/** The raster size of a vector logo, which operations scale anyway. */
function rasterisedAsset({ width, height }: Size): Size {
	const scale = rasterSide / Math.max(width, height);
	return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

/**
 * Decodes a picture that operations lay over others, such as a logo. The whole picture is decoded like an original: upright and in sRGB.
 *
 * @param picture the result of `inspect`, within the limits
 * @throws PicpipeError of class `corrupt`, `unsupported` or `limit`
 */
export async function decodeAsset(file: Buffer, picture: Inspected): Promise<Asset> {
	const { width, height } = picture.drawing ? rasterisedAsset(picture.facts) : picture.facts;
	const pixels = await decode(file, picture, { width, height, kernel: 'lanczos3' });
	if (pixels.channels === 4) return { data: pixels.data, width, height };
	return { data: await open(pixels).ensureAlpha().raw().toBuffer(), width, height };
}

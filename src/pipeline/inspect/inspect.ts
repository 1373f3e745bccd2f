import type { SharpOptions } from 'sharp';
import type { Facts } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { storedSize } from '../../operations/geometry.ts';
import type { HdrDescription } from '../colour/description.ts';
import { describedProfile, type MatrixProfile, readMatrixProfile } from '../colour/matrix-profile.ts';
import { greyProfile, rgbProfile } from '../colour/profile.ts';
import { type ColourMeaning, meaningOf } from '../colour/srgb.ts';
import { readGifBlocks } from '../encoders/gif.ts';
import { withExifFirst } from '../metadata/exif-block.ts';
import type { Animation } from '../pixels/pixels.ts';
import { corrupt, endsEarly } from './classify-error.ts';
import { describedColours } from './described-colours.ts';
import { explainHeif, heicWeight, readingOfHeif, refuseCutHeic } from './heic.ts';
import { type Header, hasGainMap, jfifDensity, readJpegHeader, refuseUnreadKinds } from './jpeg-header.ts';
import { checkLimits, type FrameReading, frameReading, type PictureLimits, svgSetting } from './limits.ts';
import { endsInZeros } from './mend-jpeg.ts';
import { readHeader } from './sharp-input.ts';
import { type InputFormat, inputFormats, sniffFormat } from './sniff.ts';
import { type Drawing, drawnSize, readSvg, svgOptions } from './svg.ts';
import { oddTiffWeight, readOddTiff } from './tiff.ts';
import type { TiffPage } from './tiff-page.ts';

/** A picture whose header is within the limits. */
export interface Inspected {
	readonly facts: Facts;
	/** Pixels to decode at once, in millions: the cost in memory. */
	readonly megapixels: number;
	readonly format: InputFormat;
	/** The page that this describes, counted from 1. */
	readonly page: number;
	/** Pages that a recipe can choose from; 1 if the format has none. */
	readonly pages: number;
	/** Conversion to sRGB of 16 bits per channel, and of 8 bits of a description. The other profiles are for lcms. */
	readonly byMatrix?: MatrixProfile | undefined;
	/** 16 bits per channel and a profile for lcms: sharp would convert these with 8 bits. */
	readonly isDeepWithProfile?: boolean;
	/** CMYK without a profile. */
	readonly isPlainCmyk?: boolean;
	/** Red, green and blue are multiplied with alpha. */
	readonly isPremultiplied?: boolean;
	/** Absent for a single frame, and for collections, of which the first picture is used. */
	readonly animation?: Animation | undefined;
	/** How the frames of the animation are decoded; absent for a single frame. */
	readonly reading?: FrameReading | undefined;
	/** The EXIF block as stored in the file. */
	readonly exif?: Buffer | undefined;
	/** The XMP packet as stored in the file. */
	readonly xmp?: Buffer | undefined;
	/** Pixels per inch as the format itself says it, without EXIF. */
	readonly density?: number | undefined;
	/** The picture's own RGB profile, or one made of the file's description; animations are always converted. */
	readonly profile?: Buffer | undefined;
	/** Colours of high dynamic range, which have no profile. */
	readonly hdr?: HdrDescription | undefined;
	/** Bits per channel, if more than 8. */
	readonly bits?: number | undefined;
	/** The colour space that the profile is equivalent to, for 8 bits per channel. */
	readonly meaning?: ColourMeaning | undefined;
	/** The picture stays as stored, without rotation by EXIF, and all properties describe it that way. */
	readonly isAsStored?: boolean;
	/** The checked SVG, which is drawn instead of the file. */
	readonly drawing?: Drawing | undefined;
	/** The EXIF of a PNG stands behind its pixels. */
	readonly hasLateExif?: boolean;
	/** A page of a TIFF that has to be converted before it can be decoded. */
	readonly oddTiff?: TiffPage | undefined;
	/** Why this page of a TIFF cannot be decoded, although others may be. */
	readonly refusal?: PicpipeError;
}

/**
 * Reads and checks the header, in milliseconds and with little memory, whatever the header declares.
 *
 * @throws PicpipeError of class `unsupported`, `corrupt` or `limit`
 */
export async function inspect(file: Buffer, limits: PictureLimits): Promise<Inspected> {
	const format = sniffFormat(file);
	if (format === 'svg' && limits.svg) return inspectSvg(file, { ...limits, svg: limits.svg });
	if (!format || format === 'svg') {
		const received = format ? `an SVG, which requires ${svgSetting} to be true` : 'something else';
		throw new PicpipeError(
			'unsupported-type',
			`Expected a picture of type ${inputFormats.join(', ')} but received ${received}.`,
			{ step: 'inspect' },
		);
	}
	if (format === 'png') checkPng(file, limits);
	// libnsgif accepts the frames before the end, which would turn a truncated file into an animation with a broken or missing end. A
	// missing trailer or data after it is no damage.
	if (format === 'gif' && readGifBlocks(file).isCut) throw corrupt(endsEarly, 'inspect');
	if (format === 'jpeg' && endsInZeros(file)) throw corrupt(endsEarly, 'inspect');
	if (format === 'heic') refuseCutHeic(file);
	return inspectPage(file, format, 1, limits);
}

/**
 * Inspects another page of a picture. Each page has its own size and colours.
 *
 * @param page counted from 1
 * @throws PicpipeError `no-such-page`; otherwise as `inspect`
 */
export async function inspectFurther(
	file: Buffer,
	{ format, pages }: Inspected,
	page: number,
	limits: PictureLimits,
): Promise<Inspected> {
	if (page > pages) {
		const has = pages === 1 ? 'a single one' : `${pages}`;
		throw new PicpipeError('no-such-page', `Expected a picture with page ${page}, but this ${format} has ${has}.`, {
			step: 'inspect',
		});
	}
	return inspectPage(file, format, page, limits);
}

async function inspectPage(file: Buffer, format: InputFormat, page: number, limits: PictureLimits): Promise<Inspected> {
	const oddTiff = format === 'tiff' ? readOddTiff(file, page) : undefined;
	const usual = format === 'jpeg' ? readJpegHeader(file) : undefined;
	if (format === 'jpeg' && !usual) refuseUnreadKinds(file);
	const reordered = format === 'png' ? withExifFirst(file) : undefined;
	const isHeif = format === 'avif' || format === 'heic';
	const metadata =
		oddTiff?.header ??
		usual ??
		(isHeif ? await readHeifHeader(file) : await readHeader(reordered ?? file, pageOptions(page)));
	// HEIC is rotated by the file's own boxes, in the header and in the decoder; EXIF does not count (ISO 23008-12, 6.5.10).
	const { width, height } = format === 'heic' ? metadata : metadata.autoOrient;
	const frames = metadata.pages ?? 1;
	if (!width || !height) throw corrupt('The picture has no width or no height.', 'inspect');
	const animation = animationOf(format, metadata);
	const reading = animation && frameReading({ width, height, frames: animation.delay.length }, true, limits);
	const decoded = reading?.framesAtOnce ?? 1;
	checkLimits({ width, height, frames, decoded }, limits);
	const weight = oddTiff ? oddTiffWeight : format === 'heic' ? heicWeight : 1;
	const refusal = oddTiff?.refusal;
	const colours = animation || refusal ? {} : await coloursOf(file, format, metadata);
	return {
		facts: {
			format,
			width,
			height,
			frames,
			alpha: metadata.hasAlpha,
			orientation: format === 'heic' ? 1 : (metadata.orientation ?? 1),
			colourSpace: metadata.space,
			...(format === 'jpeg' && !usual && hasGainMap(file) && { gainMap: true }),
		},
		megapixels: (width * height * decoded * weight) / 1e6,
		format,
		page,
		pages: format === 'tiff' ? frames : 1,
		exif: metadata.exif,
		xmp: metadata.xmp,
		density: format === 'jpeg' ? jfifDensity(file) : metadata.density,
		...colours,
		animation,
		...(reordered && { hasLateExif: true }),
		oddTiff: oddTiff?.page,
		...(refusal && { refusal }),
		reading,
	};
}

async function readHeifHeader(file: Buffer): Promise<Header> {
	const { bytes, options } = readingOfHeif(file);
	try {
		return await readHeader(bytes, options);
	} catch (error) {
		throw explainHeif(error, file);
	}
}

type Colours = Pick<
	Inspected,
	'bits' | 'byMatrix' | 'hdr' | 'isDeepWithProfile' | 'isPlainCmyk' | 'isPremultiplied' | 'meaning' | 'profile'
>;

/** What the numbers of a picture mean: by a description, or else by its profile. */
async function coloursOf(file: Buffer, format: InputFormat, metadata: Header): Promise<Colours> {
	const { icc, space, depth, hasProfile } = metadata;
	const bits = depth === 'ushort' ? (metadata.bitsPerSample ?? 16) : undefined;
	const { isSrgb, colours, hdr, isPremultiplied = false } = describedColours(file, format, icc !== undefined);
	if (isSrgb) return { isPremultiplied, meaning: 'srgb' };
	if (hdr) return { isPremultiplied, hdr, bits };
	const made = colours && describedProfile(colours);
	const profile = made ?? rgbProfile(icc, space);
	const isDeep = depth === 'ushort';
	const meaning = profile && !isDeep ? await meaningOf(profile) : undefined;
	const deepProfile = profile ?? (space === 'grey16' ? greyProfile(icc) : undefined);
	const ofMatrix = isDeep ? deepProfile : meaning === 'other' ? made : undefined;
	const byMatrix = ofMatrix && readMatrixProfile(ofMatrix);
	// A damaged profile counts as sRGB, as it does with 8 bits; sharp would take the numbers for Display P3.
	const deepMeaning = isDeep && space === 'rgb16' && icc && !byMatrix ? await meaningOf(icc) : undefined;
	const isDamaged = deepMeaning === 'srgb';
	return {
		bits,
		byMatrix,
		isDeepWithProfile: deepMeaning !== undefined && !isDamaged,
		isPlainCmyk: space === 'cmyk' && !hasProfile,
		isPremultiplied,
		meaning: isDamaged ? 'srgb' : meaning,
		profile,
	};
}

/** The same picture as stored in the file, without rotation by EXIF. */
export function asStored(picture: Inspected): Inspected {
	const { facts } = picture;
	return { ...picture, isAsStored: true, facts: { ...facts, ...storedSize(facts, facts.orientation), orientation: 1 } };
}

/** sharp's options for a page; sharp counts from 0. */
export function pageOptions(page: number): SharpOptions {
	return page > 1 ? { page: page - 1 } : {};
}

async function inspectSvg(
	file: Buffer,
	limits: PictureLimits & Required<Pick<PictureLimits, 'svg'>>,
): Promise<Inspected> {
	const drawing = await readSvg(file, limits);
	const metadata = await readHeader(drawing.document, svgOptions);
	const { width, height } = drawnSize(metadata);
	checkLimits({ width, height, frames: 1, decoded: 1 }, limits);
	return {
		facts: { format: 'svg', width, height, frames: 1, alpha: true, orientation: 1, colourSpace: 'srgb' },
		megapixels: (width * height) / 1e6 + drawing.megapixels,
		format: 'svg',
		page: 1,
		pages: 1,
		drawing,
	};
}

/**
 * Refuses what libpng reports as an unspecific error: sizes near 2³¹, and the format that Xcode makes of PNGs for iPhones, which no other decoder
 * reads: its first chunk is `CgBI`, its colours are stored blue first and multiplied with alpha, and its data is compressed without a header.
 *
 * @throws PicpipeError `unsupported-feature`, or of class `limit`
 */
function checkPng(file: Buffer, limits: PictureLimits): void {
	if (file.length < 24) return;
	const first = file.toString('latin1', 12, 16);
	if (first === 'CgBI') {
		const message = 'Expected an ordinary PNG but received one that Xcode has optimised for iPhones (CgBI).';
		throw new PicpipeError('unsupported-feature', message, { step: 'inspect' });
	}
	// The place of the header is fixed.
	if (first !== 'IHDR') return;
	checkLimits({ width: file.readUInt32BE(16), height: file.readUInt32BE(20), frames: 1, decoded: 1 }, limits);
}

/** Duration in milliseconds of frames without one, as in browsers. */
const usualDelay = 100;

/** Pages of a TIFF and pictures of an AVIF are no animation: only the first is decoded. */
function animationOf(format: InputFormat, { pages = 1, delay, loop = 0 }: Header): Animation | undefined {
	if (pages < 2 || (format !== 'gif' && format !== 'webp')) return undefined;
	return { delay: Array.from({ length: pages }, (_, index) => delay?.[index] ?? usualDelay), loop };
}

import type { SharpOptions } from 'sharp';
import type { Facts } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { rgbProfile } from '../colour/profile.ts';
import { type ColourMeaning, meaningOf } from '../colour/srgb.ts';
import { storedSize } from '../pixels/orientation.ts';
import type { Animation } from '../pixels/pixels.ts';
import { corrupt, endsEarly } from './classify-error.ts';
import { heicWeight, refuseCutHeic } from './heic.ts';
import { type Header, readJpegHeader } from './jpeg-header.ts';
import { checkLimits, type PictureLimits, svgSetting } from './limits.ts';
import { readHeader } from './sharp-input.ts';
import { type InputFormat, inputFormats, sniffFormat } from './sniff.ts';
import { type Drawing, drawnSize, readSvg, svgOptions } from './svg.ts';

/** A picture whose header was read and is within the limits. */
export interface Inspected {
	readonly facts: Facts;
	/** Pixels that will be decoded, in millions: what it costs in memory. */
	readonly megapixels: number;
	readonly format: InputFormat;
	/** The page that all of this is about, counted from 1. */
	readonly page: number;
	/** Pages that a recipe can choose from; 1 where the format has none. */
	readonly pages: number;
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
	/** What the profile's numbers mean, whatever it is called, where they have 8 bits a channel. */
	readonly meaning?: ColourMeaning | undefined;
	/** It is not to be turned as its EXIF says, and all of this is about how it lies in the file. */
	readonly isAsStored?: boolean;
	/** Of an SVG: what may be drawn of it, instead of the file. */
	readonly drawing?: Drawing | undefined;
}

/**
 * Reads the header and checks it. Milliseconds and next to no memory, whatever the header declares.
 *
 * @throws PicpipeError of class `unsupported`, `corrupt` or `limit`
 */
export async function inspect(file: Buffer, limits: PictureLimits): Promise<Inspected> {
	const format = sniffFormat(file);
	if (format === 'svg' && limits.svg) return inspectSvg(file, { ...limits, svg: limits.svg });
	if (!format || format === 'svg') {
		const received = format ? `an SVG, which is taken where ${svgSetting} is true` : 'something else';
		throw new PicpipeError(
			'unsupported-type',
			`Expected a picture of type ${inputFormats.join(', ')} but received ${received}.`,
			{ step: 'inspect' },
		);
	}
	if (format === 'png') refuseHugePng(file, limits);
	if (format === 'gif' && endsWithinGifBlock(file)) throw corrupt(endsEarly, 'inspect');
	if (format === 'heic') refuseCutHeic(file);
	return inspectPage(file, format, 1, limits);
}

/**
 * Another page of a picture that has pages. Each has a size and colours of its own.
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
	const metadata = (format === 'jpeg' && readJpegHeader(file)) || (await readHeader(file, pageOptions(page)));
	// The decoder of HEIC turns pictures as the file's own boxes say, and so does the header; EXIF has no say (ISO 23008-12, 6.5.10).
	const { width, height } = format === 'heic' ? metadata : metadata.autoOrient;
	const frames = metadata.pages ?? 1;
	if (!width || !height) throw corrupt('The picture has no width or no height.', 'inspect');
	const animation = animationOf(format, metadata);
	const decoded = animation?.delay.length ?? 1;
	checkLimits({ width, height, frames, decoded }, limits);
	const profile = animation ? undefined : rgbProfile(metadata.icc, metadata.space);
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
		page,
		pages: format === 'tiff' ? frames : 1,
		isDeepWithProfile: metadata.depth === 'ushort' && metadata.space === 'rgb16' && metadata.hasProfile,
		exif: metadata.exif,
		xmp: metadata.xmp,
		profile,
		meaning: profile && metadata.depth === 'uchar' ? await meaningOf(profile) : undefined,
		animation,
	};
}

/** The same picture as it lies in the file, whatever its EXIF says. */
export function asStored(picture: Inspected): Inspected {
	const { facts } = picture;
	return { ...picture, isAsStored: true, facts: { ...facts, ...storedSize(facts, facts.orientation), orientation: 1 } };
}

/** How sharp, which counts from 0, is told of a page. */
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
		isDeepWithProfile: false,
		drawing,
	};
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
function animationOf(format: InputFormat, { pages = 1, delay, loop = 0 }: Header): Animation | undefined {
	if (pages < 2 || (format !== 'gif' && format !== 'webp')) return undefined;
	return { delay: Array.from({ length: pages }, (_, index) => delay?.[index] ?? usualDelay), loop };
}

/** Markers of the blocks of a GIF (GIF89a, appendix A). */
const gifExtension = 0x21;
const gifImage = 0x2c;

/**
 * Does a GIF end within one of its blocks? libnsgif takes the frames that it finds up to there, so that of a file which was cut an
 * animation with a broken or missing end is left. A missing trailer alone is no damage, and neither is what follows it.
 */
function endsWithinGifBlock(file: Buffer): boolean {
	if (file.length < 13) return true;
	let at = 13 + colourTable(file[10] ?? 0);
	for (;;) {
		if (at > file.length) return true;
		const marker = file[at];
		if (marker === gifExtension) at += 2;
		// A descriptor of 10 bytes, colours of its own, and a byte before the data.
		else if (marker === gifImage) at += 11 + colourTable(file[at + 9] ?? 0);
		else return false;
		// Data in pieces, each with its length before it; one of no length ends it.
		for (let length = file[at]; length !== 0; length = file[at]) {
			if (length === undefined) return true;
			at += 1 + length;
		}
		at++;
	}
}

/** Bytes of a table of colours that follows these flags. */
function colourTable(flags: number): number {
	return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

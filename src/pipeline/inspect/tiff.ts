import { PicpipeError } from '../../errors.ts';
import { storedSize } from '../../operations/geometry.ts';
import type { Header } from './jpeg-header.ts';
import { compression, countPages, photometric, readPage, sampleFormat, type TiffPage } from './tiff-page.ts';

/**
 * libvips reads TIFFs of 8 and 16 bits, and of 1, 2 and 4 bits with a single sample. It reads some other kinds as well, but wrongly and without an
 * error: black, noise, or a sample of anything as transparency. Those kinds are told apart here by their directory. `decode/tiff-samples.ts`
 * turns them into a TIFF that libvips reads, and what it cannot read is refused (docs/decisions/0061-odd-tiffs.md).
 */

/** Memory per pixel of a TIFF that is converted relative to others: its own samples, and 16 bits for each. */
export const oddTiffWeight = 3;

/** A page that libvips does not read as it should. */
export interface OddTiff {
	readonly page: TiffPage;
	readonly header: Header;
	/** Why the page cannot be read: `unsupported-feature`. Only the first of several pages has it, because it stands for the picture. */
	readonly refusal?: PicpipeError;
}

/**
 * @param page counted from 1
 * @returns undefined if libvips reads the page, or finds out what is wrong with it
 * @throws PicpipeError `unsupported-feature`
 */
export function readOddTiff(file: Buffer, page: number): OddTiff | undefined {
	const found = readPage(file, page);
	if (!found) return undefined;
	try {
		if (isRight(found)) return undefined;
		return { page: found, header: headerOf(found, countPages(file)) };
	} catch (error) {
		const pages = countPages(file);
		if (page > 1 || pages === 1 || !(error instanceof PicpipeError)) throw error;
		return { page: found, header: { ...headerOf(found, pages), space: storedSpaceOf(found) }, refusal: error };
	}
}

/** Can the page be left to libvips? @throws PicpipeError `unsupported-feature` if it cannot be read at all */
function isRight(page: TiffPage): boolean {
	if (page.photometric === photometric.mask) throw unsupportedTiff('a picture', 'a transparency mask');
	if (page.colours === 0) return true;
	refuseJpeg(page);
	if (page.isMixed) throw unsupportedTiff('samples of one size and type', 'samples that differ');
	if (isPlain(page)) return true;
	if (!isOnePlane(page)) refuseUnreadable(page);
	return false;
}

/** Faxes may say that their only sample has a plane of its own, which libvips reads as black. */
export function isOnePlane(page: TiffPage): boolean {
	return page.samples === 1 && isPlain({ ...page, isPlanar: false });
}

/** Does libvips read it right? Every rule comes from `test/pipeline/odd`. */
function isPlain(page: TiffPage): boolean {
	const { bits, samples, colours, isPlanar } = page;
	const isUnsigned = page.sampleFormat === sampleFormat.uint || page.sampleFormat === sampleFormat.undefined;
	// libvips reads such floats as L*, a* and b* themselves.
	const isFloatLab = page.photometric === photometric.lab && page.sampleFormat === sampleFormat.float && bits === 32;
	const isUsualDepth = bits === 8 || bits === 16 || (samples === 1 && (bits === 1 || bits === 2 || bits === 4));
	const extra = samples - colours;
	// Other planes are taken for the first one.
	if (isPlanar && (page.block.isTile || page.photometric !== photometric.rgb)) return false;
	if (isFloatLab && extra === 0) return true;
	if (!isUnsigned || !isUsualDepth || extra > 1 || (extra === 1 && page.alpha === 'none')) return false;
	if (page.photometric === photometric.lab) return bits === 16 && extra === 0;
	if (page.photometric === photometric.cmyk) return bits === 8 || extra === 0;
	// It converts YCbCr if libjpeg does, or if chroma has fewer samples.
	return page.photometric !== photometric.yCbCr || page.compression === compression.jpeg || isSubsampled(page);
}

function refuseJpeg(page: TiffPage): void {
	if (page.compression === compression.oldJpeg) throw unsupportedTiff('a compression of TIFF 6.0', 'old-style JPEG');
	if (page.compression === compression.jpeg && page.bits !== 8)
		throw unsupportedTiff('8 bits per sample in JPEG compression', `${page.bits}`);
}

const readableCompressions: readonly number[] = [
	compression.none,
	compression.lzw,
	compression.deflate,
	compression.oldDeflate,
	compression.packBits,
];

/** Sizes of floats that can be read. */
const floatBits = [16, 32, 64];
const maximumBits = 64;

function refuseUnreadable(page: TiffPage): void {
	const { bits } = page;
	const isFloat = page.sampleFormat === sampleFormat.float;
	const isWhole = [sampleFormat.uint, sampleFormat.int, sampleFormat.undefined].some(
		(one) => one === page.sampleFormat,
	);
	if (!isFloat && !isWhole) throw unsupportedTiff('integers or floating-point numbers as samples', 'complex numbers');
	if (isFloat ? !floatBits.includes(bits) : bits < 1 || bits > maximumBits)
		throw unsupportedTiff(
			'1 to 64 bits per sample, and 16, 32 or 64 for floating-point numbers',
			`${bits}${isFloat ? ' for floating-point numbers' : ''}`,
		);
	const isLimitedTo = (kind: number, most: number) => page.photometric === kind && (isFloat || bits > most);
	if (isLimitedTo(photometric.palette, 16)) throw unsupportedTiff('at most 16 bits per palette index', `${bits}`);
	if (page.photometric === photometric.lab && (isFloat || (bits !== 8 && bits !== 16)))
		throw unsupportedTiff('8 or 16 bits per sample of Lab', `${bits}`);
	if (page.photometric === photometric.yCbCr && (isFloat || bits !== 8 || isSubsampled(page)))
		throw unsupportedTiff('YCbCr of 8 bits without chroma subsampling in this layout', 'another kind');
	if (page.hasOtherInks) throw unsupportedTiff('CMYK as inks', 'others');
	if (!readableCompressions.includes(page.compression))
		throw unsupportedTiff(
			'no compression, LZW, Deflate or PackBits for samples of this kind',
			`compression ${page.compression}`,
		);
	if (page.samples - page.colours > 1 && page.alpha !== 'none' && page.photometric === photometric.palette)
		throw unsupportedTiff('a palette without further samples', `${page.samples} samples`);
}

function isSubsampled({ subsampling: [across = 2, down = 2] }: TiffPage): boolean {
	return across * down > 1;
}

function headerOf(page: TiffPage, pages: number): Header {
	const { width, height, orientation, profile, xmp } = page;
	return {
		width,
		height,
		autoOrient: storedSize({ width, height }, orientation),
		pages,
		hasAlpha: page.alpha !== 'none',
		orientation,
		space: spaceOf(page),
		// `written` in `tiff-samples.ts`.
		depth: page.photometric === photometric.cmyk ? 'uchar' : 'ushort',
		hasProfile: profile !== undefined,
		...(profile && { icc: profile }),
		...(xmp && { xmp }),
	};
}

/** The colour space of the converted page, as libvips names it. */
function spaceOf(page: TiffPage): Header['space'] {
	if (page.photometric === photometric.cmyk) return 'cmyk';
	if (page.photometric === photometric.lab) return 'labs';
	return page.photometric <= photometric.blackIsZero || page.photometric === photometric.mask ? 'grey16' : 'rgb16';
}

/** The colour space of a page that is not converted. */
function storedSpaceOf(page: TiffPage): Header['space'] {
	const space = spaceOf(page);
	if (space === 'labs') return 'lab';
	if (page.bits > 8) return space;
	return space === 'grey16' ? 'b-w' : space === 'rgb16' ? 'srgb' : space;
}

/** A TIFF that is intact and of another kind than expected. @param step where it was found out */
export function unsupportedTiff(expected: string, received: string, step = 'inspect'): PicpipeError {
	return new PicpipeError('unsupported-feature', `Expected a TIFF with ${expected} but received ${received}.`, {
		step,
	});
}

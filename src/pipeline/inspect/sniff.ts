import { isSvg } from './svg-text.ts';

/**
 * Input formats, told apart by the first bytes of a file. They decide between `unsupported` (not a supported picture at all) and
 * `corrupt` (a damaged one). No other format reaches a decoder.
 */
export const inputFormats = ['jpeg', 'png', 'webp', 'avif', 'heic', 'gif', 'tiff'] as const;
/** SVG is accepted only if a setting allows it. */
export type InputFormat = (typeof inputFormats)[number] | 'svg';

/** Bytes to search for a signature; an AVIF's list of brands is the longest. */
const sniffedBytes = 256;

export function sniffFormat(file: Buffer): InputFormat | undefined {
	const head = file.subarray(0, sniffedBytes);
	return inputFormats.find((format) => signatures[format](head)) ?? (isSvg(file) ? 'svg' : undefined);
}

const signatures: Readonly<Record<(typeof inputFormats)[number], (head: Buffer) => boolean>> = {
	jpeg: (head) => head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff,
	png: isPng,
	webp: (head) => ascii(head, 0, 4) === 'RIFF' && ascii(head, 8, 12) === 'WEBP',
	avif: (head) => ascii(head, 4, 8) === 'ftyp' && brands(head).some((brand) => brand === 'avif' || brand === 'avis'),
	heic: (head) => ascii(head, 4, 8) === 'ftyp' && isHeic(brands(head)),
	gif: (head) => /^GIF8[79]a$/.test(ascii(head, 0, 6)),
	tiff: isTiff,
};

const pngSignature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Wrong or lost bytes in the signature of a file that still counts as a damaged PNG. */
const damagedBytes = 2;

/**
 * The signature of PNG reveals damage by transfers that strip a bit or change line ends (PNG 1.2, 12.12). A file with such damage
 * is a corrupt PNG, recognised by its `IHDR`, and not an unknown file.
 */
function isPng(head: Buffer): boolean {
	if (pngSignature.equals(head.subarray(0, 8))) return true;
	const header = head.subarray(0, 24).indexOf('IHDR', 'latin1');
	const wrong = pngSignature.reduce((count, byte, at) => count + (head[at] === byte ? 0 : 1), 0);
	return header >= 12 - damagedBytes && header <= 12 + damagedBytes && (wrong <= damagedBytes || header !== 12);
}

/** Classic and BigTIFF, either byte order; not Canon's raw files, whose first page is only a preview. */
function isTiff(head: Buffer): boolean {
	const isSigned = ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(ascii(head, 0, 4));
	return isSigned && ascii(head, 8, 10) !== 'CR';
}

/** Brands of HEVC pictures and sequences (ISO 23008-12, 10). The first brand tells the main type of the file. */
const heicBrands = ['heic', 'heix', 'hevc', 'hevx'];

function isHeic([major = '', ...others]: readonly string[]): boolean {
	return (
		[...heicBrands, 'mif1', 'msf1'].includes(major) && [major, ...others].some((brand) => heicBrands.includes(brand))
	);
}

/** Major and compatible brands of an ISO base media file (ISO 14496-12, 4.3). */
function brands(head: Buffer): string[] {
	const end = Math.min(head.length >= 4 ? head.readUInt32BE(0) : 0, head.length);
	const compatible: string[] = [];
	for (let at = 16; at + 4 <= end; at += 4) compatible.push(ascii(head, at, at + 4));
	return [ascii(head, 8, 12), ...compatible];
}

function ascii(bytes: Buffer, start: number, end: number): string {
	return bytes.toString('latin1', start, end);
}

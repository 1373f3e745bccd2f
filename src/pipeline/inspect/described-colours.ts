import {
	type ColourDescription,
	type Curve,
	type HdrDescription,
	type Primaries,
	primariesByCode,
	srgbCurve,
	srgbPrimaries,
	transferByCode,
} from '../colour/description.ts';
import { chunksOf } from '../metadata/exif-block.ts';
import { type Box, type Items, readItems } from './boxes.ts';
import type { InputFormat } from './sniff.ts';

/*
 * Colours that a file describes without an ICC profile. Where specifications leave a choice, pictures look as in Chromium
 * (docs/decisions/0060-colours-without-a-profile.md). EXIF tags about colours are not read: browsers ignore them, and cameras that set them embed a profile.
 */

/**
 * What the header of a file says about its values, besides an ICC profile. At most one of the first three is set; none if it says nothing.
 */
export interface Described {
	/** It says that they are sRGB, which may contradict a profile. */
	readonly isSrgb?: boolean;
	readonly colours?: ColourDescription;
	readonly hdr?: HdrDescription;
	/** Red, green and blue are stored multiplied with alpha. */
	readonly isPremultiplied?: boolean;
}

/** Reads a few hundred bytes. @param hasProfile the file has an ICC profile that the decoder knows */
export function describedColours(file: Buffer, format: InputFormat, hasProfile: boolean): Described {
	if (format === 'png') return pngColours(file, hasProfile);
	if (format !== 'avif' && format !== 'heic') return {};
	const items = readItems(file);
	if (!items) return {};
	const { primary, references } = items;
	return {
		// Files may have both; the values of `nclx` are then only for the decoder (MIAF, ISO 23000-22, 7.3.6.4).
		...(hasProfile ? {} : itemColours(items)),
		isPremultiplied: references.some(({ type, from }) => type === 'prem' && from === primary),
	};
}

/** The primary item's own property counts, or else that of its first tile. */
function itemColours({ primary, references, propertiesOf }: Items): Described {
	const tile = references.find(({ type, from }) => type === 'dimg' && from === primary)?.to[0];
	const own = propertiesOf(primary);
	const properties = own.some(isNclx) || tile === undefined ? own : propertiesOf(tile);
	const nclx = properties.find(isNclx)?.content;
	if (!nclx || nclx.length < 8) return {};
	const [primaries, transfer] = [nclx.readUInt16BE(4), nclx.readUInt16BE(6)];
	const clli = properties.find(({ type }) => type === 'clli')?.content;
	const peak = clli && clli.length >= 2 ? clli.readUInt16BE(0) : 0;
	// Unspecified and unknown numbers count as those of sRGB.
	const curve = televisionTransfers.includes(transfer) ? srgbCurve : (transferByCode[transfer] ?? srgbCurve);
	return coloursOf(primariesByCode[primaries] ?? srgbPrimaries, curve, peak);
}

function isNclx({ type, content }: Box): boolean {
	return type === 'colr' && content.toString('latin1', 0, 4) === 'nclx';
}

/** BT.709, BT.601, xvYCC, BT.1361 and BT.2020 (ITU-T H.273, table 3). In AVIF and HEIC, browsers show them with the curve of sRGB. */
const televisionTransfers = [1, 6, 11, 12, 14, 15];

function coloursOf(primaries: Primaries, transfer: Curve | 'pq' | 'hlg', peak: number): Described {
	if (transfer === 'pq' || transfer === 'hlg') return { hdr: { primaries, transfer, ...(peak > 0 && { peak }) } };
	if (primaries === srgbPrimaries && transfer === srgbCurve) return { isSrgb: true };
	return { colours: { primaries, transfer } };
}

/** The first of these counts (PNG, third edition, 4.3): `cICP`, `iCCP`, `sRGB`, then `gAMA` and `cHRM`. */
function pngColours(file: Buffer, hasProfile: boolean): Described {
	const chunks = pngColourChunks(file);
	const [primaries, code, matrix, isFullRange] = chunks.cICP ?? [];
	const [known, curve] = [primariesByCode[primaries ?? 0], transferByCode[code ?? 0]];
	// A chunk with other numbers does not describe the RGB of a PNG, or describes an unknown space.
	if (known && curve && matrix === 0 && isFullRange === 1) return coloursOf(known, curve, pngPeak(chunks));
	if (hasProfile || chunks.sRGB || !chunks.gAMA) return {};
	const exponent = 100_000 / chunks.gAMA.readUInt32BE(0);
	if (!(exponent >= leastExponent && exponent <= mostExponent)) return {};
	const transfer: Curve = { gamma: exponent };
	if (chunks.cHRM) {
		const primaries = chromaticities(chunks.cHRM);
		const isPossible = Object.values(primaries).every(([x, y]) => x <= 1 && y <= 1);
		return isPossible ? { colours: { primaries, transfer } } : {};
	}
	return isSrgbLike(exponent) ? {} : { colours: { primaries: srgbPrimaries, transfer } };
}

/** Bounds of exponents that pictures are made for; others are mistakes. */
const [leastExponent, mostExponent] = [0.1, 10];

/** The gamma that programs write for sRGB when they write no other chunk. */
function isSrgbLike(exponent: number): boolean {
	return Math.abs(1 / exponent - 0.45455) < 0.001;
}

/** Four pairs of numbers: white, red, green and blue (PNG, third edition, 11.3.2.1). */
function chromaticities(cHRM: Buffer): Primaries {
	const pair = (at: number) => [cHRM.readUInt32BE(at) / 100_000, cHRM.readUInt32BE(at + 4) / 100_000] as const;
	return { white: pair(0), red: pair(8), green: pair(16), blue: pair(24) };
}

/** Luminance in cd/m² of the brightest pixel, or else of the display that the picture was made on (PNG, third edition, 11.3.2.7 and 11.3.2.8). */
function pngPeak({ cLLI, mDCV }: PngColourChunks): number {
	return (cLLI?.readUInt32BE(0) || mDCV?.readUInt32BE(16) || 0) / 10_000;
}

/** Chunks about colours, and their lengths in bytes. */
const colourChunks = { cICP: 4, sRGB: 1, gAMA: 4, cHRM: 32, cLLI: 8, mDCV: 24 };
type PngColourChunks = Partial<Record<keyof typeof colourChunks, Buffer>>;

/** All of them stand before the pixels. */
function pngColourChunks(file: Buffer): PngColourChunks {
	const found: PngColourChunks = {};
	for (const { type, start, end } of chunksOf(file)) {
		if (type === 'IDAT') break;
		// Length and type precede the content, and a checksum follows it.
		const content = file.subarray(start + 8, end - 4);
		if (isColourChunk(type) && content.length === colourChunks[type]) found[type] ??= content;
	}
	return found;
}

function isColourChunk(type: string): type is keyof typeof colourChunks {
	return Object.hasOwn(colourChunks, type);
}

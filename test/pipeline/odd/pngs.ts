import { deflateSync } from 'node:zlib';
import { inSrgb } from '../../helpers/colours.ts';
import { pngChunk, profileOf } from '../../helpers/pictures.ts';
import type { OddFile } from './odd-file.ts';

/** PNGs with every set of chunks about colours, in both orders, and chunks that are wrong (PNG, third edition, 11). */

const side = 16;

/** Kinds of pixels: colour type, bits, and the bytes of the pixel at x, y, whose first sample grows from left to right. */
const kinds = {
	grey: { type: 0, bits: 8, bytes: (x: number) => [x * 17] },
	'grey of 16 bits': { type: 0, bits: 16, bytes: (x: number) => [x * 17, x * 17] },
	'grey with alpha': { type: 4, bits: 8, bytes: (x: number) => [x * 17, 200] },
	colours: { type: 2, bits: 8, bytes: (x: number, y: number) => [x * 17, y * 17, 60] },
	'colours of 16 bits': {
		type: 2,
		bits: 16,
		bytes: (x: number, y: number) => [x * 17, x * 17, y * 17, y * 17, 60, 60],
	},
	'a palette': { type: 3, bits: 8, bytes: (x: number) => [x] },
	'colours with alpha': { type: 6, bits: 8, bytes: (x: number, y: number) => [x * 17, y * 17, 60, 200] },
} as const;
type Kind = keyof typeof kinds;

function shown(kind: Kind, x: number, y: number): readonly [number, number, number, number] {
	const { type } = kinds[kind];
	const alpha = type >= 4 ? 200 : 255;
	if (type === 0 || type === 4) return [x * 17, x * 17, x * 17, alpha];
	return type === 3 ? [x * 17, 255 - x * 17, 60, alpha] : [x * 17, y * 17, 60, alpha];
}

/** @param before chunks between header and palette @param after chunks behind the pixels */
function png(kind: Kind, before: readonly Buffer[], after: readonly Buffer[] = []): Buffer {
	const { type, bits, bytes } = kinds[kind];
	const header = Buffer.from([0, 0, 0, side, 0, 0, 0, side, bits, type, 0, 0, 0]);
	const rows = Array.from({ length: side }, (_row, y) => [
		0,
		...Array.from({ length: side }, (_pixel, x) => bytes(x, y)).flat(),
	]);
	const palette = Array.from({ length: side }, (_, index) => [index * 17, 255 - index * 17, 60]).flat();
	return Buffer.concat([
		Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
		pngChunk('IHDR', header),
		...before,
		...(type === 3 ? [pngChunk('PLTE', Buffer.from(palette))] : []),
		pngChunk('IDAT', deflateSync(Buffer.from(rows.flat()))),
		...after,
		pngChunk('IEND', Buffer.alloc(0)),
	]);
}

function longs(...values: readonly number[]): Buffer {
	const bytes = Buffer.alloc(values.length * 4);
	for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
	return bytes;
}

/** Chunks that all say sRGB, each in its own way. For grey the profile is one of three channels, which decoders ignore. */
async function srgbChunks(): Promise<readonly Buffer[]> {
	const icc = Buffer.concat([Buffer.from('sRGB\0\0', 'latin1'), deflateSync(await profileOf('srgb'))]);
	return [
		pngChunk('cICP', Buffer.from([1, 13, 0, 1])),
		pngChunk('iCCP', icc),
		pngChunk('sRGB', Buffer.from([0])),
		pngChunk('gAMA', longs(45_455)),
		pngChunk('cHRM', longs(31_270, 32_900, 64_000, 33_000, 30_000, 60_000, 15_000, 6_000)),
	];
}

/** With both, and nothing that counts more, a plain gamma is meant: dark tones become darker, as in Chromium. */
function isPlainGamma(kind: Kind, names: readonly string[]): boolean {
	const counts = ['cICP', 'sRGB', ...(kinds[kind].type === 0 || kinds[kind].type === 4 ? [] : ['iCCP'])];
	return ['gAMA', 'cHRM'].every((name) => names.includes(name)) && !names.some((name) => counts.includes(name));
}

function withGamma([red, green, blue, alpha]: ReturnType<typeof shown>): ReturnType<typeof shown> {
	const [r = 0, g = 0, b = 0] = inSrgb([red / 255, green / 255, blue / 255], (value) => value ** (1 / 0.45455));
	return [r, g, b, alpha];
}

/** Every set of chunks that say sRGB, in both orders, before every kind of pixels: the pixels stay. */
export async function pngsOfEveryColourChunk(): Promise<OddFile[]> {
	const chunks = await srgbChunks();
	const files: OddFile[] = [];
	for (const kind of Object.keys(kinds) as Kind[]) {
		for (let set = 0; set < 2 ** chunks.length; set++) {
			const chosen = chunks.filter((_, index) => set & (1 << index));
			for (const isReversed of chosen.length > 1 ? [false, true] : [false]) {
				const order = isReversed ? chosen.toReversed() : chosen;
				const names = order.map((chunk) => chunk.toString('latin1', 4, 8));
				files.push({
					name: `PNG: ${kind} after ${names.join(', ') || 'nothing'}`,
					file: png(kind, order),
					ends: ['ready'],
					pixel: (x, y) => (isPlainGamma(kind, names) ? withGamma(shown(kind, x, y)) : shown(kind, x, y)),
				});
			}
		}
	}
	return files;
}

/** Contents that no chunk of the name may have. */
const wrongContents: readonly (readonly [name: string, content: Buffer])[] = [
	['cICP', Buffer.alloc(0)],
	['cICP', Buffer.from([255, 255, 255, 255])],
	['cICP', Buffer.from([9, 16, 1, 0])],
	['iCCP', Buffer.from('x\0\0no zlib', 'latin1')],
	['iCCP', Buffer.concat([Buffer.from('x\0\0', 'latin1'), deflateSync(Buffer.alloc(200))])],
	['sRGB', Buffer.from([77])],
	['gAMA', longs(0)],
	['gAMA', longs(1)],
	['gAMA', longs(0xffff_ffff)],
	['gAMA', Buffer.from([1])],
	['cHRM', longs(0, 0, 0, 0, 0, 0, 0, 0)],
	['cHRM', longs(31_270, 0, 64_000, 0, 30_000, 0, 15_000, 0)],
	['cHRM', Buffer.alloc(5)],
	['mDCV', Buffer.alloc(3)],
	['mDCV', Buffer.alloc(24, 1)],
	['cLLI', longs(0, 0xffff_ffff)],
	['tRNS', Buffer.alloc(7, 255)],
	['bKGD', Buffer.alloc(1)],
	['sBIT', Buffer.from([0, 99, 3])],
	['eXIf', Buffer.from('II*\0\xff\xff\xff\xff', 'latin1')],
	['pHYs', longs(0, 0)],
	['hIST', Buffer.alloc(3)],
];

/** Wrong, repeated and late chunks: whatever they are, they are the file's fault. */
export function pngsOfWrongChunks(): OddFile[] {
	return (Object.keys(kinds) as Kind[]).flatMap((kind) =>
		wrongContents.flatMap(([name, content]) => {
			const chunk = pngChunk(name, content);
			const files: OddFile[] = [
				{ name: 'before', file: png(kind, [chunk]), ends: ['ready', 'corrupt'] },
				{ name: 'twice', file: png(kind, [chunk, chunk]), ends: ['ready', 'corrupt'] },
				{ name: 'behind the pixels', file: png(kind, [], [chunk]), ends: ['ready', 'corrupt'] },
			];
			return files.map((file) => ({
				...file,
				name: `PNG: ${kind}, a wrong ${name} (${content.toString('hex', 0, 8)}) ${file.name}`,
			}));
		}),
	);
}

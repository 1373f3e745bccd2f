import * as z from 'zod';
import { integer } from '../../operations/options.ts';
import type { Animation } from '../pixels/pixels.ts';
import { animated, colours, dither, type Encoder, fitsSharp, sharpMost, timingForSharp } from './encoder.ts';

const schema = z.strictObject({
	colours: colours.describe('Maximum number of colours, including transparency.'),
	effort: integer(1, 10).default(7).describe('CPU time spent on better colours; 1 is fastest.'),
	dither,
	animated,
});
type GifOptions = z.infer<typeof schema>;

export const gif: Encoder<GifOptions> = {
	name: 'gif',
	doc: 'GIF: animation, at most 256 colours, and pixels that are either opaque or transparent. Large files that every program shows, mail clients included.',
	type: 'image/gif',
	extension: 'gif',
	maximumSide: 65_535,
	schema: schema as z.ZodType<GifOptions>,
	keepsAnimation: ({ animated }) => animated !== false,
	apply: (image, { animated: _, ...options }, animation) =>
		image.gif({ ...options, ...(animation && timingForSharp(animation)) }),
	finish: setGifTiming,
};

/** A block of a GIF. */
interface GifBlock {
	readonly kind: 'control' | 'application' | 'image' | 'other';
	readonly at: number;
}

/** Markers of the blocks of a GIF and of its extensions (GIF89a, appendix A). */
const gifExtension = 0x21;
const gifImage = 0x2c;
const extensions: Readonly<Record<number, GifBlock['kind']>> = { 249: 'control', 255: 'application' };

/**
 * The blocks of a GIF, in their order.
 *
 * @returns `isCut` if the file ends within one of them
 */
export function readGifBlocks(file: Buffer): { readonly blocks: readonly GifBlock[]; readonly isCut: boolean } {
	const blocks: GifBlock[] = [];
	if (file.length < 13) return { blocks, isCut: true };
	let at = 13 + colourTable(file[10] ?? 0);
	for (;;) {
		if (at > file.length) return { blocks, isCut: true };
		const start = at;
		const marker = file[at];
		if (marker === gifExtension) at += 2;
		// A descriptor of 10 bytes, a local colour table, and a byte before the data.
		else if (marker === gifImage) at += 11 + colourTable(file[at + 9] ?? 0);
		else return { blocks, isCut: false };
		// Data in sub-blocks, each preceded by its length; an empty one ends it.
		for (let length = file[at]; length !== 0; length = file[at]) {
			if (length === undefined) return { blocks, isCut: true };
			at += 1 + length;
		}
		at++;
		const kind = marker === gifImage ? 'image' : (extensions[file[start + 1] ?? 0] ?? 'other');
		blocks.push({ kind, at: start });
	}
}

/** Bytes of the colour table that these flags declare. */
function colourTable(flags: number): number {
	return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0;
}

/**
 * Writes timing that sharp does not accept into a GIF: delays up to 655,350 ms, and 65,536 runs, which are 65,535 repetitions (GIF89a,
 * section 23; the application extension of Netscape).
 *
 * @param file as sharp wrote it; it is changed
 */
function setGifTiming(file: Buffer, animation: Animation): Buffer {
	if (fitsSharp(animation)) return file;
	const { blocks } = readGifBlocks(file);
	const controls = blocks.filter(({ kind }) => kind === 'control');
	const [delayAt, repetitionsAt, most] = [4, 16, 65_535];
	const netscape = blocks.find(
		({ kind, at }) => kind === 'application' && file.toString('latin1', at + 3, at + 14) === 'NETSCAPE2.0',
	);
	if (netscape && animation.loop > 1)
		file.writeUInt16LE(Math.min(animation.loop - 1, most), netscape.at + repetitionsAt);
	if (controls.length !== animation.delay.length) return file;
	for (const [index, { at }] of controls.entries()) {
		const delay = animation.delay[index] ?? 0;
		if (delay > sharpMost) file.writeUInt16LE(Math.min(Math.round(delay / 10), most), at + delayAt);
	}
	return file;
}

import type { Animation } from './pixels.ts';

/** Timing of animations in files. sharp accepts neither delays nor loop counts that do not fit into 16 bits. */

/** Largest delay in milliseconds, and largest loop count, that sharp accepts. */
const sharpMost = 65_535;

/** The timing for sharp, limited to what it accepts. */
export function timingForSharp({ delay, loop }: Animation): { delay: number[]; loop: number } {
	return { delay: delay.map((milliseconds) => Math.min(milliseconds, sharpMost)), loop: Math.min(loop, sharpMost) };
}

function fitsSharp({ delay, loop }: Animation): boolean {
	return loop <= sharpMost && delay.every((milliseconds) => milliseconds <= sharpMost);
}

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
export function setGifTiming(file: Buffer, animation: Animation): Buffer {
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

/**
 * Writes delays that sharp does not accept into a WebP: up to 16,777,215 ms (WebP container specification, "Animation"). libwebp merges
 * equal frames; then the delays are not changed.
 *
 * @param file as sharp wrote it; it is changed
 */
export function setWebpTiming(file: Buffer, animation: Animation): Buffer {
	if (fitsSharp(animation)) return file;
	const frames: number[] = [];
	const [header, chunkHead, delayAt, most] = [12, 8, 12, 0xff_ffff];
	for (let at = header; at + chunkHead <= file.length; ) {
		const length = file.readUInt32LE(at + 4);
		if (file.toString('latin1', at, at + 4) === 'ANMF') frames.push(at + chunkHead + delayAt);
		at += chunkHead + length + (length % 2);
	}
	if (frames.length !== animation.delay.length) return file;
	for (const [index, at] of frames.entries()) {
		const delay = animation.delay[index] ?? 0;
		if (delay > sharpMost) file.writeUIntLE(Math.min(delay, most), at, 3);
	}
	return file;
}

import sharp from 'sharp';
import type { PicpipeError } from '../../../src/errors.ts';
import { make, one } from '../make.ts';

/** A file that a test makes, and what has to become of it. */
export interface OddFile {
	readonly name: string;
	readonly file: Buffer | Promise<Buffer>;
	/**
	 * `ready` with these pixels, `unsupported` or `corrupt`. Several are allowed where a decoder may go either way; `internal` never is.
	 */
	readonly ends: readonly End[];
	/** Red, green, blue and alpha of a pixel, 0 to 255. */
	readonly pixel?: (x: number, y: number) => readonly [number, number, number, number];
	/** Largest difference of a channel; 2 if absent. */
	readonly tolerance?: number;
	/** As written; a PNG of the same size if absent. */
	readonly recipe?: unknown;
	/** What is wrong with the variant; undefined if nothing is. */
	readonly check?: (variant: Buffer) => Promise<string | undefined>;
}

export type End = 'ready' | 'unsupported' | 'corrupt' | 'limit';

/** How a file ended, and how far its pixels are from those expected. */
export interface Ended {
	readonly end: End | 'internal' | 'transient';
	readonly message?: string;
	/** Largest difference of a channel; 0 if no pixels are expected. */
	readonly difference: number;
	/** What `check` found. */
	readonly found?: string | undefined;
}

const png = one([], [{ png: {} }]);

/** Runs a file through the whole engine at its own size. */
export async function run({ file, pixel, recipe = png, check }: OddFile): Promise<Ended> {
	try {
		const { data } = (await make(await file, recipe)).variant('only');
		const found = await check?.(data);
		return { end: 'ready', difference: pixel ? await differenceFrom(data, pixel) : 0, found };
	} catch (error) {
		const { class: end, message } = error as PicpipeError;
		return { end: end === undefined || end === 'request' ? 'internal' : end, message, difference: 0 };
	}
}

async function differenceFrom(file: Buffer, pixel: NonNullable<OddFile['pixel']>): Promise<number> {
	const { data, info } = await sharp(file)
		.toColourspace('srgb')
		.ensureAlpha()
		.raw()
		.toBuffer({ resolveWithObject: true });
	let most = 0;
	for (let y = 0; y < info.height; y++) {
		for (let x = 0; x < info.width; x++) {
			const at = (y * info.width + x) * 4;
			for (const [channel, value] of pixel(x, y).entries())
				most = Math.max(most, Math.abs((data[at + channel] ?? 0) - value));
		}
	}
	return most;
}

/** What is wrong with it; undefined if nothing is. */
export function wrong(
	{ name, ends, tolerance = 2 }: OddFile,
	{ end, message = '', difference, found }: Ended,
): string | undefined {
	if (!(ends as readonly string[]).includes(end))
		return `${name}: expected ${ends.join(' or ')} but it is ${end}: ${message}`;
	if (found !== undefined) return `${name}: ${found}`;
	if (difference > tolerance) return `${name}: a pixel is off by ${difference}`;
	return undefined;
}

import * as z from 'zod';
import { number } from '../../operations/options.ts';
import type { Animation } from '../pixels/pixels.ts';

/** Options that several encoders share. */

export const animated = z
	.boolean()
	.default(true)
	.describe('Keep animations; otherwise the file shows the first frame.');

/** Timing of an animation as sharp expects it. */
export function timingOf(animation: Animation | undefined) {
	return animation && { delay: [...animation.delay], loop: animation.loop };
}

export const losslessOption = z.boolean().default(false).describe('Keep every pixel exactly; `quality` has no effect.');

export const chromaSubsampling = z
	.enum(['4:2:0', '4:4:4'])
	.default('4:2:0')
	.describe('Chroma subsampling. `4:4:4` keeps the full colour resolution, for text and drawings.');

/** Counts that fill 1, 2, 4 or 8 bits; libvips rounds any other number up to one of them. */
export const colours = z.literal([2, 4, 16, 256]).default(256);

export const dither = number(0, 1)
	.default(1)
	.describe('Strength of dithering, which mixes dots of the remaining colours; 0 turns it off.');

import * as z from 'zod';
import { number } from '../../operations/options.ts';
import type { Animation } from '../pixels/pixels.ts';

/** Options that several encoders have. */

export const animated = z.boolean().default(true).describe('An animation stays one; otherwise it is its first frame.');

/** As sharp takes it. */
export function timingOf(animation: Animation | undefined) {
	return animation && { delay: [...animation.delay], loop: animation.loop };
}

export const losslessOption = z.boolean().default(false).describe('Keep every pixel; quality then has no meaning.');

export const chromaSubsampling = z
	.enum(['4:2:0', '4:4:4'])
	.default('4:2:0')
	.describe('`4:4:4` keeps the full resolution of colours, for text and drawings.');

/** Those that fill 1, 2, 4 or 8 bits: any other number is rounded up to one of them by libvips. */
export const colours = z.literal([2, 4, 16, 256]).default(256);

export const dither = number(0, 1)
	.default(1)
	.describe('How much colours that were lost are made up for by mixing dots of others; 0 is not at all.');

import * as z from 'zod';
import { integer } from '../../operations/options.ts';
import { setWebpTiming, timingForSharp } from '../pixels/timing.ts';
import { animated, density, type Encoder, losslessOption, withDensity } from './encoder.ts';
import { fixed, isSearchable, notSearchable, quality } from './quality.ts';

const schema = z
	.strictObject({
		quality: quality(80),
		effort: integer(0, 6).default(4).describe('CPU time spent on a smaller file; 0 is fastest.'),
		lossless: losslessOption,
		nearLossless: z
			.boolean()
			.default(false)
			.describe(
				'Adjust pixels slightly before lossless compression, more so at a lower `quality`. For drawings and screenshots.',
			),
		animated,
		density,
		smartSubsample: z.boolean().default(false).describe('Keep sharp edges between colours; slower.'),
	})
	.refine(({ lossless, nearLossless }) => !(lossless && nearLossless), {
		error: 'expected false because lossless is true',
		path: ['nearLossless'],
	})
	.refine(isSearchable, notSearchable);
type WebpOptions = z.infer<typeof schema>;

export const webp: Encoder<WebpOptions> = {
	name: 'webp',
	doc: 'WebP: small, with transparency and animation; supported by every browser since 2020.',
	type: 'image/webp',
	extension: 'webp',
	maximumSide: 16_383,
	schema: schema as z.ZodType<WebpOptions>,
	keepsAnimation: ({ animated }) => animated !== false,
	apply: (image, { quality, animated: _, density, ...options }, animation) =>
		withDensity(image, density).webp({
			...options,
			quality: fixed(quality),
			...(animation && timingForSharp(animation)),
		}),
	finish: setWebpTiming,
};

import * as z from 'zod';
import { integer } from '../../operations/options.ts';
import { setGifTiming, timingForSharp } from '../pixels/timing.ts';
import { animated, colours, dither, type Encoder } from './encoder.ts';

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

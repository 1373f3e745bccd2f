import * as z from 'zod';
import { integer } from '../../operations/options.ts';
import type { Encoder } from './encoder.ts';
import { animated, colours, dither, timingOf } from './options.ts';

const schema = z.strictObject({
	colours: colours.describe('Most colours, full transparency is one of them.'),
	effort: integer(1, 10).default(7).describe('CPU time spent on better colours: 1 is fastest.'),
	dither,
	animated,
});
type GifOptions = z.infer<typeof schema>;

export const gif: Encoder<GifOptions> = {
	name: 'gif',
	doc: 'GIF: animation, at most 256 colours, a pixel is transparent or not; large. Shown by everything, mail programs too.',
	type: 'image/gif',
	extension: 'gif',
	maximumSide: 65_535,
	schema: schema as z.ZodType<GifOptions>,
	keepsAnimation: ({ animated }) => animated,
	apply: (image, { animated: _, ...options }, animation) => image.gif({ ...options, ...timingOf(animation) }),
};

import { z } from 'zod';
import type { Operation } from './operation.ts';
import { channelsOf, number, opaqueColour } from './options.ts';

const towards = ['bottom', 'top', 'left', 'right'] as const;

const schema = z
	.strictObject({
		colour: opaqueColour().default('#000000').describe('Colour that the picture fades into.'),
		opacity: number(0, 1).default(1).describe('How much of the colour there is where there is most of it.'),
		towards: z.enum(towards).default('bottom').describe('Side at which there is most of it.'),
		start: number(0, 1)
			.default(0)
			.describe('Where it begins: a share of the way to that side, before which the picture is as it was.'),
		stop: number(0, 1)
			.default(1)
			.describe('Where there is most of it: a share of the way, at least that of the start.'),
	})
	.refine(({ start, stop }) => start <= stop, { error: 'expected at least what start is', path: ['stop'] });
type GradientOptions = z.infer<typeof schema>;

/**
 * A colour that grows towards one side, so that text can be read there.
 *
 * @example { gradient: { colour: '#000000', opacity: 0.7, towards: 'bottom', start: 0.5 } }
 */
export const gradient: Operation<GradientOptions> = {
	name: 'gradient',
	doc: 'Lets the picture fade into a colour towards one side, so that text can be read there.',
	schema: schema as z.ZodType<GradientOptions>,
	example: { opacity: 0.8, start: 0.3 },
	predict: (input) => ({ output: input }),

	apply(image, options, { width, height }) {
		const isUpright = options.towards === 'bottom' || options.towards === 'top';
		const length = isUpright ? height : width;
		return image.composite([
			{
				// One line, again and again.
				input: line(options, length),
				raw: { width: isUpright ? 1 : length, height: isUpright ? length : 1, channels: 4 },
				tile: true,
				gravity: 'northwest',
			},
		]);
	},
};

/** Pixels across the picture, from the left or from the top. */
function line({ colour, opacity, towards, start, stop }: GradientOptions, length: number): Buffer {
	const pixels = Buffer.alloc(length * 4);
	const isBackwards = towards === 'left' || towards === 'top';
	for (let index = 0; index < length; index++) {
		const way = (index + 0.5) / length;
		// All at once where it has no room to grow.
		const share = stop > start ? Math.max(0, Math.min(1, (way - start) / (stop - start))) : Number(way >= start);
		const at = isBackwards ? length - 1 - index : index;
		pixels.set([...channelsOf(colour), Math.round(opacity * share * 255)], at * 4);
	}
	return pixels;
}

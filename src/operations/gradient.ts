import * as z from 'zod';
import type { Operation, Size } from './operation.ts';
import { channelsOf, number, opaqueColour } from './options.ts';

const towards = ['bottom', 'top', 'left', 'right'] as const;

const schema = z
	.strictObject({
		colour: opaqueColour().default('#000000').describe('Colour of the gradient.'),
		opacity: number(0, 1).default(1).describe('Opacity of the colour at its strongest.'),
		towards: z.enum(towards).default('bottom').describe('Side at which the colour is strongest.'),
		angle: number(0, 360)
			.optional()
			.describe(
				'Direction instead of a side, in degrees clockwise from the top as in CSS; 135 is the bottom right of a square. Replaces `towards`.',
			),
		start: number(0, 1).default(0).describe('Where the gradient begins, as a share of the way to that side.'),
		stop: number(0, 1).default(1).describe('Where the colour is strongest, as a share of the way; at least `start`.'),
	})
	.refine(({ start, stop }) => start <= stop, { error: 'expected at least the value of start', path: ['stop'] })
	.refine(({ angle, towards }) => angle === undefined || towards === 'bottom', {
		error: 'expected no such key because an angle is given',
		path: ['towards'],
	});
type GradientOptions = z.infer<typeof schema>;

/**
 * Fades into a colour towards one side, so that text is legible there.
 *
 * @example { gradient: { colour: '#000000', opacity: 0.7, towards: 'bottom', start: 0.5 } }
 */
export const gradient: Operation<GradientOptions> = {
	name: 'gradient',
	doc: 'Fades the picture into a colour towards one side or at an angle, so that text is legible there.',
	schema: schema as z.ZodType<GradientOptions>,
	example: { opacity: 0.8, start: 0.3 },
	predict: (input) => ({ output: input }),

	apply(image, options, input) {
		const { width, height } = input;
		if (options.angle !== undefined) {
			const raw = { width, height, channels: 4 } as const;
			return image.composite([{ input: slope(options, options.angle, input), raw }]);
		}
		const isUpright = options.towards === 'bottom' || options.towards === 'top';
		const length = isUpright ? height : width;
		return image.composite([
			{
				// A single line, tiled.
				input: line(options, length),
				raw: { width: isUpright ? 1 : length, height: isUpright ? length : 1, channels: 4 },
				tile: true,
				gravity: 'northwest',
			},
		]);
	},
};

/** Pixels across the picture, from the left or from the top. */
function line(options: GradientOptions, length: number): Buffer {
	const { colour, towards } = options;
	const pixels = Buffer.alloc(length * 4);
	const isBackwards = towards === 'left' || towards === 'top';
	for (let index = 0; index < length; index++) {
		const at = isBackwards ? length - 1 - index : index;
		pixels.set([...channelsOf(colour), alphaAt((index + 0.5) / length, options)], at * 4);
	}
	return pixels;
}

/** All pixels of a gradient at an angle. As in CSS, it begins in one corner and ends in the opposite one. */
function slope(options: GradientOptions, angle: number, { width, height }: Size): Buffer {
	const [right, up] = [Math.sin((angle * Math.PI) / 180), Math.cos((angle * Math.PI) / 180)];
	const length = Math.abs(width * right) + Math.abs(height * up);
	const pixels = Buffer.alloc(width * height * 4, Buffer.from([...channelsOf(options.colour), 0]));
	for (let y = 0; y < height; y++) {
		for (let x = 0; x < width; x++) {
			const along = (x + 0.5 - width / 2) * right - (y + 0.5 - height / 2) * up;
			pixels[(y * width + x) * 4 + 3] = alphaAt(along / length + 0.5, options);
		}
	}
	return pixels;
}

/** @param way share of the way to the strongest point */
function alphaAt(way: number, { opacity, start, stop }: GradientOptions): number {
	// A hard edge when start and stop are equal.
	const share = stop > start ? Math.max(0, Math.min(1, (way - start) / (stop - start))) : Number(way >= start);
	return Math.round(opacity * share * 255);
}

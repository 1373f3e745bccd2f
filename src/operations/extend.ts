import * as z from 'zod';
import { movedIn, shapeAround } from './geometry.ts';
import type { Operation, Size } from './operation.ts';
import {
	colour,
	integer,
	isTranslucent,
	length,
	maximumSide,
	moves,
	pixelsOf,
	place,
	ratio,
	ratioOf,
} from './options.ts';

/** How the added space is filled, as sharp names it. */
const materials = ['background', 'mirror', 'copy', 'repeat'] as const;

const room = (name: string, side: 'width' | 'height') =>
	length(0, `the picture's ${side}`, { least: 0.01, most: 1_000 })
		.default(0)
		.describe(`Space to add ${name}: pixels, or a share of the ${side} such as \`5%\`.`);

const schema = z
	.strictObject({
		top: room('above', 'height'),
		right: room('on the right', 'width'),
		bottom: room('below', 'height'),
		left: room('on the left', 'width'),
		width: integer(1, maximumSide).optional().describe('Minimum width of the result in pixels. Replaces the sides.'),
		height: integer(1, maximumSide).optional().describe('Minimum height of the result in pixels. Replaces the sides.'),
		ratio: ratio()
			.optional()
			.describe('Aspect ratio of the result, at least as large as `width` and `height` if given. Replaces the sides.'),
		position: place().default('centre').describe('Where the picture is placed in the result.'),
		x: moves.x.describe(
			'Horizontal distance from the side that `position` names; from the centre to the right. Pixels, or a share of the width of the result.',
		),
		y: moves.y.describe('Vertical distance from the top or bottom; from the centre downwards.'),
		with: z
			.enum(materials)
			.default('background')
			.describe(
				'Fill of the added space: a colour (`background`), the mirrored picture (`mirror`), its edge pixels (`copy`) or the picture again (`repeat`).',
			),
		background: colour().default('#000000').describe('Colour of the added space.'),
	})
	.refine(
		({ top, right, bottom, left, width, height, ratio }) =>
			[top, right, bottom, left].some((room) => room !== 0) !==
			(width !== undefined || height !== undefined || ratio !== undefined),
		{ error: 'expected either sides, or a width, a height, a ratio, or several of them' },
	);
type ExtendOptions = z.infer<typeof schema>;

interface Sides {
	readonly top: number;
	readonly right: number;
	readonly bottom: number;
	readonly left: number;
}

function sidesFor(input: Size, options: ExtendOptions): Sides {
	const { width = 0, height = 0, ratio, position } = options;
	if (ratio === undefined && options.width === undefined && options.height === undefined) {
		const { top, right, bottom, left } = options;
		return {
			top: pixelsOf(top, input.height),
			right: pixelsOf(right, input.width),
			bottom: pixelsOf(bottom, input.height),
			left: pixelsOf(left, input.width),
		};
	}
	const least = { width: Math.max(input.width, width), height: Math.max(input.height, height) };
	const outer = ratio === undefined ? least : shapeAround(least, ratioOf(ratio));
	const { left, top } = movedIn(outer, input, position, options);
	return { left, top, right: outer.width - input.width - left, bottom: outer.height - input.height - top };
}

/**
 * Adds space around the picture: per side, or as much as a size or aspect ratio requires.
 *
 * @example { extend: { ratio: '1:1', background: '#ffffff' } }
 */
export const extend: Operation<ExtendOptions> = {
	name: 'extend',
	doc: 'Adds space around the picture: per side, or as much as a size or aspect ratio requires.',
	schema: schema as z.ZodType<ExtendOptions>,
	example: { ratio: '2:1', with: 'mirror' },

	predict(input, options) {
		const { top, right, bottom, left } = sidesFor(input, options);
		return {
			output: { width: input.width + left + right, height: input.height + top + bottom },
			...(options.with === 'background' && isTranslucent(options.background) && { addsAlpha: true }),
		};
	},

	apply(image, options, input) {
		const { top, right, bottom, left } = sidesFor(input, options);
		return image.extend({ top, right, bottom, left, extendWith: options.with, background: options.background });
	},
};

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

/** What is put there, as sharp names it. */
const materials = ['background', 'mirror', 'copy', 'repeat'] as const;

const room = (name: string, side: 'width' | 'height') =>
	length(0, `the picture's ${side}`, { least: 0.01, most: 1_000 })
		.default(0)
		.describe(`What to add ${name}: pixels, or a share of the ${side} such as \`5%\`.`);

const schema = z
	.strictObject({
		top: room('above', 'height'),
		right: room('on the right', 'width'),
		bottom: room('below', 'height'),
		left: room('on the left', 'width'),
		width: integer(1, maximumSide)
			.optional()
			.describe('Pixels that the picture shall be wide at least, instead of sides.'),
		height: integer(1, maximumSide)
			.optional()
			.describe('Pixels that the picture shall be high at least, instead of sides.'),
		ratio: ratio()
			.optional()
			.describe('Shape that the picture shall have, instead of sides; with a width or a height at least of that size.'),
		position: place()
			.default('centre')
			.describe('Where the picture stands in the larger one that has the size or shape.'),
		x: moves.x.describe(
			'How far from the side that the position names towards the middle; from the centre to the right. Pixels, or a share of the width of the larger one.',
		),
		y: moves.y.describe('The same from the top or the bottom; from the centre downwards.'),
		with: z
			.enum(materials)
			.default('background')
			.describe(
				'What is added: a colour (`background`), the picture in a mirror (`mirror`), its outermost pixels (`copy`) or the picture again (`repeat`).',
			),
		background: colour().default('#000000').describe('Colour that is added.'),
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
 * Adds room around the picture: so much a side, or what a size or shape lacks.
 *
 * @example { extend: { ratio: '1:1', background: '#ffffff' } }
 */
export const extend: Operation<ExtendOptions> = {
	name: 'extend',
	doc: 'Adds room around the picture: so much on each side, or what it lacks of a size or shape.',
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

import { z } from 'zod';
import { placeIn, shapeAround } from './geometry.ts';
import type { Operation, Size } from './operation.ts';
import { colour, integer, isTranslucent, maximumSide, place, ratio, ratioOf } from './options.ts';

/** What is put there, as sharp names it. */
const materials = ['background', 'mirror', 'copy', 'repeat'] as const;

const side = (name: string) => integer(0, maximumSide).default(0).describe(`Pixels to add ${name}.`);

const schema = z
	.strictObject({
		top: side('above'),
		right: side('on the right'),
		bottom: side('below'),
		left: side('on the left'),
		width: integer(1, maximumSide)
			.optional()
			.describe('Pixels that the picture shall be wide at least, instead of sides.'),
		height: integer(1, maximumSide)
			.optional()
			.describe('Pixels that the picture shall be high at least, instead of sides.'),
		ratio: ratio().optional().describe('Shape that the picture shall have, instead of sides or a size.'),
		position: place()
			.default('centre')
			.describe('Where the picture stands in the larger one that has the size or shape.'),
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
			[top + right + bottom + left > 0, width !== undefined || height !== undefined, ratio !== undefined].filter(
				Boolean,
			).length === 1,
		{ error: 'expected either sides, or a width, a height or both, or a ratio' },
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
	if (ratio === undefined && options.width === undefined && options.height === undefined) return options;
	const outer =
		ratio === undefined
			? { width: Math.max(input.width, width), height: Math.max(input.height, height) }
			: shapeAround(input, ratioOf(ratio));
	const { left, top } = placeIn(outer, input, position);
	return { left, top, right: outer.width - input.width - left, bottom: outer.height - input.height - top };
}

/**
 * Adds room around the picture: so many pixels a side, or what a size or shape lacks.
 *
 * @example { extend: { ratio: '1:1', background: '#ffffff' } }
 */
export const extend: Operation<ExtendOptions> = {
	name: 'extend',
	doc: 'Adds room around the picture: pixels on each side, or what it lacks of a size or shape.',
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

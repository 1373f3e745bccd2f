import { z } from 'zod';
import { type Offset, placeIn, shapeWithin } from './geometry.ts';
import type { Operation, Size } from './operation.ts';
import { integer, isStrategy, maximumSide, number, type Place, position, ratio, ratioOf } from './options.ts';

const pixel = integer(0, 65_535);

const schema = z
	.strictObject({
		width: integer(1, maximumSide).optional().describe('Pixels to keep; all when absent or when there are fewer.'),
		height: integer(1, maximumSide).optional().describe('Pixels to keep; all when absent or when there are fewer.'),
		ratio: ratio().optional().describe('Shape to keep as much as possible of, instead of a width and a height.'),
		position: position()
			.default('centre')
			.describe('What is kept: a side or corner, what draws the eye (`attention`) or what is busiest (`entropy`).'),
		focus: z
			.strictObject({ x: number(0, 1), y: number(0, 1) })
			.optional()
			.describe(
				'The point that is kept as near to the middle as possible, as shares of the width and height: `{ x: 0, y: 0 }` is the left top. Instead of a position.',
			),
		left: pixel
			.optional()
			.describe('Pixels left of what is kept, instead of a position. Fewer where the picture ends.'),
		top: pixel.optional().describe('Pixels above what is kept, instead of a position. Fewer where the picture ends.'),
	})
	.refine(({ width, height, ratio }) => (width === undefined && height === undefined) !== (ratio === undefined), {
		error: 'expected a width, a height or both, or else a ratio',
	})
	.refine(({ focus, left, top }) => focus === undefined || (left === undefined && top === undefined), {
		error: 'expected no focus because left or top is given',
		path: ['focus'],
	})
	.refine((options) => options.position === 'centre' || !isPlacedOtherwise(options), {
		error: 'expected no position because focus, left or top is given',
		path: ['position'],
	});
type CropOptions = z.infer<typeof schema>;

function isPlacedOtherwise({ focus, left, top }: { focus?: unknown; left?: unknown; top?: unknown }): boolean {
	return focus !== undefined || left !== undefined || top !== undefined;
}

function keptSize(input: Size, { width, height, ratio }: CropOptions): Size {
	if (ratio !== undefined) return shapeWithin(input, ratioOf(ratio));
	return { width: Math.min(width ?? input.width, input.width), height: Math.min(height ?? input.height, input.height) };
}

function keptFrom(input: Size, kept: Size, { position, focus, left, top }: CropOptions): Offset {
	const room = { left: input.width - kept.width, top: input.height - kept.height };
	const within = (at: number, most: number) => Math.max(0, Math.min(most, Math.round(at)));
	if (focus !== undefined) {
		return {
			left: within(focus.x * input.width - kept.width / 2, room.left),
			top: within(focus.y * input.height - kept.height / 2, room.top),
		};
	}
	if (left !== undefined || top !== undefined) {
		// A picture may be smaller than those for which the numbers were written.
		return { left: within(left ?? 0, room.left), top: within(top ?? 0, room.top) };
	}
	return placeIn(input, kept, position as Place);
}

/**
 * Keeps a part of the picture as it is.
 *
 * @example { crop: { ratio: '1:1', focus: { x: 0.7, y: 0.4 } } }
 */
export const crop: Operation<CropOptions> = {
	name: 'crop',
	doc: 'Keeps a part of the picture, of a size in pixels or of a shape; nothing is scaled. To crop and scale, `resize` with a width and a height is quicker, because it needs no more of the picture than what it makes.',
	schema: schema as z.ZodType<CropOptions>,
	example: { ratio: '4:5', position: 'attention' },

	predict: (input, options) => ({ output: keptSize(input, options) }),

	apply(image, options, input) {
		const kept = keptSize(input, options);
		const { position } = options;
		// Without the last option sharp would scale the picture down to what is kept before it looks for it.
		if (isStrategy(position)) return image.resize({ ...kept, fit: 'cover', position, withoutReduction: true });
		return image.extract({ ...kept, ...keptFrom(input, kept, options) });
	},

	repeat(_options, _input, { width, height, cropOffsetLeft, cropOffsetTop }) {
		if (cropOffsetLeft === undefined || cropOffsetTop === undefined) return undefined;
		return (image) => image.extract({ left: -cropOffsetLeft, top: -cropOffsetTop, width, height });
	},
};

import * as z from 'zod';
import { aroundPoint, clampOffset, movedIn, type Offset, shapeWithin } from './geometry.ts';
import type { Operation, Size } from './operation.ts';
import { integer, isStrategy, moves, type Place, pixelsOf, point, position, ratio, ratioOf, side } from './options.ts';

const pixel = integer(0, 65_535);
const keeps = 'to keep: pixels, or a share such as `50%`; all when absent or when there are fewer.';

const schema = z
	.strictObject({
		width: side('width').optional().describe(`Width ${keeps}`),
		height: side('height').optional().describe(`Height ${keeps}`),
		ratio: ratio().optional().describe('Shape to keep as much as possible of, within a width and a height if given.'),
		position: position()
			.default('centre')
			.describe('What is kept: a side or corner, what draws the eye (`attention`) or what is busiest (`entropy`).'),
		...moves,
		focus: point()
			.optional()
			.describe(
				'The point that is kept as near to the middle as possible, as shares of the width and height: `{ x: 0, y: 0 }` is the left top. Instead of a position.',
			),
		left: pixel
			.optional()
			.describe('Pixels left of what is kept, instead of a position. Fewer where the picture ends.'),
		top: pixel.optional().describe('Pixels above what is kept, instead of a position. Fewer where the picture ends.'),
	})
	.refine(({ width, height, ratio }) => width !== undefined || height !== undefined || ratio !== undefined, {
		error: 'expected a width, a height, a ratio, or several of them',
	})
	.refine(({ focus, left, top }) => focus === undefined || (left === undefined && top === undefined), {
		error: 'expected no focus because left or top is given',
		path: ['focus'],
	})
	.refine((options) => options.position === 'centre' || !isPlacedOtherwise(options), {
		error: 'expected no position because focus, left or top is given',
		path: ['position'],
	})
	.refine((options) => !isMoved(options) || !(isPlacedOtherwise(options) || isStrategy(options.position)), {
		error: 'expected no x and y because nothing but a side, a corner or centre is moved from',
		path: ['x'],
	});
type CropOptions = z.infer<typeof schema>;

function isPlacedOtherwise({ focus, left, top }: { focus?: unknown; left?: unknown; top?: unknown }): boolean {
	return focus !== undefined || left !== undefined || top !== undefined;
}

function isMoved({ x, y }: { x?: unknown; y?: unknown }): boolean {
	return x !== undefined || y !== undefined;
}

function keptSize(input: Size, { width = '100%', height = '100%', ratio }: CropOptions): Size {
	const along = (length: typeof width, whole: number) => Math.min(Math.max(1, pixelsOf(length, whole)), whole);
	const kept = { width: along(width, input.width), height: along(height, input.height) };
	return ratio === undefined ? kept : shapeWithin(kept, ratioOf(ratio));
}

function keptFrom(input: Size, kept: Size, options: CropOptions): Offset {
	const { position, focus, left, top } = options;
	if (focus !== undefined) return aroundPoint(input, kept, focus);
	// A picture may be smaller than those for which the numbers were written.
	if (left !== undefined || top !== undefined) return clampOffset(input, kept, { left: left ?? 0, top: top ?? 0 });
	return movedIn(input, kept, position as Place, options);
}

/**
 * Keeps a part of the picture as it is.
 *
 * @example { crop: { ratio: '1:1', focus: { x: 0.7, y: 0.4 } } }
 */
export const crop: Operation<CropOptions> = {
	name: 'crop',
	doc: 'Keeps a part of the picture, of a size or of a shape; nothing is scaled. To crop and scale, `resize` with a width and a height is quicker, because it needs no more of the picture than what it makes.',
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

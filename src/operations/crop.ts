import * as z from 'zod';
import { aroundPoint, clampOffset, movedIn, type Offset, shapeWithin } from './geometry.ts';
import type { Operation, Size } from './operation.ts';
import { integer, isStrategy, moves, type Place, pixelsOf, point, position, ratio, ratioOf, side } from './options.ts';

const pixel = integer(0, 65_535);
const keeps = 'of the result: pixels, or a share such as `50%`. Never more than the picture has.';

const schema = z
	.strictObject({
		width: side('width').optional().describe(`Width ${keeps}`),
		height: side('height').optional().describe(`Height ${keeps}`),
		ratio: ratio()
			.optional()
			.describe('Aspect ratio of the result, as large as the picture (or the given width and height) allows.'),
		position: position()
			.default('centre')
			.describe('Part to keep: a side, a corner, the most eye-catching part (`attention`) or the busiest (`entropy`).'),
		...moves,
		focus: point()
			.optional()
			.describe(
				'Point to keep as close to the middle as possible, in shares of width and height: `{ x: 0, y: 0 }` is the top left. Replaces `position`.',
			),
		left: pixel
			.optional()
			.describe('Pixels to cut on the left, at most as many as the picture allows. Replaces `position`.'),
		top: pixel
			.optional()
			.describe('Pixels to cut at the top, at most as many as the picture allows. Replaces `position`.'),
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
	// The picture may be smaller than the numbers assume.
	if (left !== undefined || top !== undefined) return clampOffset(input, kept, { left: left ?? 0, top: top ?? 0 });
	return movedIn(input, kept, position as Place, options);
}

/**
 * Keeps a part of the picture without scaling it.
 *
 * @example { crop: { ratio: '1:1', focus: { x: 0.7, y: 0.4 } } }
 */
export const crop: Operation<CropOptions> = {
	name: 'crop',
	doc: 'Crops the picture to a size or an aspect ratio without scaling. To crop and scale, use `resize` with a width and a height, which is faster.',
	schema: schema as z.ZodType<CropOptions>,
	example: { ratio: '4:5', position: 'attention' },

	predict: (input, options) => ({ output: keptSize(input, options) }),

	apply(image, options, input) {
		const kept = keptSize(input, options);
		const { position } = options;
		// Without `withoutReduction` sharp would scale the picture down to the result before it looks for the part to keep.
		if (isStrategy(position)) return image.resize({ ...kept, fit: 'cover', position, withoutReduction: true });
		return image.extract({ ...kept, ...keptFrom(input, kept, options) });
	},

	repeat(_options, _input, { width, height, cropOffsetLeft, cropOffsetTop }) {
		if (cropOffsetLeft === undefined || cropOffsetTop === undefined) return undefined;
		return (image) => image.extract({ left: -cropOffsetLeft, top: -cropOffsetTop, width, height });
	},
};

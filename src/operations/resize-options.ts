import * as z from 'zod';
import { kernels } from './operation.ts';
import { colour, integer, isStrategy, maximumSide, moves, number, point, position, side } from './options.ts';

const fits = ['cover', 'contain', 'fill', 'inside', 'outside', 'auto'] as const;

/** Shares of the picture's own size; more than 100 % enlarges it. */
const shares = { least: 0.01, most: 10_000 };

/** Options of `resize`, named as in sharp where it has them. */
export const schema = z
	.strictObject({
		width: side('width', shares)
			.optional()
			.describe(
				"Width: pixels, or a share of the picture's own width such as `50%`. Follows from the height when absent.",
			),
		height: side('height', shares)
			.optional()
			.describe(
				"Height: pixels, or a share of the picture's own height such as `50%`. Follows from the width when absent.",
			),
		minWidth: integer(1, maximumSide)
			.optional()
			.describe(
				'Minimum width of the result in pixels; the aspect ratio is kept. Not for a `fit` that crops or adds a background.',
			),
		minHeight: integer(1, maximumSide).optional().describe('Minimum height of the result in pixels, like `minWidth`.'),
		dpr: number(0.1, 8)
			.optional()
			.describe('Device pixel ratio: all lengths in pixels are multiplied by it. Default 1.'),
		minDpr: number(0.1, 8)
			.optional()
			.describe('Smallest device pixel ratio to fall back to when the picture has too few pixels for `dpr`.'),
		fit: z
			.enum(fits)
			.default('cover')
			.describe(
				'How the picture fits width × height: `cover` crops, `contain` pads, `fill` stretches, `inside` and `outside` keep the ratio, `auto` depends on orientation.',
			),
		position: position()
			.default('centre')
			.describe(
				'Part that `cover` keeps or place for `contain`: a side, a corner; for `cover` also the eye-catching (`attention`) or busiest part (`entropy`).',
			),
		x: moves.x.describe(
			'For `cover`: horizontal distance from the side that `position` names; from the centre to the right. Pixels, or a share of the scaled width.',
		),
		y: moves.y.describe('For `cover`: vertical distance from the top or bottom; from the centre downwards.'),
		focus: point()
			.optional()
			.describe(
				'For `cover`: point to keep as close to the middle as possible, in shares of width and height. Replaces `position`.',
			),
		kernel: z.enum(kernels).default('lanczos3').describe('Interpolation kernel for scaling down.'),
		withoutEnlargement: z.boolean().default(false).describe('Never enlarge: a smaller picture keeps its size.'),
		orSmaller: z
			.boolean()
			.optional()
			.describe(
				'For `cover` and `fill`: never enlarge. A picture that is too small becomes the largest size of the same aspect ratio.',
			),
		background: colour().default('#000000').describe('Background colour for `contain`.'),
	})
	.refine(({ width, height, minWidth, minHeight }) => [width, height, minWidth, minHeight].some(isGiven), {
		error: 'expected a width, a height, a minWidth, a minHeight, or several of them',
	})
	.refine((options) => options.fit !== 'contain' || !isStrategy(options.position), {
		error: 'expected a side, a corner or centre because fit is contain',
		path: ['position'],
	})
	.refine((options) => !isTooLarge(options), {
		error: `expected width and height to be at most ${maximumSide} pixels when multiplied by dpr`,
		path: ['dpr'],
	})
	.refine(({ dpr = 1, minDpr = dpr }) => minDpr <= dpr, {
		error: 'expected at most the value of dpr',
		path: ['minDpr'],
	})
	.refine((options) => !options.orSmaller || options.fit === 'cover' || options.fit === 'fill', {
		error: 'expected no such key because fit is neither cover nor fill',
		path: ['orSmaller'],
	})
	.refine(({ minWidth, minHeight, ...rest }) => !(isGiven(minWidth) || isGiven(minHeight)) || !isFramed(rest), {
		error: 'expected no minWidth and minHeight because fit crops or adds a background',
		path: ['minWidth'],
	})
	.refine((options) => !isPlaced(options) || (isCut(options) && !isStrategy(options.position)), {
		error: 'expected no x, y and focus because nothing is cropped, or the content decides the position',
		path: ['x'],
	})
	.refine(({ focus, position, x, y }) => !focus || !(position !== 'centre' || isGiven(x) || isGiven(y)), {
		error: 'expected no focus because position, x or y is given',
		path: ['focus'],
	});
export type ResizeOptions = z.infer<typeof schema>;

/** Declared on its own, because the type of the schema would otherwise depend on the refinements that use it. */
interface Written {
	readonly width?: unknown;
	readonly height?: unknown;
	readonly minWidth?: unknown;
	readonly minHeight?: unknown;
	readonly dpr?: number | undefined;
	readonly fit?: string;
	readonly x?: unknown;
	readonly y?: unknown;
	readonly focus?: unknown;
}

export function isGiven(value: unknown): boolean {
	return value !== undefined;
}

/** Are there more device pixels than operations make? */
function isTooLarge({ width, height, minWidth, minHeight, dpr = 1 }: Written): boolean {
	const sides = [width, height, minWidth, minHeight].filter((side) => typeof side === 'number');
	return Math.max(1, ...sides) * dpr > maximumSide;
}

function isCut({ width, height, fit }: Written): boolean {
	return (fit === 'cover' || fit === 'auto') && isGiven(width) && isGiven(height);
}

function isFramed(asked: Written): boolean {
	return isCut(asked) || asked.fit === 'contain';
}

/** Is the crop placed in a way that sharp has no option for? */
export function isPlaced({ x, y, focus }: Written): boolean {
	return [x, y, focus].some(isGiven);
}

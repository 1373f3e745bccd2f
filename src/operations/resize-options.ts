import * as z from 'zod';
import { kernels } from './operation.ts';
import { colour, integer, isStrategy, maximumSide, moves, number, point, position, side } from './options.ts';

const fits = ['cover', 'contain', 'fill', 'inside', 'outside', 'auto'] as const;

/** Of the picture's own size: it may be enlarged as well, as far as pictures go at all. */
const shares = { least: 0.01, most: 10_000 };

/** Options of `resize`, with words of sharp where it has any. */
export const schema = z
	.strictObject({
		width: side('width', shares)
			.optional()
			.describe('Pixels, or a share of its own width such as `50%`; follows from the height when absent.'),
		height: side('height', shares)
			.optional()
			.describe('Pixels, or a share of its own height such as `50%`; follows from the width when absent.'),
		minWidth: integer(1, maximumSide)
			.optional()
			.describe(
				'Pixels that the picture becomes wide at least, whatever else is said; it keeps its shape. Not where it is cut or something is added.',
			),
		minHeight: integer(1, maximumSide).optional().describe('The same of its height.'),
		dpr: number(0.1, 8)
			.optional()
			.describe('Pixels of the device for each of the page: pixels of all sides are multiplied by it. 1 when absent.'),
		minDpr: number(0.1, 8)
			.optional()
			.describe(
				'Where the picture has too few pixels for `dpr`: as many for each of the page as it has, and this at least.',
			),
		fit: z
			.enum(fits)
			.default('cover')
			.describe(
				'How a picture of another shape fills width × height: `cover` crops, `contain` adds background, `fill` distorts, `inside` and `outside` keep the shape and at most or at least fill it; `auto` is `cover` where both lie or both stand, `inside` elsewhere.',
			),
		position: position()
			.default('centre')
			.describe(
				'What `cover` keeps or where `contain` places: a side or corner, or for `cover` what draws the eye (`attention`) or is busiest (`entropy`).',
			),
		x: moves.x.describe(
			'For `cover`: how far from the side that the position names towards the middle; from the centre to the right. Pixels, or a share of the width of the picture once it is scaled.',
		),
		y: moves.y.describe('The same from the top or the bottom; from the centre downwards.'),
		focus: point()
			.optional()
			.describe(
				'For `cover`: the point that is kept as near to the middle as possible, as shares of the width and height. Instead of a position.',
			),
		kernel: z.enum(kernels).default('lanczos3').describe('How pixels are combined when scaling down.'),
		withoutEnlargement: z.boolean().default(false).describe('Never scale up: a smaller picture stays as it is.'),
		orSmaller: z
			.boolean()
			.optional()
			.describe(
				'For `cover` and `fill`: never scale up, and of a picture that is too small make the largest size of the same shape.',
			),
		background: colour().default('#000000').describe('Colour that `contain` adds.'),
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
	.refine(({ dpr = 1, minDpr = dpr }) => minDpr <= dpr, { error: 'expected at most what dpr is', path: ['minDpr'] })
	.refine((options) => !options.orSmaller || options.fit === 'cover' || options.fit === 'fill', {
		error: 'expected no such key because fit is neither cover nor fill',
		path: ['orSmaller'],
	})
	.refine(({ minWidth, minHeight, ...rest }) => !(isGiven(minWidth) || isGiven(minHeight)) || !isFramed(rest), {
		error: 'expected no minWidth and minHeight because fit cuts or adds something',
		path: ['minWidth'],
	})
	.refine((options) => !isPlaced(options) || (isCut(options) && !isStrategy(options.position)), {
		error: 'expected no x, y and focus because nothing is cut, or the position is found in the picture',
		path: ['x'],
	})
	.refine(({ focus, position, x, y }) => !focus || !(position !== 'centre' || isGiven(x) || isGiven(y)), {
		error: 'expected no focus because another place is given',
		path: ['focus'],
	});
export type ResizeOptions = z.infer<typeof schema>;

/** Said by itself, or the type of the schema would depend on what it asks here. */
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

/** More pixels of the device than operations make. */
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

/** At a place that sharp has no word for. */
export function isPlaced({ x, y, focus }: Written): boolean {
	return [x, y, focus].some(isGiven);
}

import * as z from 'zod';

/** Building blocks for options. Every rejected value reports the expected one. */

/** An integer in a range, both ends allowed. */
export function integer(minimum: number, maximum: number) {
	const error = `expected an integer from ${minimum} to ${maximum}`;
	return z.int({ error }).min(minimum, { error }).max(maximum, { error });
}

/** A number in a range, both ends allowed. */
export function number(minimum: number, maximum: number) {
	const error = `expected a number from ${minimum} to ${maximum}`;
	return z.number({ error }).min(minimum, { error }).max(maximum, { error });
}

/** A colour with or without opacity: `#rgb`, `#rrggbb` or `#rrggbbaa`, normalised to one spelling. */
export function colour() {
	const error = 'expected a colour such as #ffffff or #00000080';
	return z
		.string({ error })
		.regex(/^#([0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i, { error })
		.overwrite((text) => longColour(text.toLowerCase()));
}

/** A colour without opacity: `#rgb` or `#rrggbb`. */
export function opaqueColour() {
	const error = 'expected a colour such as #ffffff';
	return z
		.string({ error })
		.regex(/^#([0-9a-f]{3}|[0-9a-f]{6})$/i, { error })
		.overwrite((text) => longColour(text.toLowerCase()));
}

function longColour(text: string): string {
	const long = text.length === 4 ? text.replaceAll(/[0-9a-f]/g, '$&$&') : text;
	return long.length === 9 && long.endsWith('ff') ? long.slice(0, 7) : long;
}

/** Is a colour that `colour()` accepted translucent? */
export function isTranslucent(text: string): boolean {
	return text.length === 9;
}

/** Red, green and blue of an accepted colour, 0 to 255. */
export function channelsOf(text: string): readonly [number, number, number] {
	const at = (index: number) => Number.parseInt(text.slice(index, index + 2), 16);
	return [at(1), at(3), at(5)];
}

/** Opacity of an accepted colour, 0 to 1. */
export function opacityOf(text: string): number {
	return isTranslucent(text) ? Number.parseInt(text.slice(7), 16) / 255 : 1;
}

/** Width to height, written `16:9` or `1.91:1`. */
export function ratio() {
	const error = 'expected a ratio of width to height such as 16:9, from 1:100 to 100:1';
	return z
		.string({ error })
		.regex(/^\d{1,5}(\.\d{1,4})?:\d{1,5}(\.\d{1,4})?$/, { error })
		.refine((text) => ratioOf(text) >= 0.01 && ratioOf(text) <= 100, { error });
}

/** The value of a ratio: width / height. */
export function ratioOf(text: string): number {
	const [width, height] = text.split(':').map(Number) as [number, number];
	return width / height;
}

/** Places that a crop is taken from or a picture is put at. */
const places = [
	'centre',
	'top',
	'right top',
	'right',
	'right bottom',
	'bottom',
	'left bottom',
	'left',
	'left top',
] as const;

/** Ways to place a crop by the content of the picture. */
const strategies = ['attention', 'entropy'] as const;
type Strategy = (typeof strategies)[number];

export function isStrategy(position: string): position is Strategy {
	return (strategies as readonly string[]).includes(position);
}

/** A side, a corner or the centre. */
export function place() {
	return z.enum([...places, 'center']).overwrite(oneSpelling);
}
export type Place = z.infer<ReturnType<typeof place>>;

/** A side, a corner, the centre, or a strategy that looks at the content. */
export function position() {
	return z.enum([...places, 'center', ...strategies]).overwrite(oneSpelling);
}

/** Two spellings of one place would have two digests. */
function oneSpelling<Value extends string>(value: Value): Value {
	return (value === 'center' ? 'centre' : value) as Value;
}

/** A point of the picture in shares of its width and height: `{ x: 0, y: 0 }` is the top left. */
export function point() {
	return z.strictObject({ x: number(0, 1), y: number(0, 1) });
}
export type Point = z.infer<ReturnType<typeof point>>;

/** Largest width or height that an option accepts, in pixels: the limit of AVIF and, less one, of WebP. */
export const maximumSide = 16_384;

/** A length: pixels, or a share of a side of the picture. */
export type Length = number | `${number}%`;

/** A share in percent, with up to four decimals. */
const sharePattern = /^-?(0|[1-9]\d{0,4})(\.\d{1,4})?%$/;

/**
 * A length in a range, with shares normalised to one spelling.
 *
 * @param minimum pixels; the share goes from 1 % or, where pixels may be negative, from -100 %, unless `shares` says otherwise
 */
export function length(
	minimum: number,
	sharedWith: string,
	shares?: { readonly least: number; readonly most: number },
) {
	const { least, most } = shares ?? { least: minimum < 0 ? -100 : 1, most: 100 };
	const error = `expected pixels from ${minimum} to ${maximumSide}, or a share of ${sharedWith} from ${least}% to ${most}%`;
	const isInRange = (share: string) => Number.parseFloat(share) >= least && Number.parseFloat(share) <= most;
	return z.union(
		[
			z.int({ error }).min(minimum, { error }).max(maximumSide, { error }),
			z
				.string({ error })
				.regex(sharePattern, { error })
				.refine(isInRange, { error })
				.overwrite((share) => (share.includes('.') ? `${Number.parseFloat(share)}%` : share)),
		],
		{ error },
	) as z.ZodType<Length>;
}

/** @param whole the length that a share refers to, in pixels */
export function pixelsOf(length: Length, whole: number): number {
	return typeof length === 'number' ? length : Math.round((whole * Number.parseFloat(length)) / 100);
}

/** Range of shares of a side; the smallest is below a pixel of any picture. */
const shareOfSide = { least: 0.01, most: 100 };

/** Pixels, or a share of the same side of the picture. @param shares range of the share */
export function side(name: 'width' | 'height', shares = shareOfSide) {
	return length(1, `the picture's ${name}`, shares);
}

/** Offsets from the place that `position` names. They have no default, so that digests of recipes without them stay the same. */
export const moves = {
	x: length(-maximumSide, "the picture's width")
		.optional()
		.describe(
			'Horizontal distance from the side that `position` names; from the centre to the right. Pixels, or a share such as `3%`.',
		),
	y: length(-maximumSide, "the picture's height")
		.optional()
		.describe('Vertical distance from the top or bottom; from the centre downwards.'),
};

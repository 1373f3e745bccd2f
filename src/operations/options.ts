import { z } from 'zod';

/** Building blocks for options, so that every rejected value says what was expected. */

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

/** A colour with or without opacity: `#rgb`, `#rrggbb` or `#rrggbbaa`; the same colour is written the same from then on. */
export function colour() {
	const error = 'expected a colour such as #ffffff or #00000080';
	return z
		.string({ error })
		.regex(/^#([0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i, { error })
		.overwrite((text) => longColour(text.toLowerCase()));
}

/** A colour where opacity would have no meaning: `#rgb` or `#rrggbb`. */
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

/** Does a colour that `colour()` accepted let something show through? */
export function isTranslucent(text: string): boolean {
	return text.length === 9;
}

/** Red, green and blue of a colour that was accepted, 0 to 255. */
export function channelsOf(text: string): readonly [number, number, number] {
	const at = (index: number) => Number.parseInt(text.slice(index, index + 2), 16);
	return [at(1), at(3), at(5)];
}

/** Opacity of a colour that was accepted, 0 to 1. */
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

/** The number that a ratio stands for: width / height. */
export function ratioOf(text: string): number {
	const [width, height] = text.split(':').map(Number) as [number, number];
	return width / height;
}

/** Where a crop is taken from or a picture is placed. */
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

/** Where a crop is taken from, decided by what is in the picture. */
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

/** A side, a corner, the centre, or what is in the picture decides. */
export function position() {
	return z.enum([...places, 'center', ...strategies]).overwrite(oneSpelling);
}

/** Two spellings of one place would have two digests. */
function oneSpelling<Value extends string>(value: Value): Value {
	return (value === 'center' ? 'centre' : value) as Value;
}

/** Largest width or height that an operation may be asked for, pixels: what AVIF and, less one, WebP can hold. */
export const maximumSide = 16_384;

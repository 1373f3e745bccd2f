import { z } from 'zod';

/** Building blocks for options, so that every rejected value says what was expected. */

/** An integer in a range, both ends allowed. */
export function integer(minimum: number, maximum: number) {
	const error = `expected an integer from ${minimum} to ${maximum}`;
	return z.int({ error }).min(minimum, { error }).max(maximum, { error });
}

/** A colour with or without opacity: `#rgb`, `#rrggbb` or `#rrggbbaa`, written in small letters from then on. */
export function colour() {
	const error = 'expected a colour such as #ffffff or #00000080';
	return z
		.string({ error })
		.regex(/^#([0-9a-f]{3}|[0-9a-f]{6}|[0-9a-f]{8})$/i, { error })
		.overwrite((text) => text.toLowerCase());
}

/** Largest width or height that an operation may be asked for, pixels: what AVIF and, less one, WebP can hold. */
export const maximumSide = 16_384;

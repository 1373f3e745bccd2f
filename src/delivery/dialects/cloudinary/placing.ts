import type { Moves, Offset } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import { maximumSide, type Place } from '../../../operations/options.ts';
import type { Component } from './components.ts';
import { integerOf, numberOf, unreadable, unsupported } from './values.ts';

/** Where something is taken from or put: `g_`, `x_` and `y_`. */

/** A side, a corner or the centre; what draws the eye; or a point. */
export type Gravity = Place | 'attention' | 'point';

const compass: ReadonlyMap<string, Gravity> = new Map<string, Gravity>([
	['center', 'centre'],
	['north', 'top'],
	['north_east', 'right top'],
	['east', 'right'],
	['south_east', 'right bottom'],
	['south', 'bottom'],
	['south_west', 'left bottom'],
	['west', 'left'],
	['north_west', 'left top'],
	['auto', 'attention'],
	['xy_center', 'point'],
]);

const knownGravities = `one of ${[...compass.keys()].join(', ')}`;

/** @throws PicpipeError `option-unsupported` */
export function takeGravity(component: Component): Gravity | undefined {
	const text = component.take('g');
	if (text === undefined) return undefined;
	const gravity = compass.get(text);
	if (gravity === undefined) throw unsupported('g_', knownGravities, text);
	return gravity;
}

/** A length: pixels, or a share of a side, which Cloudinary tells from pixels by its decimal point. */
export type Length = { readonly pixels: number } | { readonly share: number };

/** Largest share: a sixteenth of the largest picture is as large as that. */
const maximumShare = 16;

/** What it may be: of a side more than nothing, of an offset either way. */
export type LengthKind = 'side' | 'offset';

/** @throws PicpipeError `invalid-delivery-url` */
export function lengthOf(name: string, text: string, kind: LengthKind): Length {
	const minimum = kind === 'side' ? 1 : -maximumSide;
	if (/^-?\d+$/.test(text)) return { pixels: integerOf(name, text, minimum, maximumSide) };
	if (/^(auto|i[wh]|[wh]|\$)/.test(text)) throw unsupported(name, 'a number', text);
	const share = numberOf(name, text, kind === 'side' ? 0 : -maximumShare, maximumShare);
	if (kind === 'side' && share === 0) throw unreadable(name, `a number above 0, at most ${maximumShare},`, text);
	return { share };
}

export function takeLength(component: Component, key: string, kind: LengthKind): Length | undefined {
	const text = component.take(key);
	return text === undefined ? undefined : lengthOf(`${key}_`, text, kind);
}

/**
 * @param whole what a share is of
 * @param dpr what pixels are multiplied with
 * @throws PicpipeError `invalid-delivery-url` when it would be larger than operations take
 */
export function pixelsOf(name: string, length: Length, whole: number, dpr: number): number {
	const pixels = Math.round('share' in length ? length.share * whole : length.pixels * dpr) + 0;
	if (Math.abs(pixels) > maximumSide) throw unreadable(name, `at most ${maximumSide} pixels`, String(pixels));
	return pixels;
}

/** How far something is moved from where its gravity has it: towards the middle; from the centre right and down. */
export interface Move {
	readonly x: Length | undefined;
	readonly y: Length | undefined;
}

export function takeMove(component: Component): Move {
	return { x: takeLength(component, 'x', 'offset'), y: takeLength(component, 'y', 'offset') };
}

/** @throws PicpipeError */
export function offsetOf({ x, y }: Move, picture: Size, dpr: number): Offset {
	return {
		left: x ? pixelsOf('x_', x, picture.width, dpr) : 0,
		top: y ? pixelsOf('y_', y, picture.height, dpr) : 0,
	};
}

/** As operations take it, which know what a share is one of. @throws PicpipeError */
export function movesOf({ x, y }: Move, dpr: number): Moves {
	const along = (name: string, length: Length | undefined) => {
		if (!length) return 0;
		if (!('share' in length)) return pixelsOf(name, length, 0, dpr);
		if (Math.abs(length.share) > 1) throw unreadable(name, 'a share from -1 to 1', String(length.share));
		return `${Number((length.share * 100).toFixed(4)) + 0}%` as const;
	};
	const [right, down] = [along('x_', x), along('y_', y)];
	return { ...(right !== 0 && { x: right }), ...(down !== 0 && { y: down }) };
}

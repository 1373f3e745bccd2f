import { type Offset, roundToEven } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import type { Place } from '../../../operations/options.ts';
import { number, oneOf } from './arguments.ts';
import { unexpected, unsupported } from './refusals.ts';

/** Sides and corners as imgproxy names them, and as we do. */
export const places = {
	ce: 'centre',
	no: 'top',
	so: 'bottom',
	ea: 'right',
	we: 'left',
	noea: 'right top',
	nowe: 'left top',
	soea: 'right bottom',
	sowe: 'left bottom',
} as const satisfies Record<string, Place>;
export type PlaceName = keyof typeof places;
export const placeNames = Object.keys(places) as readonly PlaceName[];

/** What is kept of a picture that is cut, or where it stands in one that grows. */
export type Gravity =
	/** At a side, moved from there: pixels where 1 or more, shares of the picture where less. */
	| { readonly type: 'place'; readonly place: Place; readonly x: number; readonly y: number }
	/** Around a point, which is given in shares. */
	| { readonly type: 'point'; readonly x: number; readonly y: number }
	/** What draws the eye. */
	| { readonly type: 'smart' };

export const centre = { type: 'place', place: 'centre', x: 0, y: 0 } as const satisfies Gravity;

/** Furthest that something is moved, pixels. */
export const maximumOffset = 65_535;

/** @param args type, x, y */
export function readGravity(option: string, args: readonly string[], isSmartAllowed = true): Gravity {
	const [type = '', x = '', y = ''] = args;
	if (type === 'obj' || type === 'objw') throw unsupported(`${option}:${type}`, 'Objects are not looked for.');
	const names = [...placeNames, 'fp', ...(isSmartAllowed ? (['sm'] as const) : [])] as const;
	const name = oneOf(option, type, names);
	if (args.length > (name === 'sm' ? 1 : 3)) throw unexpected('fewer arguments', option, args.join(':'));
	if (name === 'sm') return { type: 'smart' };
	if (name === 'fp') return { type: 'point', x: number(option, x, 0, 1), y: number(option, y, 0, 1) };
	const offset = (text: string) => (text === '' ? 0 : number(option, text, -maximumOffset, maximumOffset));
	return { type: 'place', place: places[name], x: offset(x), y: offset(y) };
}

/** Does it say no more than a side or corner? */
export function isPlain(gravity: Gravity): gravity is Extract<Gravity, { type: 'place' }> {
	return gravity.type === 'place' && gravity.x === 0 && gravity.y === 0;
}

/**
 * Where a size stands in a larger one, never outside of it.
 *
 * @param dpr by which pixels are multiplied
 */
export function standsAt(outer: Size, inner: Size, gravity: Exclude<Gravity, { type: 'smart' }>, dpr: number): Offset {
	const within = (at: number, most: number) => Math.max(0, Math.min(at, most));
	const room = { left: outer.width - inner.width, top: outer.height - inner.height };
	if (gravity.type === 'point') {
		return {
			left: within(roundToEven(outer.width * gravity.x) - Math.floor(inner.width / 2), room.left),
			top: within(roundToEven(outer.height * gravity.y) - Math.floor(inner.height / 2), room.top),
		};
	}
	const { place } = gravity;
	const along = (space: number, offset: number, isAtStart: boolean, isAtEnd: boolean) => {
		if (isAtStart) return offset;
		return isAtEnd ? space - offset : Math.floor((space + 1) / 2) + offset;
	};
	const [x, y] = [offsetPixels(gravity.x, outer.width, dpr), offsetPixels(gravity.y, outer.height, dpr)];
	return {
		left: within(along(room.left, x, place.includes('left'), place.includes('right')), room.left),
		top: within(along(room.top, y, place.includes('top'), place.includes('bottom')), room.top),
	};
}

/** Pixels of an offset: it is a share of the side where it is less than 1. */
export function offsetPixels(offset: number, side: number, dpr: number): number {
	return roundToEven(Math.abs(offset) >= 1 ? offset * dpr : offset * side) + 0;
}

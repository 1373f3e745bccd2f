import { type Offset, roundToEven } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import { maximumSide, type Place } from '../../../operations/options.ts';
import { percent } from '../shared/step-list.ts';

/** Sides and corners: imgproxy's names and those of operations. */
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

/** Which part of a cropped picture is kept, or where a picture stands in an extended one. */
export type ImgproxyGravity =
	/** At a side, with an offset: pixels from 1 upwards, a share of the picture below 1. */
	| { readonly type: 'place'; readonly place: Place; readonly x: number; readonly y: number }
	/** Around a point, in shares of the sides. */
	| { readonly type: 'point'; readonly x: number; readonly y: number }
	/** The most striking part. */
	| { readonly type: 'smart' };

export const centre = { type: 'place', place: 'centre', x: 0, y: 0 } as const satisfies ImgproxyGravity;

/** Largest offset, pixels. */
export const maximumOffset = 65_535;

/** Whether a gravity is a side or corner without an offset. */
export function isPlain(gravity: ImgproxyGravity): gravity is Extract<ImgproxyGravity, { type: 'place' }> {
	return gravity.type === 'place' && gravity.x === 0 && gravity.y === 0;
}

/**
 * The position of a size inside a larger one, never outside; as `calcPosition` of imgproxy's `processing` has it.
 *
 * @param dpr multiplies pixels
 */
export function standsAt(
	outer: Size,
	inner: Size,
	gravity: Exclude<ImgproxyGravity, { type: 'smart' }>,
	dpr: number,
): Offset {
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
		return isAtEnd ? space - offset : roundToEven((space + 1) / 2) + offset;
	};
	const [x, y] = [offsetPixels(gravity.x, outer.width, dpr), offsetPixels(gravity.y, outer.height, dpr)];
	return {
		left: within(along(room.left, x, place.includes('left'), place.includes('right')), room.left),
		top: within(along(room.top, y, place.includes('top'), place.includes('bottom')), room.top),
	};
}

/** The pixels of an offset; below 1 it is a share of the side. */
export function offsetPixels(offset: number, side: number, dpr: number): number {
	return roundToEven(Math.abs(offset) >= 1 ? offset * dpr : offset * side) + 0;
}

/** A share of a length, never so small that it rounds to zero. */
export function share(of: number): string {
	return percent(Math.max(of, 1e-4));
}

/**
 * A gravity for `crop`, `resize` and `extend`, which know the size.
 *
 * @param dpr multiplies pixels
 */
export function placement(gravity: ImgproxyGravity, dpr: number): Readonly<Record<string, unknown>> {
	if (gravity.type === 'smart') return { position: 'attention' };
	if (gravity.type === 'point') return { focus: { x: gravity.x, y: gravity.y } };
	const { place, x, y } = gravity;
	return {
		...(place !== 'centre' && { position: place }),
		...(x !== 0 && { x: offset(x, dpr) }),
		...(y !== 0 && { y: offset(y, dpr) }),
	};
}

/** An offset for operations: pixels, or a share if it is less than 1. */
export function offset(by: number, dpr: number): number | string {
	return Math.abs(by) >= 1 ? limitedOffset(offsetPixels(by, 0, dpr)) : percent(by);
}

/** Limits an offset to the operations' range. */
export function limitedOffset(pixels: number): number {
	return Math.max(-maximumSide, Math.min(pixels, maximumSide));
}

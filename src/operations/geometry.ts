import type { Size } from './operation.ts';
import type { Length, Place, Point } from './options.ts';

/** A position in pixels from the left and from the top. */
export interface Offset {
	readonly left: number;
	readonly top: number;
}

/** Where a size is placed in a larger one. */
export function placeIn(outer: Size, inner: Size, place: Place): Offset {
	return {
		left: along(outer.width - inner.width, place.includes('left'), place.includes('right')),
		top: along(outer.height - inner.height, place.includes('top'), place.includes('bottom')),
	};
}

/** Distances from a place towards the middle; from the centre to the right and down. */
export interface Moves {
	readonly x?: Length | undefined;
	readonly y?: Length | undefined;
}

/** Where a size is placed in a larger one, moved from its place but never outside. */
export function movedIn(outer: Size, inner: Size, place: Place, { x = 0, y = 0 }: Moves): Offset {
	const { left, top } = placeIn(outer, inner, place);
	const pixels = (length: Length, side: number) =>
		typeof length === 'number' ? length : roundToEven((side * Number.parseFloat(length)) / 100);
	return clampOffset(outer, inner, {
		left: left + pixels(x, outer.width) * (place.includes('right') ? -1 : 1),
		top: top + pixels(y, outer.height) * (place.includes('bottom') ? -1 : 1),
	});
}

/** Rounds halves to the even neighbour, as imgproxy rounds offsets. */
export function roundToEven(value: number): number {
	const rounded = Math.round(value);
	return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** Where a size is placed in a larger one with a point as close to its middle as possible. */
export function aroundPoint(outer: Size, inner: Size, { x, y }: Point): Offset {
	return clampOffset(outer, inner, {
		left: x * outer.width - inner.width / 2,
		top: y * outer.height - inner.height / 2,
	});
}

/** The nearest offset, in whole pixels, at which the smaller size lies inside. */
export function clampOffset(outer: Size, inner: Size, { left, top }: Offset): Offset {
	const nearest = (at: number, most: number) => Math.max(0, Math.min(most, Math.round(at)));
	return { left: nearest(left, outer.width - inner.width), top: nearest(top, outer.height - inner.height) };
}

/** Places an odd pixel where sharp's crops do. */
function along(room: number, isAtStart: boolean, isAtEnd: boolean): number {
	if (isAtStart) return 0;
	return isAtEnd ? room : Math.floor((room + 1) / 2);
}

/** The largest size of an aspect ratio within another size. @param ratio width / height */
export function shapeWithin({ width, height }: Size, ratio: number): Size {
	return width > height * ratio
		? { width: Math.min(width, atLeastOne(height * ratio)), height }
		: { width, height: Math.min(height, atLeastOne(width / ratio)) };
}

/** The smallest size of an aspect ratio around another size. @param ratio width / height */
export function shapeAround({ width, height }: Size, ratio: number): Size {
	return width > height * ratio
		? { width, height: Math.max(height, atLeastOne(width / ratio)) }
		: { width: Math.max(width, atLeastOne(height * ratio)), height };
}

/** The smallest size in the aspect ratio of a picture that covers another size. */
export function coverIn(shape: Size, covered: Size): Size {
	const scale = Math.max(covered.width / shape.width, covered.height / shape.height);
	return { width: Math.round(shape.width * scale), height: Math.round(shape.height * scale) };
}

export function area({ width, height }: Size): number {
	return width * height;
}

function atLeastOne(pixels: number): number {
	return Math.max(1, Math.round(pixels));
}

/** The size of a picture as stored in the file, from its upright size (EXIF 2.32, 4.6.4.A: from 5 on it is rotated by 90°). */
export function storedSize({ width, height }: Size, orientation: number): Size {
	return orientation >= 5 ? { width: height, height: width } : { width, height };
}

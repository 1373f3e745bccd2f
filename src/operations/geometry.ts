import type { Size } from './operation.ts';
import type { Place } from './options.ts';

/** Where something begins, pixels from the left and from the top. */
export interface Offset {
	readonly left: number;
	readonly top: number;
}

/** Where a size stands in a larger one. */
export function placeIn(outer: Size, inner: Size, place: Place): Offset {
	return {
		left: along(outer.width - inner.width, place.includes('left'), place.includes('right')),
		top: along(outer.height - inner.height, place.includes('top'), place.includes('bottom')),
	};
}

/** An odd pixel in the middle goes where sharp's crops leave it. */
function along(room: number, isAtStart: boolean, isAtEnd: boolean): number {
	if (isAtStart) return 0;
	return isAtEnd ? room : Math.floor((room + 1) / 2);
}

/** The largest size of a shape that lies within another. @param ratio width / height */
export function shapeWithin({ width, height }: Size, ratio: number): Size {
	return width > height * ratio
		? { width: Math.min(width, atLeastOne(height * ratio)), height }
		: { width, height: Math.min(height, atLeastOne(width / ratio)) };
}

/** The smallest size of a shape around another. @param ratio width / height */
export function shapeAround({ width, height }: Size, ratio: number): Size {
	return width > height * ratio
		? { width, height: Math.max(height, atLeastOne(width / ratio)) }
		: { width: Math.max(width, atLeastOne(height * ratio)), height };
}

/** The least size in the shape of a picture that covers another size. */
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

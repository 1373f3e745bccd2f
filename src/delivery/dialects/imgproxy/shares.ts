import { maximumSide } from '../../../operations/options.ts';
import { type Gravity, offsetPixels } from './gravity.ts';

/** Shares of a picture as operations take them. */

/** Of a length, of 1: never so little that nothing is left. */
export function share(of: number): string {
	return signedShare(Math.max(of, 1e-4));
}

/** Of an offset, from -1 to 1. */
export function signedShare(of: number): string {
	return `${Number((of * 100).toFixed(4)) + 0}%`;
}

/**
 * A gravity in the words of `crop` and of `resize`, which know the size.
 *
 * @param dpr by which pixels are multiplied
 */
export function placing(gravity: Gravity, dpr: number): Readonly<Record<string, unknown>> {
	if (gravity.type === 'smart') return { position: 'attention' };
	if (gravity.type === 'point') return { focus: { x: gravity.x, y: gravity.y } };
	const { place, x, y } = gravity;
	return {
		...(place !== 'centre' && { position: place }),
		...(x !== 0 && { x: offset(x, dpr) }),
		...(y !== 0 && { y: offset(y, dpr) }),
	};
}

/** Pixels, or a share where it is less than one. */
export function offset(by: number, dpr: number): number | string {
	return Math.abs(by) >= 1 ? inside(offsetPixels(by, 0, dpr)) : signedShare(by);
}

/** Further out there is no picture. */
export function inside(pixels: number): number {
	return Math.max(-maximumSide, Math.min(pixels, maximumSide));
}

import type { Layer } from './layer.ts';
import { channelsOf, opacityOf } from './options.ts';

/**
 * Draws the outline of a layer: its opaque parts, thickened on all sides with round corners, in one colour.
 *
 * @param width width of the outline in pixels; the layer needs as much empty space at its sides
 */
export function outlineOf(layer: Layer, width: number, colour: string): Layer {
	const covered = thicken(layer, width);
	const [red, green, blue] = channelsOf(colour);
	const opacity = opacityOf(colour);
	const data = Buffer.alloc(layer.data.length);
	for (let pixel = 0; pixel < covered.length; pixel++) {
		data[pixel * 4] = red;
		data[pixel * 4 + 1] = green;
		data[pixel * 4 + 2] = blue;
		data[pixel * 4 + 3] = Math.round((covered[pixel] ?? 0) * opacity);
	}
	return { ...layer, data };
}

/** The largest alpha within a circle around each pixel. A circle is a stack of rows, so rows are widened and then stacked. */
function thicken({ data, width, height }: Layer, radius: number): Uint8Array {
	const result = new Uint8Array(width * height);
	let row: Uint8Array = Uint8Array.from({ length: width * height }, (_, pixel) => data[pixel * 4 + 3] ?? 0);
	for (let half = 0; half <= radius; half++) {
		if (half > 0) row = widened(row, width);
		for (let distance = 0; distance <= radius; distance++) {
			// Half a pixel more rounds small circles.
			if (Math.floor(Math.sqrt((radius + 0.5) ** 2 - distance ** 2)) !== half) continue;
			stack(result, row, distance * width);
			if (distance > 0) stack(result, row, -distance * width);
		}
	}
	return result;
}

/** Gives each pixel the highest opacity of itself and its left and right neighbours. */
function widened(alpha: Uint8Array, width: number): Uint8Array {
	const result = new Uint8Array(alpha.length);
	for (let pixel = 0; pixel < alpha.length; pixel++) {
		const column = pixel % width;
		const left = column > 0 ? (alpha[pixel - 1] ?? 0) : 0;
		const right = column < width - 1 ? (alpha[pixel + 1] ?? 0) : 0;
		result[pixel] = Math.max(alpha[pixel] ?? 0, left, right);
	}
	return result;
}

/** @param shift distance in values by which the rows are moved */
function stack(onto: Uint8Array, alpha: Uint8Array, shift: number): void {
	const start = Math.max(0, shift);
	const end = Math.min(onto.length, onto.length + shift);
	for (let at = start; at < end; at++) {
		const value = alpha[at - shift] ?? 0;
		if (value > (onto[at] ?? 0)) onto[at] = value;
	}
}

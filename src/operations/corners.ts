import type { OverlayOptions, Sharp } from 'sharp';
import type { Size } from './operation.ts';

/**
 * Makes transparent what lies outside of four arcs of a circle, one in each corner.
 *
 * @param size of the picture
 * @param radius pixels, at most half of the shorter side
 */
export function cutCorners(image: Sharp, { width, height }: Size, radius: number): Sharp {
	const side = Math.ceil(radius);
	const corner = (isRight: boolean, isBottom: boolean): OverlayOptions => ({
		input: outsideOfArc(side, radius, isRight, isBottom),
		raw: { width: side, height: side, channels: 2 },
		left: isRight ? width - side : 0,
		top: isBottom ? height - side : 0,
		// Only the corners are touched; with `dest-in` a mask would have to be as large as the picture.
		blend: 'dest-out',
	});
	return image.composite([corner(false, false), corner(true, false), corner(false, true), corner(true, true)]);
}

/** A black square, grey and alpha, whose alpha says how much of each pixel lies outside of the arc. */
function outsideOfArc(side: number, radius: number, isRight: boolean, isBottom: boolean): Buffer {
	const pixels = Buffer.alloc(side * side * 2);
	for (let y = 0; y < side; y++) {
		for (let x = 0; x < side; x++) {
			// From the centre of the arc to that of the pixel; what is beyond the arc's end lies on a straight edge.
			const across = Math.max(0, radius - (x + 0.5));
			const down = Math.max(0, radius - (y + 0.5));
			const outside = Math.min(1, Math.sqrt(across * across + down * down) - radius + 0.5);
			// So does the rest of the row.
			if (outside <= 0) break;
			const at = (isBottom ? side - 1 - y : y) * side + (isRight ? side - 1 - x : x);
			pixels[at * 2 + 1] = Math.round(outside * 255);
		}
	}
	return pixels;
}

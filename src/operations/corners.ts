import type { OverlayOptions, Sharp } from 'sharp';
import type { Size } from './operation.ts';

/**
 * Makes the area outside of four arcs transparent, one arc in each corner.
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
		// This touches the corners alone; with `dest-in` the mask would have to be as large as the picture.
		blend: 'dest-out',
	});
	return image.composite([corner(false, false), corner(true, false), corner(false, true), corner(true, true)]);
}

/** A black square whose alpha is the share of each pixel that lies outside of the arc. */
function outsideOfArc(side: number, radius: number, isRight: boolean, isBottom: boolean): Buffer {
	const pixels = Buffer.alloc(side * side * 2);
	for (let y = 0; y < side; y++) {
		for (let x = 0; x < side; x++) {
			// From the centre of the arc to the centre of the pixel; beyond the end of the arc the edge is straight.
			const across = Math.max(0, radius - (x + 0.5));
			const down = Math.max(0, radius - (y + 0.5));
			const outside = Math.min(1, Math.sqrt(across * across + down * down) - radius + 0.5);
			// The rest of the row is inside, too.
			if (outside <= 0) break;
			const at = (isBottom ? side - 1 - y : y) * side + (isRight ? side - 1 - x : x);
			pixels[at * 2 + 1] = Math.round(outside * 255);
		}
	}
	return pixels;
}

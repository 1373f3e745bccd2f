import type { Size } from '../../operations/operation.ts';

/** The size of a picture as stored in the file, from its upright size (EXIF 2.32, 4.6.4.A: from 5 on it is rotated by 90°). */
export function storedSize({ width, height }: Size, orientation: number): Size {
	return orientation >= 5 ? { width: height, height: width } : { width, height };
}

import type { Size } from '../../operations/operation.ts';

/** The size that a picture has in its file, from the one that it has upright (EXIF 2.32, 4.6.4.A: from 5 on it lies on its side). */
export function storedSize({ width, height }: Size, orientation: number): Size {
	return orientation >= 5 ? { width: height, height: width } : { width, height };
}

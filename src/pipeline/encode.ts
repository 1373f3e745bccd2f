import { avif } from './encoders/avif.ts';
import type { Encoder } from './encoders/encoder.ts';
import { gif } from './encoders/gif.ts';
import { jpeg } from './encoders/jpeg.ts';
import { png } from './encoders/png.ts';
import { tiff } from './encoders/tiff.ts';
import { webp } from './encoders/webp.ts';

export type { Encoder } from './encoders/encoder.ts';

/** Every encoder that a recipe may name, in the order that reference pages show them. */
export const encoders: readonly Encoder[] = [webp, avif, jpeg, png, gif, tiff];

const byName = new Map(encoders.map((encoder) => [encoder.name, encoder]));

export function findEncoder(name: string): Encoder | undefined {
	return byName.get(name);
}

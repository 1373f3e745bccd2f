import { auto } from './auto.ts';
import { avif } from './avif.ts';
import { type Chooser, type Encoder, requiredAnimation } from './encoder.ts';
import { gif } from './gif.ts';
import { jpeg } from './jpeg.ts';
import { png } from './png.ts';
import { tiff } from './tiff.ts';
import { webp } from './webp.ts';

export type { Chooser, Encoder, EncoderChoice } from './encoder.ts';

/** Every encoder that a recipe may name, in the order of the reference pages. */
export const encoders: readonly (Encoder | Chooser)[] = [webp, avif, jpeg, png, gif, tiff, auto];

const byName = new Map(encoders.map((encoder) => [encoder.name, encoder]));

export function findEncoder(name: string): Encoder | Chooser | undefined {
	return byName.get(name);
}

/** Does it choose an encoder instead of being one? */
export function isChooser(encoder: Encoder | Chooser): encoder is Chooser {
	return 'choose' in encoder;
}

/** Whether the result stays animated. */
export function keepsAnimation(encoder: Encoder | Chooser, options: unknown): boolean {
	return encoder.keepsAnimation?.(options) ?? false;
}

/** Whether the encoding fails for an animation whose frames cannot be kept, instead of showing the first one. */
export function requiresAnimation(options: unknown): boolean {
	return (options as { readonly animated?: unknown }).animated === requiredAnimation;
}

/** The encoders that may write the file. */
export function encodersOf(encoder: Encoder | Chooser, options: unknown): readonly Encoder[] {
	return isChooser(encoder) ? encoder.encoders(options) : [encoder];
}

import { auto } from './encoders/auto.ts';
import { avif } from './encoders/avif.ts';
import type { Chooser, Encoder } from './encoders/encoder.ts';
import { gif } from './encoders/gif.ts';
import { jpeg } from './encoders/jpeg.ts';
import { png } from './encoders/png.ts';
import { tiff } from './encoders/tiff.ts';
import { webp } from './encoders/webp.ts';

export type { Candidate, Chooser, Encoder } from './encoders/encoder.ts';

/** Every encoder that a recipe may name, in the order that reference pages show them. */
export const encoders: readonly (Encoder | Chooser)[] = [webp, avif, jpeg, png, gif, tiff, auto];

const byName = new Map(encoders.map((encoder) => [encoder.name, encoder]));

export function findEncoder(name: string): Encoder | Chooser | undefined {
	return byName.get(name);
}

/** Does it choose an encoder, instead of being one? */
export function isChooser(encoder: Encoder | Chooser): encoder is Chooser {
	return 'choose' in encoder;
}

/** Whether an animation stays one. */
export function keepsAnimation(encoder: Encoder | Chooser, options: unknown): boolean {
	return encoder.keepsAnimation?.(options) ?? false;
}

/** The encoders that may come into it. */
export function encodersOf(encoder: Encoder | Chooser, options: unknown): readonly Encoder[] {
	return isChooser(encoder) ? encoder.encoders(options) : [encoder];
}

import type { AnalysisKind } from '../../domain/analysis.ts';
import type { Analyser } from './analysis.ts';
import { entropy } from './entropy.ts';
import { exif } from './exif.ts';
import { focus } from './focus.ts';
import { gps } from './gps.ts';
import { opaque } from './opaque.ts';
import { dominant, palette } from './palette.ts';
import { phash } from './phash.ts';
import { blurhash, placeholder, thumbhash } from './placeholders.ts';
import { sharpness } from './sharpness.ts';

/** Every kind of analysis that the worker does, in the order of the reference pages. */
export const analysers: readonly Analyser[] = [
	thumbhash,
	blurhash,
	placeholder,
	dominant,
	palette,
	phash,
	sharpness,
	entropy,
	focus,
	opaque,
	exif,
	gps,
];

const byName = new Map<AnalysisKind, Analyser>(analysers.map((analyser) => [analyser.name, analyser]));

/** The analysers of these kinds; `element` has none. */
export function analysersOf(kinds: readonly AnalysisKind[]): readonly Analyser[] {
	return kinds.flatMap((kind) => byName.get(kind) ?? []);
}

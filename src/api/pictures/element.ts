import { parse } from 'node:path';
import type { Picture } from '../../domain/picture.ts';
import { type ElementVariant, pictureElement } from '../../pipeline/analysis/element.ts';

/** The `<picture>` element of a picture whose recipe asks for one, as soon as it has variants. */
export function elementOf(picture: Picture, variants: readonly ElementVariant[]): string | undefined {
	if (!picture.recipe.definition.analyse.includes('element')) return undefined;
	const { placeholder, opaque } = picture.analysis;
	// Behind what stays transparent it would be seen for ever.
	const isOpaque = opaque ?? picture.facts?.alpha === false;
	return pictureElement({
		variants,
		alt: parse(picture.source.filename ?? '').name,
		placeholder: isOpaque ? placeholder : undefined,
	});
}

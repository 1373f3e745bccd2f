import type { ReceivedPicture } from '../domain/picture.ts';
import { type Recipe, renderName } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import { type Encoder, encodersOf, isChooser } from '../pipeline/encoders/index.ts';
import { type PlannedEncoding, type PlannedVariant, planVariants } from '../pipeline/recipe/parse-recipe.ts';
import { unknownParts } from '../pipeline/recipe/unknown-parts.ts';
import type { VariantTarget } from './dialects/image-request.ts';
import { type FindAssets, type PreparedRender, prepare } from './prepare.ts';

/**
 * A variant of a picture's recipe as a render, in one of its encodings. It was accepted with the recipe, so no limit applies.
 *
 * @throws PicpipeError `variant-not-found`, `asset-missing`
 */
export async function prepareVariant(
	picture: ReceivedPicture,
	target: VariantTarget,
	findAssets: FindAssets,
): Promise<PreparedRender> {
	const unknown = unknownParts(picture.recipe.definition);
	if (unknown.length > 0) {
		throw new PicpipeError(
			'variant-not-found',
			`The variant does not exist yet, and this server cannot make it because it does not support ${unknown.join(', ')} in the recipe.`,
		);
	}
	const planned = planVariants(picture.recipe.definition).find(({ name }) => name === target.name);
	const chosen = planned && choose(picture, planned, target);
	if (!chosen) throw notFound(picture, planned, target);
	return prepare(picture, recipeOf(planned, chosen.definition), chosen.encoder, findAssets);
}

interface Chosen {
	readonly encoder: Encoder;
	/** The encoding as written in a recipe. */
	readonly definition: Readonly<Record<string, unknown>>;
}

/** The first encoding, or the requested one. If the encoder depends on the picture's content, the manifest has the chosen format. */
function choose({ variants }: ReceivedPicture, { name, encodings }: PlannedVariant, { format }: VariantTarget) {
	const made = variants.filter((one) => one.name === name).map((one) => one.format);
	return encodings
		.map((encoding) => chosenOf(encoding, made))
		.find((one) => one && (format === undefined || one.encoder.name === format));
}

function chosenOf({ encoder, options, definition }: PlannedEncoding, made: readonly string[]): Chosen | undefined {
	if (!isChooser(encoder)) return { encoder, definition };
	const known = encodersOf(encoder, options).find(({ name }) => made.includes(name));
	// Even with a single format left, `auto` still chooses the options: a drawing is encoded differently from a photograph.
	return known && { encoder: known, definition: { [encoder.name]: { ...(options as object), formats: [known.name] } } };
}

function recipeOf(planned: PlannedVariant, encoding: Chosen['definition']): Recipe {
	const { definition: steps, page, isUpright, output } = planned;
	const start = { ...(page > 1 && { page }), ...(!isUpright && { orient: false }) };
	const variant = { ...start, steps, ...output, encode: [encoding] };
	return { analyse: [], variants: { [renderName]: variant } };
}

function notFound(
	{ recipe }: ReceivedPicture,
	planned: PlannedVariant | undefined,
	{ name, format }: VariantTarget,
): PicpipeError {
	const asked = format === undefined ? name : `${name}.${format}`;
	const known = planned
		? planned.encodings.flatMap(({ encoder, options }) =>
				encodersOf(encoder, options).map((one) => `${planned.name}.${one.name}`),
			)
		: Object.keys(recipe.definition.variants);
	const isUnchosen = planned && (format === undefined || known.includes(asked));
	return new PicpipeError(
		'variant-not-found',
		isUnchosen
			? `Expected a variant in the format that its encoder chose but "${asked}" does not exist yet, or its format is different.`
			: `Expected a variant of ${known.join(', ')} but received "${asked}".`,
	);
}

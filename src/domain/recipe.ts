import * as z from 'zod';
import { analysisKinds } from './analysis.ts';
import { colourSchema, hdrSchema, metadataSchema } from './output.ts';
import { stored, storedWord } from './stored.ts';

/** Names of recipes and variants are parts of storage keys and URLs. */
export const namePattern = /^[a-z0-9][a-z0-9_]{0,31}$/;
const name = z.string().regex(namePattern, 'expected 1 to 32 of a-z, 0-9 and _');

/** One operation with its arguments, such as `{ resize: { width: 400 } }`. The operation checks the arguments. */
const stepSchema = z.record(z.string(), z.unknown());
/** One encoder with its options, such as `{ webp: { quality: 80 } }`. */
const encodingSchema = z.record(z.string(), z.unknown());

/** Each format at most once, with some headroom for new formats. */
export const maximumEncodings = 8;

/** Limits for the recipes of this installation. */
export interface RecipeLimits {
	/** Most steps in a variant. */
	readonly maxSteps: number;
	/** Most variants in a recipe. */
	readonly maxVariants: number;
}

/** Highest page number: the highest value of `PICPIPE_MAX_FRAMES`. */
const maximumPage = 100_000;

const pageError = `expected an integer from 1 to ${maximumPage}`;

/** Longest `doc` of a recipe, in characters; it is a single line. */
const maximumDoc = 300;

/** The reserved name for recipes that come with an upload. */
export const inlineRecipeName = 'inline';

/** The reserved name for variants that are rendered on demand. */
export const renderName = 'render';

export const variantRecipeSchema = z.strictObject({
	page: z
		.int({ error: pageError })
		.min(1, { error: pageError })
		.max(maximumPage, { error: pageError })
		.optional()
		.describe(
			'Page of a TIFF to begin with, counted from 1; the first when absent. From 2 on also the frame of an animation, as a still picture.',
		),
	orient: z
		.boolean()
		.optional()
		.describe(
			'Whether the picture is rotated by its EXIF orientation before the first step. Default `true`. HEIC is always rotated by its own boxes.',
		),
	from: z.string().optional().describe('Variant whose result the steps begin with; the original when absent.'),
	steps: z.array(stepSchema).default([]).describe('Operations in the order they are applied.'),
	metadata: metadataSchema.optional(),
	colour: colourSchema.optional(),
	hdr: hdrSchema.optional(),
	encode: z
		.array(encodingSchema)
		.min(1, 'expected at least one encoder')
		.max(maximumEncodings, `expected at most ${maximumEncodings} encoders`)
		.describe('Formats to write the variant in.'),
});

/**
 * The shape of a recipe. `pipeline/recipe/parse-recipe.ts` checks each step and encoding against its own schema and fills in the defaults.
 * The limits on variants and steps are not part of the schema, because a manifest outlives the limits that its recipe was accepted under.
 */
export const recipeSchema = z.strictObject({
	analyse: z.array(z.enum(analysisKinds)).default([]).describe('Kinds of analysis to run on the picture.'),
	variants: z
		.record(name, variantRecipeSchema)
		.refine((variants) => Object.keys(variants).length >= 1, 'expected at least one variant')
		.describe('Variants to make of the picture, by name.'),
});
/** A recipe with every default filled in. */
export type Recipe = z.infer<typeof recipeSchema>;

/**
 * An accepted recipe, as manifests, records and jobs store it. A newer version may have written it, so unknown fields and operations are
 * kept. Before using it, call `unknownParts` (pipeline/recipe/unknown-parts.ts).
 */
export const storedRecipeSchema = stored({
	analyse: z.array(storedWord(analysisKinds)).default([]),
	variants: z.record(
		z.string(),
		stored({ from: z.string().optional(), steps: z.array(stepSchema).default([]), encode: z.array(encodingSchema) }),
	),
}) as unknown as z.ZodType<Recipe, z.input<typeof recipeSchema>>;

/** A recipe as a user writes it. */
export const writtenRecipeSchema = recipeSchema.extend({
	doc: z
		.string()
		.max(maximumDoc, `expected at most ${maximumDoc} characters`)
		.optional()
		.describe('One-line description of the recipe.'),
});

/** A recipe with a name and the digest of its canonical form. */
export interface NamedRecipe {
	readonly name: string;
	/** A one-line description; not part of the digest. */
	readonly doc?: string;
	/** Digest of the canonical definition and the engine version, 12 hex digits. */
	readonly digest: string;
	readonly definition: Recipe;
}

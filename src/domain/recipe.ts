import * as z from 'zod';
import { analysisKinds } from './analysis.ts';
import { colourSchema, metadataSchema } from './output.ts';
import { stored, storedWord } from './stored.ts';

/** Names of recipes and variants become parts of storage keys and URLs. */
export const namePattern = /^[a-z0-9][a-z0-9_]{0,31}$/;
const name = z.string().regex(namePattern, 'expected 1 to 32 of a-z, 0-9 and _');

/** One operation with its arguments, such as `{ resize: { width: 400 } }`; what it may hold is the operation's business. */
const stepSchema = z.record(z.string(), z.unknown());
/** One encoder with its options, such as `{ webp: { quality: 80 } }`. */
const encodingSchema = z.record(z.string(), z.unknown());

/** Each format at most once, and a few more than there are. */
export const maximumEncodings = 8;

/** How much a recipe of this installation may ask for. */
export interface RecipeLimits {
	/** Steps of one variant. */
	readonly maxSteps: number;
	/** Variants of one recipe. */
	readonly maxVariants: number;
}

/** Largest number of a page: as many as `PICPIPE_MAX_FRAMES` can be made to allow. */
const maximumPage = 100_000;

const pageError = `expected an integer from 1 to ${maximumPage}`;

/** Longest `doc` of a recipe, characters: it is one line. */
const maximumDoc = 300;

/** The name of a recipe that came with an upload; no recipe of the installation may have it. */
export const inlineRecipeName = 'inline';

/** The name of what is made on demand; no variant of a recipe may have it. */
export const renderName = 'render';

export const variantRecipeSchema = z.strictObject({
	page: z
		.int({ error: pageError })
		.min(1, { error: pageError })
		.max(maximumPage, { error: pageError })
		.optional()
		.describe(
			'The page of a TIFF that the steps begin with, counted from 1; the first when absent. Of an animation from 2 on the frame, as a still.',
		),
	orient: z
		.boolean()
		.optional()
		.describe(
			'Whether the picture is turned as its EXIF says before the first step; true when absent. With `false` it stays as it lies in the file. Of HEIC the file’s own boxes decide, always.',
		),
	from: z.string().optional().describe('The variant whose pixels the steps begin with; the original when absent.'),
	steps: z.array(stepSchema).default([]).describe('Operations, one after the other.'),
	metadata: metadataSchema.optional(),
	colour: colourSchema.optional(),
	encode: z
		.array(encodingSchema)
		.min(1, 'expected at least one encoder')
		.max(maximumEncodings, `expected at most ${maximumEncodings} encoders`)
		.describe('The formats that the variant is written in.'),
});

/**
 * The shape of a recipe; `pipeline/recipe/parse-recipe.ts` checks each step and encoding against its own schema and fills the defaults. How
 * many variants and steps there may be is not part of it: a manifest outlives the limits that its recipe was accepted under.
 */
export const recipeSchema = z.strictObject({
	analyse: z.array(z.enum(analysisKinds)).default([]).describe('What else to find out about the picture.'),
	variants: z
		.record(name, variantRecipeSchema)
		.refine((variants) => Object.keys(variants).length >= 1, 'expected at least one variant')
		.describe('What is made of the picture, by name.'),
});
/** A recipe with every default filled in. */
export type Recipe = z.infer<typeof recipeSchema>;

/**
 * A recipe that was accepted before, as manifests, records and jobs keep it. It may be one of a newer version, so it is kept as it
 * is, unknown fields and operations included. Whoever is to serve it asks `unknownParts` (pipeline/recipe/unknown-parts.ts) first.
 */
export const storedRecipeSchema = stored({
	analyse: z.array(storedWord(analysisKinds)).default([]),
	variants: z.record(
		z.string(),
		stored({ from: z.string().optional(), steps: z.array(stepSchema).default([]), encode: z.array(encodingSchema) }),
	),
}) as unknown as z.ZodType<Recipe, z.input<typeof recipeSchema>>;

/** A recipe as people write it. */
export const writtenRecipeSchema = recipeSchema.extend({
	doc: z
		.string()
		.max(maximumDoc, `expected at most ${maximumDoc} characters`)
		.optional()
		.describe('A line about the recipe, for people.'),
});

/** A recipe with a name and the digest of its canonical form. */
export interface NamedRecipe {
	readonly name: string;
	/** A line about it, for people; no part of the digest. */
	readonly doc?: string;
	/** Digest of the canonical definition and the engine version, 12 hex digits. */
	readonly digest: string;
	readonly definition: Recipe;
}

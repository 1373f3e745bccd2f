import { z } from 'zod';

/** Names of recipes and variants become parts of storage keys and URLs. */
export const namePattern = /^[a-z0-9][a-z0-9_]{0,31}$/;
const name = z.string().regex(namePattern, 'expected 1 to 32 of a-z, 0-9 and _');

/** One operation with its arguments, such as `{ resize: { width: 400 } }`; what it may hold is the operation's business. */
const stepSchema = z.record(z.string(), z.unknown());
/** One encoder with its options, such as `{ webp: { quality: 80 } }`. */
const encodingSchema = z.record(z.string(), z.unknown());

export const maximumVariants = 50;
export const maximumSteps = 50;
export const maximumEncodings = 8;

/** Kinds of analysis that a recipe can ask for. */
export const analysisKinds = ['thumbhash'] as const;
export type AnalysisKind = (typeof analysisKinds)[number];

/** The shape of a recipe; `pipeline/plan.ts` checks each step and encoding against its own schema and fills the defaults. */
export const recipeSchema = z.strictObject({
	analyse: z.array(z.enum(analysisKinds)).default([]),
	variants: z
		.record(
			name,
			z.strictObject({
				/** The variant whose pixels this one begins with; the original when absent. */
				from: z.string().optional(),
				steps: z.array(stepSchema).max(maximumSteps).default([]),
				encode: z.array(encodingSchema).min(1).max(maximumEncodings),
			}),
		)
		.refine((variants) => Object.keys(variants).length >= 1, 'expected at least one variant')
		.refine(
			(variants) => Object.keys(variants).length <= maximumVariants,
			`expected at most ${maximumVariants} variants`,
		),
});
/** A recipe as written. */
export type Recipe = z.infer<typeof recipeSchema>;

export const recipesFileSchema = z.strictObject({ recipes: z.record(name, recipeSchema) });

/** A recipe with a name and the digest of its canonical form. */
export interface NamedRecipe {
	readonly name: string;
	/** Digest of the canonical definition and the engine version, 12 hex digits. */
	readonly digest: string;
	readonly definition: Recipe;
}

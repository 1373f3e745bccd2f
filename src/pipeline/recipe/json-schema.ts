import * as z from 'zod';
import { analysisKinds, analysisSchema } from '../../domain/analysis.ts';
import { type RecipeLimits, variantRecipeSchema, writtenRecipeSchema } from '../../domain/recipe.ts';
import { operations } from '../../operations/index.ts';
import type { Operation } from '../../operations/operation.ts';
import { element } from '../analysis/element.ts';
import { analysers } from '../analysis/index.ts';
import { type Chooser, type Encoder, encoders, isChooser } from '../encoders/index.ts';

/** Describes recipes for programs: JSON Schema (draft 2020-12) from the schemas that recipes are checked with. */

/** JSON Schema of the written form; descriptions cover rules that it cannot express. */
function toJsonSchema(schema: z.ZodType) {
	return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}

/** A schema within a larger document, which names the JSON Schema dialect once. */
function partSchema(schema: z.ZodType) {
	const { $schema: _dialect, ...part } = toJsonSchema(schema);
	return part;
}

/** Every operation and encoder with its options, and the kinds of analysis. */
export function describeOperations() {
	return {
		operations: operations.map(({ name, doc, schema, example }) => ({
			name,
			doc,
			schema: partSchema(schema),
			example: { [name]: example },
		})),
		encoders: encoders.map((encoder) => {
			const { name, doc, schema } = encoder;
			return {
				name,
				doc,
				...(!isChooser(encoder) && fileOf(encoder)),
				schema: partSchema(schema),
				// No option is required; the defaults show all of them.
				example: { [name]: schema.parse({}) },
			};
		}),
		analyse: [...analysisKinds],
		analysis: [
			...analysers.map(({ name, doc }) => ({ name, doc, schema: partSchema(analysisSchema.shape[name]) })),
			{ ...element, schema: partSchema(z.string()) },
		],
	};
}

function fileOf({ type, extension, maximumSide }: Encoder) {
	return { type, extension, maximumSide };
}

/** A whole recipe. */
export function describeRecipe({ maxSteps, maxVariants }: RecipeLimits) {
	const one = ({ name, doc, schema }: Operation | Encoder | Chooser) =>
		z.strictObject({ [name]: schema }).describe(doc);
	const variant = variantRecipeSchema.extend({
		steps: z
			.array(z.union(operations.map(one)))
			.optional()
			.meta({
				description: variantRecipeSchema.shape.steps.description,
				maxItems: maxSteps,
			}),
		encode: z.array(z.union(encoders.map(one))).meta({
			description: variantRecipeSchema.shape.encode.description,
			minItems: 1,
		}),
	});
	const variants = writtenRecipeSchema.shape.variants;
	return toJsonSchema(
		writtenRecipeSchema.extend({
			variants: z.record(variants.keyType, variant).meta({
				description: variants.description,
				minProperties: 1,
				maxProperties: maxVariants,
			}),
		}),
	);
}

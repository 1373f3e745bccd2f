import { digest12, engineVersion } from '../domain/digest.ts';
import { describeProblems, oneOf, problem } from '../domain/problems.ts';
import { type NamedRecipe, namePattern, type Recipe, recipeSchema } from '../domain/recipe.ts';
import { PicpipeError } from '../errors.ts';
import { findOperation, operations } from '../operations/index.ts';
import type { Operation } from '../operations/operation.ts';
import { type Encoder, encoders, findEncoder } from './encode.ts';

/**
 * From a recipe as somebody wrote it to one that is known to be good. Everything here is pure and free of sharp, so that
 * the API can check recipes without loading it.
 */

export interface PlannedStep {
	readonly operation: Operation;
	readonly options: unknown;
}

export interface PlannedEncoding {
	readonly encoder: Encoder;
	readonly options: unknown;
	/** The encoding as it stands in the recipe, defaults filled in. */
	readonly definition: Readonly<Record<string, unknown>>;
}

export interface PlannedVariant {
	readonly name: string;
	readonly steps: readonly PlannedStep[];
	readonly encodings: readonly PlannedEncoding[];
	/** The steps as they stand in the recipe, defaults filled in. */
	readonly definition: Recipe['variants'][string]['steps'];
}

/** More would not help anybody to find the first mistake. */
const maximumProblemsShown = 8;

/**
 * Checks a recipe's shape and each of its steps and encodings, and fills in every default.
 *
 * @throws PicpipeError `invalid-recipe`; its message lists every problem
 */
export function parseRecipe(name: string, input: unknown): NamedRecipe {
	const problems = namePattern.test(name) ? [] : [problem(['name'], 'expected 1 to 32 of a-z, 0-9 and _', name)];
	const shape = recipeSchema.safeParse(input);
	if (!shape.success) problems.push(...describeProblems(shape.error, input));
	else problems.push(...checkVariants(shape.data).problems);
	if (!shape.success || problems.length > 0) throw new PicpipeError('invalid-recipe', listProblems(problems));

	const variants = Object.fromEntries(
		planVariants(shape.data).map((variant) => [
			variant.name,
			{
				steps: variant.definition,
				encode: variant.encodings.map((encoding) => encoding.definition),
			},
		]),
	);
	const definition: Recipe = { analyse: [...new Set(shape.data.analyse)].sort(), variants };
	return { name, digest: digest12(definition, engineVersion), definition };
}

/** One sentence for several problems. */
export function listProblems(problems: readonly string[]): string {
	const shown = problems.slice(0, maximumProblemsShown).join('; ');
	const hidden = problems.length - maximumProblemsShown;
	return hidden > 0 ? `${shown}; and ${hidden} more` : shown;
}

/** The variants of a recipe with their operations and encoders looked up. @throws PicpipeError `invalid-recipe` */
export function planVariants(recipe: Recipe): readonly PlannedVariant[] {
	const { variants, problems } = checkVariants(recipe);
	if (problems.length > 0) throw new PicpipeError('invalid-recipe', listProblems(problems));
	return variants;
}

/** Digest of source, steps, encoding and engine: the same picture always gets the same one. */
export function variantDigest(sourceSha256: string, variant: PlannedVariant, encoding: PlannedEncoding): string {
	return digest12(sourceSha256, variant.definition, encoding.definition, engineVersion);
}

function checkVariants(recipe: Recipe): { variants: PlannedVariant[]; problems: string[] } {
	const problems: string[] = [];
	const variants = Object.entries(recipe.variants).map(([name, variant]) => {
		const path = ['variants', name];
		const steps = variant.steps.flatMap((step, index) =>
			checkNamed(step, [...path, 'steps', index], operations, findOperation, problems),
		);
		const encodings = variant.encode.flatMap((encoding, index) =>
			checkNamed(encoding, [...path, 'encode', index], encoders, findEncoder, problems),
		);
		const formats = encodings.map(({ value }) => value.name);
		if (new Set(formats).size < formats.length) {
			problems.push(problem([...path, 'encode'], 'expected each format at most once', formats));
		}
		return {
			name,
			steps: steps.map(({ value, options }) => ({ operation: value, options })),
			encodings: encodings.map(({ value, options, definition }) => ({ encoder: value, options, definition })),
			definition: steps.map(({ definition }) => definition),
		};
	});
	return { variants, problems };
}

interface Named<Value> {
	readonly value: Value;
	readonly options: unknown;
	readonly definition: Record<string, unknown>;
}

/** `{ resize: { width: 400 } }` against the schema of what it names. */
function checkNamed<Value extends Operation | Encoder>(
	written: Readonly<Record<string, unknown>>,
	path: readonly PropertyKey[],
	known: readonly Value[],
	find: (name: string) => Value | undefined,
	problems: string[],
): Named<Value>[] {
	const names = Object.keys(written);
	const [name] = names;
	const value = name === undefined || names.length > 1 ? undefined : find(name);
	if (name === undefined || !value) {
		problems.push(
			problem(path, `expected ${oneOf(known.map((one) => one.name))}`, name ? names.join(', ') : undefined),
		);
		return [];
	}
	const parsed = value.schema.safeParse(written[name]);
	if (!parsed.success) {
		problems.push(...describeProblems(parsed.error, written[name], [...path, name]));
		return [];
	}
	return [{ value, options: parsed.data, definition: { [name]: parsed.data } }];
}

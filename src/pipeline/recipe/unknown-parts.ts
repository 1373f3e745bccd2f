import type * as z from 'zod';
import { describeProblems } from '../../domain/problems.ts';
import { type Recipe, recipeSchema } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { findOperation } from '../../operations/index.ts';
import { findEncoder } from '../encoders/index.ts';
import { planVariants } from './parse-recipe.ts';

/**
 * The parts of an accepted recipe that this version does not know, in words: `operation "blur_faces"`. A newer version accepted the recipe,
 * so it is valid, but code that finds any part here must leave all of its work to other workers.
 *
 * @returns nothing if the recipe can be served
 */
export function unknownParts(recipe: Recipe): readonly string[] {
	const shape = recipeSchema.safeParse(recipe);
	const problem = planProblem(recipe);
	if (shape.success && problem === undefined) return [];
	const unknown = shape.success ? [] : shape.error.issues.flatMap((issue) => unknownField(issue, recipe));
	for (const variant of Object.values(recipe.variants)) {
		for (const step of variant.steps) unknown.push(...unknownIn(step, 'operation', findOperation));
		for (const encoding of variant.encode) unknown.push(...unknownIn(encoding, 'encoder', findEncoder));
	}
	return unknown.length > 0 ? [...new Set(unknown)] : [problem ?? 'the recipe'];
}

/** Why a recipe cannot be planned. The plan is cached for the work that follows. */
function planProblem(recipe: Recipe): string | undefined {
	try {
		planVariants(recipe);
		return undefined;
	} catch (error) {
		if (error instanceof PicpipeError && error.code === 'invalid-recipe') return error.message;
		throw error;
	}
}

/** A problem of the recipe's own fields. */
function unknownField(issue: z.core.$ZodIssue, recipe: Recipe): string[] {
	const [place, name] = issue.path;
	if (issue.code === 'unrecognized_keys') {
		const owner = place === 'variants' ? `variant "${String(name)}"` : 'the recipe';
		return issue.keys.map((key) => `field "${key}" of ${owner}`);
	}
	if (place === 'analyse' && name !== undefined) return [`analysis "${recipe.analyse[Number(name)]}"`];
	return describeProblems({ issues: [issue] } as z.ZodError, recipe);
}

/** A problem of one step, or of one encoding. */
function unknownIn(
	written: Readonly<Record<string, unknown>>,
	kind: 'operation' | 'encoder',
	find: (name: string) => { readonly schema: z.ZodType } | undefined,
): string[] {
	const names = Object.keys(written);
	const [name] = names;
	if (name === undefined || names.length > 1) return [`${kind} "${names.join(', ')}"`];
	const known = find(name);
	if (!known) return [`${kind} "${name}"`];
	const parsed = known.schema.safeParse(written[name]);
	if (parsed.success) return [];
	return parsed.error.issues.flatMap((issue) =>
		issue.code === 'unrecognized_keys'
			? issue.keys.map((key) => `option "${[...issue.path, key].join('.')}" of ${kind} "${name}"`)
			: describeProblems({ issues: [issue] } as z.ZodError, written[name], [name]).map(
					(problem) => `a value (${problem})`,
				),
	);
}

import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { analysisKinds } from '../../src/domain/analysis.ts';
import { describeProblems } from '../../src/domain/problems.ts';
import { recipeSchema } from '../../src/domain/recipe.ts';

const problemsOf = (schema: z.ZodType, value: unknown, prefix?: readonly PropertyKey[]) => {
	const parsed = schema.safeParse(value);
	return parsed.success ? [] : describeProblems(parsed.error, value, prefix);
};

describe('describeProblems', () => {
	it('reports path, expected and received value for every problem', () => {
		const schema = z.strictObject({ a: z.array(z.object({ b: z.string() })), c: z.enum(['x', 'y']), d: z.boolean() });
		const value = { a: [{ b: 'fine' }, { b: 1 }], c: 'z', d: 'yes', e: 1 };
		expect(problemsOf(schema, value).sort()).toEqual([
			'a[1].b: expected a string, received 1',
			'c: expected one of x, y, received "z"',
			'd: expected a boolean, received "yes"',
			'e: expected no such key',
		]);
	});

	it('puts the prefix before each path', () => {
		expect(problemsOf(z.object({ width: z.string() }), {}, ['variants', 'card', 'steps', 1, 'resize'])).toEqual([
			'variants.card.steps[1].resize.width: expected a string, received nothing',
		]);
	});

	it('repeats only the beginning of a received value', () => {
		const [problem] = problemsOf(z.object({ a: z.number() }), { a: 'x'.repeat(10_000) });
		expect(problem).toMatch(/^a: expected a number, received "x+…$/);
		expect(problem?.length).toBeLessThan(120);
	});

	it.each<[string, unknown, string]>([
		['nothing', undefined, 'expected an object, received nothing'],
		['no variants', { variants: {} }, 'variants: expected at least one variant, received {}'],
		[
			'a bad name',
			{ variants: { 'Big One': { encode: [{ webp: {} }] } } },
			'variants.Big One: expected 1 to 32 of a-z, 0-9 and _',
		],
		[
			'analysis that does not exist',
			{ analyse: ['mood'], variants: { a: { encode: [{ webp: {} }] } } },
			`analyse[0]: expected one of ${analysisKinds.join(', ')}, received "mood"`,
		],
		[
			'a misspelt key',
			{ variants: { a: { encode: [{ webp: {} }], step: [] } } },
			'variants.a.step: expected no such key',
		],
	])('is useful for a recipe with %s', (_what, recipe, expected) => {
		expect(problemsOf(recipeSchema, recipe)).toEqual([expected]);
	});
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { errorTable, PicpipeError } from '../../src/errors.ts';
import { operations } from '../../src/operations/index.ts';
import type { Operation, Size } from '../../src/operations/operation.ts';
import { planLevels } from '../../src/pipeline/levels.ts';
import { parseRecipe } from '../../src/pipeline/plan.ts';
import { limits, make, one } from '../pipeline/make.ts';
import { draw } from './pixels.ts';

/** Change it to try others; a failure prints it together with the step that failed. */
const seed = 20_260_729;
const runs = 250;
/** Small, so that hundreds of pictures take seconds; what is larger must be refused. */
const maxMegapixels = 0.5;

/** Those that need another picture or a font have tests of their own that bring them. */
const tested = operations.filter(({ name }) => !['watermark', 'text'].includes(name));

type Json = z.core.JSONSchema.BaseSchema;

/** Values of an option, from its JSON Schema: mostly ordinary, some at the ends of the range, some refused by other rules. */
function valuesOf(schema: Json): fc.Arbitrary<unknown> {
	const { type, minimum = 0, maximum = 0 } = schema;
	if (schema.enum) return fc.constantFrom(...schema.enum);
	if (schema.anyOf) return fc.oneof(...schema.anyOf.map((one) => valuesOf(one as Json)));
	switch (type) {
		case 'boolean':
			return fc.boolean();
		case 'integer':
			return fc.oneof(
				{ weight: 4, arbitrary: fc.integer({ min: minimum, max: Math.min(maximum, minimum + 200) }) },
				{ weight: 1, arbitrary: fc.constantFrom(minimum, maximum) },
			);
		case 'number':
			return fc.oneof(
				{ weight: 4, arbitrary: fc.double({ min: minimum, max: maximum, noNaN: true }) },
				{ weight: 1, arbitrary: fc.constantFrom(minimum, maximum) },
			);
		case 'string':
			return textsFor(schema.pattern ?? '');
		case 'object':
			return objectsOf(schema);
		default:
			throw new TypeError(`Expected a rule for ${JSON.stringify(schema)}.`);
	}
}

/** Texts that the pattern allows, of those that options take. */
function textsFor(pattern: string): fc.Arbitrary<string> {
	const samples = ['#000', '#ff8800', '#ff880040', '#00000000', '1:1', '16:9', '1:100', '99.5:1', '1%', '37%', '50%'];
	const allowed = samples.filter((sample) => new RegExp(pattern, 'i').test(sample));
	if (allowed.length === 0) throw new TypeError(`Expected a sample for ${pattern}: add one.`);
	return fc.constantFrom(...allowed);
}

function objectsOf({ properties = {}, required = [] }: Json): fc.Arbitrary<Record<string, unknown>> {
	const entries = Object.entries(properties).map(([name, schema]) => [name, valuesOf(schema as Json)] as const);
	return fc.record(Object.fromEntries(entries), { requiredKeys: [...required] });
}

function stepOf({ name, schema }: Operation): fc.Arbitrary<Record<string, unknown>> {
	return objectsOf(z.toJSONSchema(schema, { io: 'input' }) as Json)
		.filter((options) => schema.safeParse(options).success)
		.map((options) => ({ [name]: options }));
}

const pictures: fc.Arbitrary<Size & { readonly hasAlpha: boolean }> = fc.record({
	width: fc.oneof(fc.constantFrom(1, 2, 3), fc.integer({ min: 1, max: 90 })),
	height: fc.oneof(fc.constantFrom(1, 2, 3), fc.integer({ min: 1, max: 90 })),
	hasAlpha: fc.boolean(),
});

/** What the steps are predicted to make, or the code of the refusal. */
function predict(recipe: unknown, picture: Size): { readonly size: Size; readonly isAtMost: boolean } | string {
	try {
		const { definition } = parseRecipe('test', recipe);
		const [level] = planLevels(definition, picture, { ...limits, maxMegapixels });
		const passes = level?.variants[0]?.passes ?? [];
		const last = passes.at(-1);
		if (!last) return { size: picture, isAtMost: false };
		const { output } = last.operation.predict(last.input, last.options);
		return { size: output, isAtMost: level?.variants[0]?.later !== undefined };
	} catch (error) {
		if (error instanceof PicpipeError) return error.code;
		throw error;
	}
}

it('whatever validates makes the size that is predicted, or fails with an error that has a class', async () => {
	const ran = new Map<string, number>();
	const steps = fc.array(fc.oneof(...tested.map(stepOf)), { minLength: 1, maxLength: 3 });
	await fc.assert(
		fc.asyncProperty(pictures, steps, async (picture, written) => {
			const { hasAlpha, ...size } = picture;
			const file = await draw(size, (x, y) =>
				[(x * 40) % 256, (y * 60) % 256, 99, (x * 90) % 256].slice(0, hasAlpha ? 4 : 3),
			);
			const recipe = one(written, [{ png: { compressionLevel: 0 } }]);
			const predicted = predict(recipe, size);
			try {
				const made = (await make(file, recipe, { maxMegapixels })).variant('only');
				for (const step of written) for (const name of Object.keys(step)) ran.set(name, (ran.get(name) ?? 0) + 1);
				if (typeof predicted === 'string') expect.fail(`Expected ${predicted} but it was made.`);
				if (!predicted.isAtMost) expect({ width: made.width, height: made.height }).toEqual(predicted.size);
			} catch (error) {
				if (!(error instanceof PicpipeError)) throw error;
				// The only reason that a sound picture and a sound recipe may have.
				expect(error.code).toBe('output-too-large');
				expect(errorTable[error.code].class).toBe('limit');
				if (typeof predicted === 'string') expect(predicted).toBe('output-too-large');
				else expect(predicted.isAtMost).toBe(true);
			}
		}),
		{ seed, numRuns: runs, verbose: 1 },
	);
	// Were most of them refused, nothing would have been shown.
	for (const { name } of tested) expect(ran.get(name) ?? 0, name).toBeGreaterThan(0);
}, 60_000);

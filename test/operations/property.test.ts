import fc from 'fast-check';
import { expect, it } from 'vitest';
import { errorTable, PicpipeError } from '../../src/errors.ts';
import { operations } from '../../src/operations/index.ts';
import type { Size } from '../../src/operations/operation.ts';
import { planPyramid } from '../../src/pipeline/plan/pyramid.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { writtenOf } from '../helpers/arbitrary.ts';
import { propertyRuns } from '../helpers/thoroughness.ts';
import { limits, make, one } from '../pipeline/make.ts';
import { draw } from './pixels.ts';

/** Change it to try others; a failure prints it together with the step that failed. */
const seed = 20_260_729;
const runs = 250;
/** Small, so that hundreds of pictures take seconds; what is larger must be refused. */
const maxMegapixels = 0.5;

/** Those that need another picture or a font have tests of their own that bring them. */
const tested = operations.filter(({ name }) => !['watermark', 'text'].includes(name));

const pictures: fc.Arbitrary<Size & { readonly hasAlpha: boolean }> = fc.record({
	width: fc.oneof(fc.constantFrom(1, 2, 3), fc.integer({ min: 1, max: 90 })),
	height: fc.oneof(fc.constantFrom(1, 2, 3), fc.integer({ min: 1, max: 90 })),
	hasAlpha: fc.boolean(),
});

/** What the steps are predicted to make, or the code of the refusal. */
function predict(recipe: unknown, picture: Size): { readonly size: Size; readonly isAtMost: boolean } | string {
	try {
		const { definition } = parseRecipe('test', recipe);
		const { levels, failures } = planPyramid(definition, picture, { ...limits, maxMegapixels });
		const [level] = levels;
		if (failures[0]) return failures[0].error.code;
		const passes = level?.variants[0]?.passes ?? [];
		const last = passes.at(-1);
		if (!last) return { size: picture, isAtMost: false };
		const { output } = last.operation.predict(last.input, last.options);
		return { size: output, isAtMost: level?.variants[0]?.deferred !== undefined };
	} catch (error) {
		if (error instanceof PicpipeError) return error.code;
		throw error;
	}
}

it('valid options give the predicted size, or fail with a classified error', async () => {
	const ran = new Map<string, number>();
	const steps = fc.array(fc.oneof(...tested.map(writtenOf)), { minLength: 1, maxLength: 3 });
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
		{ ...propertyRuns(runs, seed), verbose: 1 },
	);
	// Were most of them refused, nothing would have been shown.
	for (const { name } of tested) expect(ran.get(name) ?? 0, name).toBeGreaterThan(0);
});

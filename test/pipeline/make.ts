import { createHash } from 'node:crypto';
import sharp from 'sharp';
import type { Analysis } from '../../src/domain/analysis.ts';
import type { Facts } from '../../src/domain/picture.ts';
import type { PictureLimits } from '../../src/pipeline/inspect/limits.ts';
import type { Pixels } from '../../src/pipeline/pixels/pixels.ts';
import { openPages } from '../../src/pipeline/plan/open-pages.ts';
import type { VariantFailure, WorkLimits } from '../../src/pipeline/plan/plan-chain.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { loadRecipes } from '../../src/pipeline/recipe/recipes.ts';
import { type KnownAsset, runPipeline, type StepEvent, type VariantOutput } from '../../src/pipeline/render/run.ts';

// As in imaging processes: then remarks about a file come with its own picture.
sharp.cache(false);

/** The limits of a fresh installation. */
export const limits: PictureLimits & WorkLimits = {
	maxMegapixels: 50,
	maxDimension: 30_000,
	maxFrames: 1_000,
	maxOutputDimension: 30_000,
};

export interface Made {
	readonly facts: Facts;
	readonly analysis: Analysis;
	readonly outputs: readonly VariantOutput[];
	readonly steps: readonly StepEvent[];
	/** Variants that could not be made; thrown unless `mayFail` is set. */
	readonly failures: readonly VariantFailure[];
	/** Further sizes can be made from it, if it was asked for. */
	readonly intermediate?: Pixels | undefined;
	/** @throws when the variant was not made */
	variant(name: string, format?: string): VariantOutput;
}

/** Runs the whole engine on a file, as an imaging process does. @param recipe as written; the built-in `web` when absent */
export async function make(
	file: Buffer,
	recipe?: unknown,
	options: Partial<PictureLimits & WorkLimits> & {
		readonly concurrency?: number;
		/** Return the failures of variants instead of throwing the first. */
		readonly mayFail?: boolean;
		readonly assets?: ReadonlyMap<string, KnownAsset>;
		readonly intermediate?: { readonly cached?: Pixels | undefined };
	} = {},
): Promise<Made> {
	const { concurrency = 1, mayFail = false, assets, intermediate, ...limited } = options;
	const outputs: VariantOutput[] = [];
	const steps: StepEvent[] = [];
	const { definition } = recipe === undefined ? await web() : parseRecipe('test', recipe);
	const opened = await openPages(file, definition, { ...limits, ...limited });
	const result = await runPipeline(
		{
			file,
			sha256: createHash('sha256').update(file).digest('hex'),
			...opened,
			recipe: definition,
			concurrency,
			...(assets && { assets }),
			...(intermediate && { intermediate }),
		},
		{ onStep: (event) => void steps.push(event), onVariant: (output) => void outputs.push(output) },
	);
	if (result.failures[0] && !mayFail) throw result.failures[0].error;
	return {
		...result,
		outputs,
		steps,
		variant(name, format) {
			const found = outputs.find((output) => output.name === name && (!format || output.format === format));
			if (!found) throw new Error(`There is no variant ${name} ${format ?? ''}.`);
			return found;
		},
	};
}

async function web() {
	const recipe = (await loadRecipes(undefined)).get('web');
	if (!recipe) throw new Error('There is no recipe web.');
	return recipe;
}

/** A recipe of one variant. */
export function one(steps: readonly unknown[], encode: readonly unknown[] = [{ webp: {} }]): unknown {
	return { variants: { only: { steps, encode } } };
}

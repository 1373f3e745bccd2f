import { folderOf } from '../catalog/manifest.ts';
import type { Analysis } from '../domain/analysis.ts';
import type { Facts, ReceivedPicture, Variant } from '../domain/picture.ts';
import type { Recipe } from '../domain/recipe.ts';
import { PicpipeError, toPicpipeError } from '../errors.ts';
import type { ImagingPool, VariantFailure, VariantOutput } from '../imaging/scheduler.ts';
import type { AssetFinder, AssetPlace, AssetPlaces } from '../intake/assets.ts';
import { missingRecipe } from '../intake/missing-variants.ts';
import { variantKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import type { reportTo } from './job-report.ts';

/** The dependencies for making and storing variants. */
export interface MakingContext {
	readonly storage: Storage;
	readonly pool: ImagingPool;
	readonly assets: AssetFinder;
}

/** The results of a recipe. */
export interface MadeVariants {
	/** Undefined if the header could not be read. */
	readonly facts: Facts | undefined;
	readonly analysis: Analysis;
	/** Every kind of analysis that was requested has run. */
	readonly isAnalysed: boolean;
	/** The stored variants. */
	readonly variants: readonly Variant[];
	/** Variants that cannot be made; the others were made, unless there is an error. */
	readonly failures: readonly VariantFailure[];
	/** The error that ended the work before every variant was made, or that failed on its own. */
	readonly error?: PicpipeError | undefined;
}

type Report = ReturnType<typeof reportTo>;

interface Work {
	readonly recipe: Recipe;
	readonly assets: AssetPlaces;
}

/**
 * Makes the variants of a recipe and stores each as soon as it is made. Never throws: `error` is what ended the work.
 *
 * @param isEachAlone run each variant separately, so that one that kills its imaging process does not affect the others
 */
export async function makeVariants(
	context: MakingContext,
	picture: ReceivedPicture,
	work: Work & { readonly isEachAlone: boolean },
	report: Report,
): Promise<MadeVariants> {
	const { recipe, assets, isEachAlone } = work;
	const parts = isEachAlone ? partsOf(recipe) : [recipe];
	if (parts.length > 1) report.note('an imaging process died: each variant is made on its own');
	let all: MadeVariants | undefined;
	for (const part of parts) {
		const made = await run(context, picture, { recipe: part, assets }, report);
		const { error } = made;
		// A process that dies before any step is finished dies because of the file, whatever is to be made from it.
		const [name] = Object.entries(part.variants).findLast(([, { encode }]) => encode.length > 0) ?? [];
		const isAlone = parts.length > 1 && error?.code === 'imaging-process-died' && error.seen?.lastStep !== undefined;
		const killed = isAlone && name !== undefined ? [{ variant: name, error }] : [];
		all = {
			facts: made.facts ?? all?.facts,
			analysis: { ...all?.analysis, ...made.analysis },
			isAnalysed: made.isAnalysed,
			variants: [...(all?.variants ?? []), ...made.variants],
			failures: [...(all?.failures ?? []), ...made.failures, ...killed],
			error: killed.length > 0 ? undefined : error,
		};
		if (all.error) break;
	}
	return all ?? { facts: undefined, analysis: {}, isAnalysed: true, variants: [], failures: [] };
}

/** Recipes of one variant each, and of the analysis last. */
function partsOf(recipe: Recipe): readonly Recipe[] {
	const alone = Object.keys(recipe.variants).map((name) => missingRecipe(recipe, (one) => one.name !== name, true));
	const analysis = missingRecipe(recipe, () => true, false);
	return [...alone, analysis].flatMap((part) => part ?? []);
}

async function run(
	context: MakingContext,
	picture: ReceivedPicture,
	work: Work,
	report: Report,
): Promise<MadeVariants> {
	const { key, sha256, bytes } = picture.source;
	const storing: Promise<Variant>[] = [];
	let facts: Facts | undefined;
	let found: Pick<MadeVariants, 'analysis' | 'isAnalysed' | 'failures'> = {
		analysis: {},
		isAnalysed: false,
		failures: [],
	};
	let error: PicpipeError | undefined;
	try {
		found = await context.pool.run(
			{ key, sha256, bytes, ...work },
			{
				onInspected: (inspected) => {
					facts = inspected;
				},
				onStep: (event) => report.made(event),
				onVariant: (output) => {
					const stored = store(context.storage, picture, output, report);
					// Awaited below with the others. Until then a failure must not count as unhandled.
					stored.catch(() => {});
					storing.push(stored);
				},
			},
		);
	} catch (thrown) {
		error = toPicpipeError(thrown);
	}
	// Wait for all of them, even after a failure: a finished attempt must not write anything.
	const settled = await Promise.allSettled(storing);
	const variants = settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
	const lost = settled.find((one) => one.status === 'rejected');
	error ??= lost && toPicpipeError(lost.reason);
	const { analysis, isAnalysed, failures } = found;
	return { facts, analysis, isAnalysed, failures, variants, error };
}

async function store(
	storage: Storage,
	picture: ReceivedPicture,
	{ data, extension, milliseconds, ...made }: VariantOutput,
	report: Report,
): Promise<Variant> {
	const variant = {
		...made,
		milliseconds: Math.round(milliseconds * 10) / 10,
		key: variantKey(folderOf(picture.id), made.name, made.digest, extension),
		bytes: data.length,
	};
	// The manifest that names it follows.
	const put = () => storage.put(variant.key, data, { isFollowed: true });
	await report.step(`store ${made.name}.${extension}`, put, data.length);
	return variant;
}

/**
 * Finds the assets of a recipe. A missing asset fails the variants that use it.
 *
 * @throws PicpipeError for errors that a retry may avoid
 */
export async function findAssets(
	finder: AssetFinder,
	recipe: Recipe,
): Promise<{ readonly assets: AssetPlaces; readonly failures: readonly VariantFailure[] }> {
	try {
		return { assets: await finder.find(recipe), failures: [] };
	} catch (error) {
		if (!(error instanceof PicpipeError) || error.retryable) throw error;
	}
	const assets = new Map<string, AssetPlace>();
	const failures: VariantFailure[] = [];
	for (const variant of Object.keys(recipe.variants)) {
		try {
			const alone = missingRecipe(recipe, ({ name }) => name !== variant, true);
			for (const [name, place] of alone ? await finder.find(alone) : []) assets.set(name, place);
		} catch (error) {
			if (!(error instanceof PicpipeError) || error.retryable) throw error;
			failures.push({ variant, error });
		}
	}
	return { assets, failures };
}

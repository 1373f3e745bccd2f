import type { Recipe } from '../../domain/recipe.ts';
import type { PicpipeError } from '../../errors.ts';
import type { Asset } from '../../operations/operation.ts';
import { asStored, type Inspected } from '../inspect/inspect.ts';
import type { Pixels } from '../pixels/pixels.ts';
import type { VariantFailure } from '../plan/plan-chain.ts';
import type { PyramidLevel } from '../plan/pyramid.ts';
import type { PipelineListener, RunStep } from './progress.ts';

/** A picture that steps use, such as a logo, and the digest of its file. */
export interface KnownAsset extends Asset {
	readonly sha256: string;
}

export interface PipelineInput {
	/** The original. */
	readonly file: Buffer;
	/** SHA-256 of the original. */
	readonly sha256: string;
	/** The first page, as `openPages` returned it. */
	readonly picture: Inspected;
	/** The other pages that the recipe uses, by number, as `openPages` returned them. */
	readonly further?: ReadonlyMap<number, Inspected>;
	/** A recipe that `parseRecipe` returned. */
	readonly recipe: Recipe;
	/** The work that `openPages` planned. */
	readonly levels: readonly PyramidLevel[];
	/** Variants that `openPages` left out. */
	readonly failures?: readonly VariantFailure[];
	/** The other pictures that the recipe's steps name (`assetsOf`). */
	readonly assets?: ReadonlyMap<string, KnownAsset>;
	/** Those among them that cannot be used, and why. */
	readonly failedAssets?: ReadonlyMap<string, PicpipeError>;
	/** Requests an intermediate, which further sizes can be made from. `cached` is one that is already in memory. */
	readonly intermediate?: { readonly cached?: Pixels | undefined };
	/** Steps that may run at the same time; 1 is best when other pictures keep the cores busy. */
	readonly concurrency: number;
}

/** Runs tasks in the order given, a limited number at a time. After a failure no further task begins. */
export interface ConcurrencyLimit {
	/** Runs a task as soon as the limit allows, and returns its result. */
	run<T>(task: () => Promise<T>): Promise<T>;
	/** Queues a task that `finish` waits for. */
	start(task: () => Promise<void>): void;
	/** Waits for every started task. @throws the first failure, once no task runs any more */
	finish(): Promise<void>;
}

/** Shared by all variants of a picture while they are rendered. */
export interface PipelineContext {
	readonly input: PipelineInput;
	readonly runStep: RunStep;
	readonly listener: PipelineListener;
	readonly limit: ConcurrencyLimit;
	/** Work that begins when nothing else is decoded any more, one after the other. */
	readonly later: (() => Promise<void>)[];
	/** Notes variants that cannot be made; the others go on. */
	fail(failures: readonly VariantFailure[]): void;
}

/** For recipes without assets. */
export const noAssets: ReadonlyMap<string, KnownAsset> = new Map();

/** The page of the original that a level or variant is made from, upright or as stored. */
export function inspectedPage(
	{ picture, further }: PipelineInput,
	{ page, isUpright }: Pick<PyramidLevel, 'page' | 'isUpright'>,
): Inspected {
	const found = page === picture.page ? picture : further?.get(page);
	if (!found) throw new TypeError(`Expected to know page ${page}.`);
	return isUpright ? found : asStored(found);
}

/** @param count tasks that may run at the same time */
export function limitConcurrency(count: number): ConcurrencyLimit {
	const waiting: (() => void)[] = [];
	const started: Promise<void>[] = [];
	let free = count;
	let failure: { readonly error: unknown } | undefined;

	const run = async <T>(task: () => Promise<T>): Promise<T> => {
		if (free > 0) free--;
		else await new Promise<void>((resolve) => waiting.push(resolve));
		try {
			if (failure) throw failure.error;
			return await task();
		} catch (error) {
			failure ??= { error };
			throw error;
		} finally {
			const next = waiting.shift();
			if (next) next();
			else free++;
		}
	};

	return {
		run,
		start: (task) => void started.push(run(task).catch(() => {})),
		async finish() {
			// A started task may start more before it ends.
			for (let count = 0; count < started.length; ) {
				count = started.length;
				await Promise.all(started);
			}
			if (failure) throw failure.error;
		},
	};
}

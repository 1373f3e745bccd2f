import type { Analysis } from '../domain/analysis.ts';
import type { Facts } from '../domain/picture.ts';
import type { Recipe } from '../domain/recipe.ts';
import { type ErrorCode, PicpipeError } from '../errors.ts';
import type { AssetPlaces } from '../intake/assets.ts';
import type { PictureLimits } from '../pipeline/inspect/limits.ts';
import type { VariantFailure, WorkLimits } from '../pipeline/plan/plan-chain.ts';
import type { PipelineListener, StepEvent, VariantOutput } from '../pipeline/render/run.ts';

/** The messages between the worker and its imaging processes, over Node's IPC channel with structured cloning. */

/** Where an original is: a storage key, or a file on this machine. */
type OriginalPlace = { readonly key: string } | { readonly path: string };

/** One picture to process. */
export type ImagingTask = OriginalPlace & {
	/** The expected digest of the original. */
	readonly sha256: string;
	readonly bytes: number;
	/** A recipe that `parseRecipe` returned. */
	readonly recipe: Recipe;
	/** The assets that the recipe uses. */
	readonly assets?: AssetPlaces;
	/**
	 * More requests for the original are likely soon. The process caches it for a while, with an intermediate that further sizes can be made
	 * from.
	 */
	readonly isCached?: boolean;
};

/** A task as an imaging process gets it: files of this machine, because it has no access to the storage. */
export type ProcessTask = Pick<ImagingTask, 'sha256' | 'bytes' | 'recipe' | 'isCached'> & {
	/** The file with the original; undefined if the process is believed to have it in memory. */
	readonly path: string | undefined;
	readonly assets: ReadonlyMap<string, AssetFile>;
};

/** The file with an asset, and the digest that its bytes must have. */
export interface AssetFile {
	readonly path: string;
	readonly sha256: string;
}

/** Settings that are the same for every picture of a process. */
export interface ImagingSettings {
	/** Threads of libvips. */
	readonly sharpThreads: number;
	/** Size of the cache of pictures, million bytes; 0 for no cache. */
	readonly keptMegabytes: number;
	readonly limits: PictureLimits & WorkLimits;
}

/** The facts of a picture, once its variants are made. */
export interface ImagingResult {
	readonly facts: Facts;
	readonly analysis: Analysis;
	/** Every kind of analysis that was requested has run. */
	readonly isAnalysed: boolean;
	/** Variants that could not be made, and why. */
	readonly failures: readonly VariantFailure[];
}

/** Follows the work on a task. */
export interface TaskListener extends PipelineListener {
	/** Called once the header is read, also if nothing can be made. */
	readonly onInspected?: ((facts: Facts) => void) | undefined;
}

export type ToImaging =
	| { readonly kind: 'settings'; readonly settings: ImagingSettings }
	| { readonly kind: 'task'; readonly task: ProcessTask }
	/** The picture was inspected and may now be decoded. */
	| { readonly kind: 'go'; readonly concurrency: number };

export type FromImaging =
	| { readonly kind: 'ready' }
	/** The original is no longer in memory, and the task names no file. The task was not begun. */
	| { readonly kind: 'evicted' }
	/** The original is in memory, and its digest is as expected. */
	| { readonly kind: 'read' }
	| { readonly kind: 'inspected'; readonly megapixels: number; readonly facts: Facts }
	| { readonly kind: 'step'; readonly event: StepEvent }
	| { readonly kind: 'variant'; readonly output: VariantOutput }
	| { readonly kind: 'done'; readonly result: SentResult; readonly residentBytes: number }
	| { readonly kind: 'failed'; readonly error: SentError; readonly residentBytes: number };

/** A result in transit, with its errors packed. */
interface SentResult extends Omit<ImagingResult, 'failures'> {
	readonly failures: readonly (Omit<VariantFailure, 'error'> & { readonly error: SentError })[];
}

export function packResult({ failures, ...result }: ImagingResult): SentResult {
	return { ...result, failures: failures.map((one) => ({ ...one, error: packError(one.error) })) };
}

export function unpackResult({ failures, ...result }: SentResult): ImagingResult {
	return { ...result, failures: failures.map((one) => ({ ...one, error: unpackError(one.error) })) };
}

/** An error in transit; classes do not survive the channel. */
interface SentError {
	readonly code: ErrorCode;
	readonly message: string;
	readonly step: string | undefined;
	/** Stack of the original cause, for the log. */
	readonly cause: string | undefined;
}

export function packError({ code, message, step, cause }: PicpipeError): SentError {
	return { code, message, step, cause: cause instanceof Error ? (cause.stack ?? cause.message) : undefined };
}

export function unpackError({ code, message, step, cause }: SentError): PicpipeError {
	const behind = cause === undefined ? undefined : Object.assign(new Error(cause.split('\n')[0]), { stack: cause });
	return new PicpipeError(code, message, { step, cause: behind });
}

import type { DroppedPart, Limited } from '../../domain/picture.ts';
import type { Analyser } from '../analysis/analysis.ts';
import { classifyError } from '../inspect/classify-error.ts';
import { type PyramidLevel, variantsOf } from '../plan/pyramid.ts';
import type { SinglePass } from '../plan/single-pass.ts';
import type { FoundQuality } from './encode-variant.ts';

/** A step that has ended. */
export interface StepEvent {
	/** Such as `decode` or `encode large.webp`. */
	readonly step: string;
	/** Milliseconds since 1970. */
	readonly startedAt: number;
	readonly milliseconds: number;
	/** Size of the step's input (`decode`) or output. */
	readonly bytes?: number | undefined;
	/** Share of the picture's work that is complete after this step, 0 to 1. */
	readonly done: number;
}

/** One encoding of one variant, with its bytes. */
export interface VariantOutput {
	readonly name: string;
	/** Encoder: `webp`, `jpeg`, ... */
	readonly format: string;
	/** Media type. */
	readonly type: string;
	readonly extension: string;
	readonly width: number;
	readonly height: number;
	/** Digest of source, steps, encoding and engine. */
	readonly digest: string;
	/** SHA-256 of the data. */
	readonly sha256: string;
	readonly data: Buffer;
	/** The quality that met the target, if the recipe has a target instead of a quality. */
	readonly quality?: FoundQuality;
	/** Absent if the variant matches its recipe. */
	readonly limited?: Limited;
	/** What the original has and the variant lacks. */
	readonly dropped?: DroppedPart[];
	/** Time spent on its steps and its encoding; work that it shares with other variants is not counted. */
	readonly milliseconds: number;
}

/** Follows the work on a picture. */
export interface PipelineListener {
	onStep(event: StepEvent): void;
	/** Called with each variant as soon as it is encoded. */
	onVariant(output: VariantOutput): void;
}

/** Runs a step. @throws PicpipeError that names the step */
export type RunStep = <T>(step: string, task: () => Promise<T>, bytes?: (result: T) => number) => Promise<T>;

/** Times steps, names them in errors and reports progress to the listener. */
export function reportSteps(
	levels: readonly PyramidLevel[],
	singlePasses: readonly (SinglePass | undefined)[],
	headerAnalysers: readonly Analyser[],
	listener: PipelineListener,
): RunStep {
	const encodings = variantsOf(levels).flatMap((variant) => variant.encodings);
	const analysers = [...headerAnalysers, ...levels.flatMap((level) => level.analyse)];
	// A single pass decodes and encodes in one step.
	const total = levels.length + encodings.length + analysers.length - singlePasses.filter(Boolean).length;
	let done = 0;
	return async (step, task, bytes) => {
		const startedAt = Date.now();
		const started = performance.now();
		try {
			const result = await task();
			const milliseconds = performance.now() - started;
			listener.onStep({ step, startedAt, milliseconds, bytes: bytes?.(result), done: Math.min(1, ++done / total) });
			return result;
		} catch (error) {
			throw classifyError(error, 'work', step);
		}
	};
}

import type { Analyser } from '../analysis/analysis.ts';
import { classify } from '../inspect/classify.ts';
import type { Direct } from '../plan/direct.ts';
import { type Level, variantsOf } from '../plan/levels.ts';
import type { PipelineListener } from './events.ts';

/** Runs a step. @throws PicpipeError that names it */
export type Report = <T>(step: string, work: () => Promise<T>, bytes?: (result: T) => number) => Promise<T>;

/** Times steps, names them in errors and tells the listener how far the whole has come. */
export function reportSteps(
	levels: readonly Level[],
	directs: readonly (Direct | undefined)[],
	unseen: readonly Analyser[],
	listener: PipelineListener,
): Report {
	const encodings = variantsOf(levels).flatMap((variant) => variant.encodings);
	const analysers = [...unseen, ...levels.flatMap((level) => level.analyse)];
	// Decoding and encoding are one step there.
	const total = levels.length + encodings.length + analysers.length - directs.filter(Boolean).length;
	let done = 0;
	return async (step, work, bytes) => {
		const startedAt = Date.now();
		const started = performance.now();
		try {
			const result = await work();
			const milliseconds = performance.now() - started;
			listener.onStep({ step, startedAt, milliseconds, bytes: bytes?.(result), done: Math.min(1, ++done / total) });
			return result;
		} catch (error) {
			throw classify(error, 'work', step);
		}
	};
}

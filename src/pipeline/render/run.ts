import { type Analysis, analysisSchema } from '../../domain/analysis.ts';
import type { Facts } from '../../domain/picture.ts';
import type { PicpipeError } from '../../errors.ts';
import type { Analyser, Subject } from '../analysis/analysis.ts';
import { analysersOf } from '../analysis/index.ts';
import { firstFrame, open, type Pixels } from '../pixels/pixels.ts';
import { withIntermediate } from '../plan/intermediate.ts';
import type { VariantFailure } from '../plan/plan-chain.ts';
import type { PyramidLevel } from '../plan/pyramid.ts';
import { findSinglePass } from '../plan/single-pass.ts';
import { type PipelineListener, reportSteps } from './progress.ts';
import { inspectedPage, limitConcurrency, type PipelineContext, type PipelineInput } from './render-context.ts';
import { failBranch, renderLevel, renderSinglePass, renderVariant } from './render-variant.ts';

export type { PipelineListener, StepEvent, VariantOutput } from './progress.ts';
export type { KnownAsset, PipelineInput } from './render-context.ts';

export interface PipelineResult {
	readonly facts: Facts;
	readonly analysis: Analysis;
	/** Every kind of analysis that was requested has run. */
	readonly isAnalysed: boolean;
	/** Variants that could not be made, and why. */
	readonly failures: readonly VariantFailure[];
	/** Further sizes can be made from it; absent if none was asked for or it would not help. */
	readonly intermediate?: Pixels | undefined;
}

/**
 * Renders every variant of a picture: bytes and a recipe in, bytes and facts out. Touches neither disk nor network. A variant that cannot be made
 * fails alone, with those that build on it.
 *
 * @throws PicpipeError that names the step, if the first page is damaged or an analysis fails
 */
export async function runPipeline(input: PipelineInput, listener: PipelineListener): Promise<PipelineResult> {
	const { facts, exif } = input.picture;
	const cached = input.intermediate?.cached;
	const planned = input.intermediate && withIntermediate(input.levels, input.picture, cached);
	const levels = planned?.levels ?? input.levels;
	const headerAnalysers = analysersOf(input.recipe.analyse).filter((analyser) => !analyser.scaleFor(facts));
	const singlePasses = new Map(
		levels.map((level) => [level, findSinglePass(level, levels, inspectedPage(input, level), planned?.intermediate)]),
	);
	const cachedLevel = planned?.isCached ? planned.intermediate : undefined;
	const remaining = levels.filter((level) => level !== cachedLevel);
	const runStep = reportSteps(remaining, [...singlePasses.values()], headerAnalysers, listener);
	const limit = limitConcurrency(input.concurrency);
	const failures = [...(input.failures ?? [])];
	const context: PipelineContext = {
		input,
		runStep,
		listener,
		limit,
		later: [],
		fail: (more) => void failures.push(...more),
	};
	const rendered = new Map<PyramidLevel, Pixels>();
	/** Levels without pixels, and why. */
	const failed = new Map<PyramidLevel, PicpipeError>();
	let intermediate = cachedLevel && cached;
	if (cachedLevel && intermediate) rendered.set(cachedLevel, intermediate);
	const analysis: Record<string, unknown> = {};
	const analyse = (analyser: Analyser, subject: Subject) =>
		limit.start(async () => {
			const found = await runStep(analyser.name, async () => analyser.run(subject));
			if (found !== undefined) analysis[analyser.name] = found;
		});
	for (const analyser of headerAnalysers) analyse(analyser, { exif });

	for (const [index, level] of remaining.entries()) {
		const baseError = level.base && failed.get(level.base);
		if (baseError) {
			failed.set(level, baseError);
			failLevel(level, baseError, context);
			continue;
		}
		const singlePass = singlePasses.get(level);
		if (singlePass) {
			const base = level.base && rendered.get(level.base);
			const task = () => renderSinglePass(singlePass, { level, levels, base }, context);
			limit.start(() => task().catch((error) => failLevel(level, error, context)));
			continue;
		}
		const decode = () =>
			renderLevel(level, levels, rendered, context).catch((error: PicpipeError) => {
				failed.set(level, error);
				failLevel(level, error, context);
			});
		// A failure of the whole picture is thrown at the end.
		const pixels = await limit.run(decode).catch(() => undefined);
		if (!pixels) continue;
		rendered.set(level, pixels);
		if (level === planned?.intermediate) intermediate = pixels;
		// Drop levels that no other level needs, so that a scan holds one page at a time; their variants hold the pixels as long as they run.
		const further = remaining.slice(index + 1);
		for (const one of rendered.keys()) if (!further.some(({ base }) => base === one)) rendered.delete(one);
		for (const variant of level.variants) limit.start(() => renderVariant(variant, pixels, context));
		const still = firstFrame(pixels);
		for (const analyser of level.analyse) {
			analyse(analyser, { exif, copy: { pixels: still, open: () => open(still) } });
		}
	}
	await limit.finish();
	for (const task of context.later) await task();
	const isAnalysed = ![...failed.keys()].some((level) => level.analyse.length > 0);
	return { facts, analysis: analysisSchema.parse(analysis), isAnalysed, failures, intermediate };
}

/**
 * Fails the variants of a level without pixels. Damage to the first page is damage to the picture: nothing of it is made.
 *
 * @throws PicpipeError the error itself, if it concerns the whole picture
 */
function failLevel(level: PyramidLevel, error: PicpipeError, context: PipelineContext): void {
	if (error.class === 'corrupt' && level.page === 1) throw error;
	for (const variant of level.variants) failBranch(variant, error, context);
}

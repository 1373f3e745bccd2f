import { type Analysis, analysisSchema } from '../../domain/analysis.ts';
import type { Facts } from '../../domain/picture.ts';
import type { Analyser, Subject } from '../analysis/analysis.ts';
import { analysersOf } from '../analysis/index.ts';
import { firstFrame, open, type Pixels } from '../pixels/pixels.ts';
import { withIntermediate } from '../plan/intermediate.ts';
import type { PyramidLevel } from '../plan/pyramid.ts';
import { findSinglePass } from '../plan/single-pass.ts';
import { limitConcurrency } from './concurrency-limit.ts';
import { type PipelineListener, reportSteps } from './progress.ts';
import { inspectedPage, type PipelineContext, type PipelineInput } from './render-context.ts';
import { renderLevel, renderSinglePass, renderVariant } from './render-variant.ts';

export type { PipelineListener, StepEvent, VariantOutput } from './progress.ts';
export type { KnownAsset, PipelineInput } from './render-context.ts';

export interface PipelineResult {
	readonly facts: Facts;
	readonly analysis: Analysis;
	/** Further sizes can be made from it; absent if none was asked for or it would not help. */
	readonly intermediate?: Pixels | undefined;
}

/**
 * Renders every variant of a picture: bytes and a recipe in, bytes and facts out. Touches neither disk nor network.
 *
 * @throws PicpipeError that names the step
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
	const context: PipelineContext = { input, runStep, listener, limit };
	const rendered = new Map<PyramidLevel, Pixels>();
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
		const singlePass = singlePasses.get(level);
		if (singlePass) {
			const base = level.base && rendered.get(level.base);
			limit.start(() => renderSinglePass(singlePass, { level, levels, base }, context));
			continue;
		}
		const pixels = await limit.run(() => renderLevel(level, levels, rendered, context)).catch(() => undefined);
		if (!pixels) break;
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
	return { facts, analysis: analysisSchema.parse(analysis), intermediate };
}

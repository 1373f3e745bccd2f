import { type Analysis, analysisSchema } from '../../domain/analysis.ts';
import type { Facts } from '../../domain/picture.ts';
import type { Analyser, Subject } from '../analysis/analysis.ts';
import { analysersOf } from '../analysis/index.ts';
import { firstFrame, open, type Pixels } from '../pixels/pixels.ts';
import { withCopy } from '../plan/copy.ts';
import { directOf } from '../plan/direct.ts';
import type { Level } from '../plan/levels.ts';
import type { PipelineListener } from './events.ts';
import { openLanes } from './lanes.ts';
import { makeDirectly, makeLevel, makeVariant } from './make.ts';
import { reportSteps } from './report.ts';
import { type PipelineInput, pageOf, type VariantWork } from './work.ts';

export type { PipelineListener, StepEvent, VariantOutput } from './events.ts';
export type { KnownAsset, PipelineInput } from './work.ts';

export interface PipelineResult {
	readonly facts: Facts;
	readonly analysis: Analysis;
	/** The copy that was wanted, where there is one. */
	readonly copy?: Pixels | undefined;
}

/**
 * Makes every variant of a picture: bytes and a recipe in, bytes and facts out. Touches no disk and no network.
 *
 * @throws PicpipeError that names the step
 */
export async function runPipeline(input: PipelineInput, listener: PipelineListener): Promise<PipelineResult> {
	const { facts } = input.picture;
	const { copying } = input;
	const copied = copying && withCopy(input.levels, input.picture, copying.known);
	const levels = copied?.levels ?? input.levels;
	const unseen = analysersOf(input.recipe.analyse).filter((analyser) => !analyser.copyOf(facts));
	const directs = new Map(levels.map((level) => [level, directOf(level, levels, pageOf(input, level), copied?.copy)]));
	const known = copied?.isKnown ? copied.copy : undefined;
	const left = levels.filter((level) => level !== known);
	const report = reportSteps(left, [...directs.values()], unseen, listener);
	const lanes = openLanes(input.lanes);
	const work: VariantWork = { input, report, listener, lanes };
	const made = new Map<Level, Pixels>();
	let copy = known && copying?.known;
	if (known && copy) made.set(known, copy);
	const analysis: Record<string, unknown> = {};
	const analyse = (analyser: Analyser, subject: Subject) =>
		lanes.start(async () => {
			const found = await report(analyser.name, async () => analyser.run(subject));
			if (found !== undefined) analysis[analyser.name] = found;
		});
	const { exif } = input.picture;
	for (const analyser of unseen) analyse(analyser, { exif });

	for (const [index, level] of left.entries()) {
		const direct = directs.get(level);
		if (direct) {
			const base = level.base && made.get(level.base);
			lanes.start(() => makeDirectly(direct, { level, levels, base }, work));
			continue;
		}
		const pixels = await lanes.run(() => makeLevel(level, levels, made, work)).catch(() => undefined);
		if (!pixels) break;
		made.set(level, pixels);
		if (level === copied?.copy) copy = pixels;
		// What nothing is made of any more is held by its own variants alone: one page of a scan at a time, and not all.
		const further = left.slice(index + 1);
		for (const one of made.keys()) if (!further.some(({ base }) => base === one)) made.delete(one);
		for (const variant of level.variants) {
			lanes.start(() => makeVariant(variant, pixels, work));
		}
		const still = firstFrame(pixels);
		for (const analyser of level.analyse) {
			analyse(analyser, { exif, copy: { pixels: still, open: () => open(still) } });
		}
	}
	await lanes.finish();
	return { facts, analysis: analysisSchema.parse(analysis), copy };
}

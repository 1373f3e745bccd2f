import { createHash } from 'node:crypto';
import { type Analysis, analysisSchema } from '../domain/analysis.ts';
import type { Facts } from '../domain/picture.ts';
import type { Recipe } from '../domain/recipe.ts';
import type { Asset } from '../operations/operation.ts';
import type { Analyser, Subject } from './analysis/analysis.ts';
import { analysersOf } from './analysis/index.ts';
import { classify } from './classify.ts';
import { decode, decodeFrames } from './decode.ts';
import type { Inspected } from './inspect.ts';
import { type Lanes, openLanes } from './lanes.ts';
import {
	type Level,
	type LevelVariant,
	needsFrames,
	type Planned,
	planLevels,
	variantsOf,
	type WorkLimits,
} from './levels.ts';
import { metadataOf } from './metadata.ts';
import { firstFrame, open, type Pixels, scaled } from './pixels.ts';
import { variantDigest } from './plan.ts';
import { profileFor } from './profile.ts';
import { applySteps } from './steps.ts';
import { candidateFor, type Extras, type FoundQuality, write } from './write.ts';

/** A step that is over. */
export interface StepEvent {
	/** Such as `decode` or `encode large.webp`. */
	readonly step: string;
	/** Milliseconds since 1970. */
	readonly startedAt: number;
	readonly milliseconds: number;
	/** Size of what the step read (`decode`) or made. */
	readonly bytes?: number | undefined;
	/** Share of the picture's work that is done with this step, 0 to 1. */
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
	/** The quality that was found, where the recipe has a target instead of one. */
	readonly quality?: FoundQuality;
	/** Time spent on its steps and on encoding it; what it shares with other variants is not counted. */
	readonly milliseconds: number;
}

/** Who is told while a picture is worked on. */
export interface PipelineListener {
	onStep(event: StepEvent): void;
	/** Called with each variant as soon as it is made. */
	onVariant(output: VariantOutput): void;
}

/** A picture that steps use, and the digest of the file that it was read from. */
export interface KnownAsset extends Asset {
	readonly sha256: string;
}

export interface PipelineInput {
	/** The original. */
	readonly file: Buffer;
	/** SHA-256 of the original. */
	readonly sha256: string;
	/** What `openPages` said about it. */
	readonly picture: Inspected;
	/** Likewise about the other pages that the recipe takes, by number. */
	readonly further?: ReadonlyMap<number, Inspected>;
	/** A recipe that `parseRecipe` returned. */
	readonly recipe: Recipe;
	/** The other pictures that the recipe's steps name (`assetsOf`). */
	readonly assets?: ReadonlyMap<string, KnownAsset>;
	readonly limits: WorkLimits;
	/** Steps that may run side by side; 1 is best when other pictures keep the cores busy. */
	readonly lanes: number;
}

/**
 * Makes every variant of a picture: bytes and a recipe in, bytes and facts out. Touches no disk and no network.
 *
 * @throws PicpipeError that names the step
 */
export async function runPipeline(
	input: PipelineInput,
	listener: PipelineListener,
): Promise<{ facts: Facts; analysis: Analysis }> {
	const { facts } = input.picture;
	const further = new Map([...(input.further ?? [])].map(([page, one]) => [page, plannedOf(one)]));
	const levels = planLevels(input.recipe, plannedOf(input.picture), input.limits, further);
	const unseen = analysersOf(input.recipe.analyse).filter((analyser) => !analyser.copyOf(facts));
	const report = reportSteps(levels, unseen, listener);
	const lanes = openLanes(input.lanes);
	const work: VariantWork = { input, report, listener, lanes };
	const made = new Map<Level, Pixels>();
	const analysis: Record<string, unknown> = {};
	const analyse = (analyser: Analyser, subject: Subject) =>
		lanes.start(async () => {
			const found = await report(analyser.name, async () => analyser.run(subject));
			if (found !== undefined) analysis[analyser.name] = found;
		});
	const { exif } = input.picture;
	for (const analyser of unseen) analyse(analyser, { exif });

	for (const [index, level] of levels.entries()) {
		const pixels = await lanes.run(() => makeLevel(level, levels, made, work)).catch(() => undefined);
		if (!pixels) break;
		made.set(level, pixels);
		// What nothing is made of any more is held by its own variants alone: one page of a scan at a time, and not all.
		const left = levels.slice(index + 1);
		for (const one of made.keys()) if (!left.some(({ base }) => base === one)) made.delete(one);
		for (const variant of level.variants) {
			lanes.start(() => makeVariant(variant, pixels, work));
		}
		const still = firstFrame(pixels);
		for (const analyser of level.analyse) {
			analyse(analyser, { exif, copy: { pixels: still, open: () => open(still) } });
		}
	}
	await lanes.finish();
	return { facts, analysis: analysisSchema.parse(analysis) };
}

function plannedOf({ facts, animation, profile, drawing }: Inspected): Planned {
	return {
		...facts,
		frames: animation?.delay.length ?? 1,
		hasProfile: profile !== undefined,
		isDrawn: drawing !== undefined,
	};
}

function pageOf({ picture, further }: PipelineInput, page: number): Inspected {
	const found = page === picture.page ? picture : further?.get(page);
	if (!found) throw new TypeError(`Expected to know page ${page}.`);
	return found;
}

type Report = <T>(step: string, work: () => Promise<T>, bytes?: (result: T) => number) => Promise<T>;

/** Times steps, names them in errors and tells the listener how far the whole has come. */
function reportSteps(levels: readonly Level[], unseen: readonly Analyser[], listener: PipelineListener): Report {
	const encodings = variantsOf(levels).flatMap((variant) => variant.encodings);
	const analysers = [...unseen, ...levels.flatMap((level) => level.analyse)];
	const total = levels.length + encodings.length + analysers.length;
	let done = 0;
	return async (step, work, bytes) => {
		const startedAt = Date.now();
		const started = performance.now();
		try {
			const result = await work();
			const milliseconds = performance.now() - started;
			listener.onStep({ step, startedAt, milliseconds, bytes: bytes?.(result), done: ++done / total });
			return result;
		} catch (error) {
			throw classify(error, 'work', step);
		}
	};
}

async function makeLevel(
	level: Level,
	levels: readonly Level[],
	made: ReadonlyMap<Level, Pixels>,
	{ input, report }: VariantWork,
): Promise<Pixels> {
	const { file } = input;
	const picture = pageOf(input, level.page);
	const keepsFrames = needsFrames(level, levels);
	const base = level.base && made.get(level.base);
	if (!base) {
		return report(
			'decode',
			() => (keepsFrames ? decodeFrames(file, picture, level) : decode(file, picture, level, level.colour)),
			() => file.length,
		);
	}
	return report(
		`scale to ${level.width}×${level.height}`,
		() => scaled(keepsFrames ? base : firstFrame(base), level),
		(pixels) => pixels.data.length,
	);
}

/** What all variants of a picture share while they are made. */
interface VariantWork {
	readonly input: PipelineInput;
	readonly report: Report;
	readonly listener: PipelineListener;
	readonly lanes: Lanes;
}

const noAssets: ReadonlyMap<string, KnownAsset> = new Map();

async function makeVariant(level: LevelVariant, pixels: Pixels, work: VariantWork): Promise<void> {
	const { report, listener, lanes } = work;
	const { sha256, assets = noAssets } = work.input;
	let started = performance.now();
	const stepped = await applySteps(level, level.isAnimated ? pixels : firstFrame(pixels), assets);
	const { variant, chained } = stepped.level;
	const { pixels: shared } = stepped;
	const { metadata, colour } = variant.output;
	const picture = pageOf(work.input, variant.page);
	const extras: Extras = {
		attach: metadataOf(metadata, picture),
		profile: await profileFor(colour, picture.profile),
	};
	if (shared) for (const next of chained) lanes.start(() => makeVariant(next, shared, work));
	for (const encoding of variant.encodings) {
		const candidate = await candidateFor(encoding, stepped);
		const { name, type, extension } = candidate.encoder;
		const step = `encode ${variant.name}.${extension}`;
		const encoded = await report(
			step,
			() => write(stepped, candidate, extras, step),
			({ data }) => data.length,
		);
		const milliseconds = performance.now() - started;
		started = performance.now();
		listener.onVariant({
			name: variant.name,
			format: name,
			type,
			extension,
			width: encoded.width,
			height: encoded.height,
			digest: variantDigest(sha256, variant, encoding, assets),
			sha256: createHash('sha256').update(encoded.data).digest('hex'),
			data: encoded.data,
			...(encoded.quality && { quality: encoded.quality }),
			milliseconds,
		});
	}
}

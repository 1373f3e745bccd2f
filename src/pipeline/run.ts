import { createHash } from 'node:crypto';
import sharp, { type Sharp } from 'sharp';
import type { Analysis, Facts } from '../domain/picture.ts';
import type { Recipe } from '../domain/recipe.ts';
import { thumbhash } from './analyse.ts';
import { classify } from './classify.ts';
import { decode, type Inspected, type Pixels } from './decode.ts';
import { openLanes } from './lanes.ts';
import { type Level, type LevelVariant, type Pass, planLevels, type WorkLimits } from './levels.ts';
import { type PlannedEncoding, type PlannedVariant, variantDigest } from './plan.ts';

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
	/** Time spent on its steps and on encoding it; what it shares with other variants is not counted. */
	readonly milliseconds: number;
}

/** Who is told while a picture is worked on. */
export interface PipelineListener {
	onStep(event: StepEvent): void;
	/** Called with each variant as soon as it is made. */
	onVariant(output: VariantOutput): void;
}

export interface PipelineInput {
	/** The original. */
	readonly file: Buffer;
	/** SHA-256 of the original. */
	readonly sha256: string;
	/** What `inspect` said about it. */
	readonly picture: Inspected;
	/** A recipe that `parseRecipe` returned. */
	readonly recipe: Recipe;
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
	const levels = planLevels(input.recipe, facts, input.limits);
	const report = reportSteps(levels, listener);
	const lanes = openLanes(input.lanes);
	const made = new Map<Level, Pixels>();
	const analysis: { thumbhash?: string } = {};

	for (const level of levels) {
		const pixels = await lanes.run(() => makeLevel(input, level, made, report)).catch(() => undefined);
		if (!pixels) break;
		made.set(level, pixels);
		for (const variant of level.variants) {
			lanes.start(() => makeVariant(input.sha256, variant, pixels, report, listener));
		}
		for (const kind of level.analyse) {
			lanes.start(async () => {
				analysis[kind] = await report(kind, () => thumbhash(pixels));
			});
		}
	}
	await lanes.finish();
	return { facts, analysis };
}

type Report = <T>(step: string, work: () => Promise<T>, bytes?: (result: T) => number) => Promise<T>;

/** Times steps, names them in errors and tells the listener how far the whole has come. */
function reportSteps(levels: readonly Level[], listener: PipelineListener): Report {
	const encodings = levels.flatMap((level) => level.variants.flatMap(({ variant }) => variant.encodings));
	const total = levels.length + encodings.length + levels.flatMap((level) => level.analyse).length;
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
	{ file, picture }: PipelineInput,
	level: Level,
	made: ReadonlyMap<Level, Pixels>,
	report: Report,
): Promise<Pixels> {
	const base = level.base && made.get(level.base);
	if (!base) {
		return report(
			'decode',
			() => decode(file, picture, level),
			() => file.length,
		);
	}
	const { width, height, kernel } = level;
	return report(
		`scale to ${width}×${height}`,
		() => toPixels(open(base).resize({ width, height, fit: 'fill', kernel })),
		(pixels) => pixels.data.length,
	);
}

async function makeVariant(
	sha256: string,
	{ variant, passes }: LevelVariant,
	pixels: Pixels,
	report: Report,
	{ onVariant }: PipelineListener,
): Promise<void> {
	let started = performance.now();
	const stepped = await applyPasses(passes, variant, pixels);
	for (const encoding of variant.encodings) {
		const encoded = await report(
			`encode ${variant.name}.${encoding.encoder.extension}`,
			() => encode(stepped.clone(), encoding),
			({ data }) => data.length,
		);
		const milliseconds = performance.now() - started;
		started = performance.now();
		const { name, type, extension } = encoding.encoder;
		onVariant({
			name: variant.name,
			format: name,
			type,
			extension,
			width: encoded.width,
			height: encoded.height,
			digest: variantDigest(sha256, variant, encoding),
			sha256: createHash('sha256').update(encoded.data).digest('hex'),
			data: encoded.data,
			milliseconds,
		});
	}
}

/** @returns a sharp pipeline that lacks only the encoder */
async function applyPasses(
	passes: readonly Pass[],
	{ name, encodings }: PlannedVariant,
	pixels: Pixels,
): Promise<Sharp> {
	let image = open(pixels);
	try {
		for (const [index, { operation, options, input }] of passes.entries()) {
			if (index > 0) image = open(await toPixels(image));
			image = operation.apply(image, options, input);
		}
		// Several encoders would each run the steps again.
		return passes.length > 0 && encodings.length > 1 ? open(await toPixels(image)) : image;
	} catch (error) {
		throw classify(error, 'work', `steps of ${name}`);
	}
}

async function encode(image: Sharp, { encoder, options }: PlannedEncoding) {
	const { data, info } = await encoder.apply(image, options).toBuffer({ resolveWithObject: true });
	return { data, width: info.width, height: info.height };
}

function open({ data, width, height, channels }: Pixels): Sharp {
	return sharp(data, { raw: { width, height, channels }, limitInputPixels: width * height });
}

async function toPixels(image: Sharp): Promise<Pixels> {
	const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
	return { data, width: info.width, height: info.height, channels: info.channels === 4 ? 4 : 3 };
}

import { createHash } from 'node:crypto';
import type { Limited } from '../../domain/picture.ts';
import { profileFor } from '../colour/profile.ts';
import { decode, decodeFrames, openPhotograph } from '../decode/decode.ts';
import { type Encoder, type EncoderChoice, keepsAnimation } from '../encoders/index.ts';
import { classifyError } from '../inspect/classify-error.ts';
import { metadataWriter } from '../metadata/metadata.ts';
import { firstFrame, open, type Pixels, scaled } from '../pixels/pixels.ts';
import { branchFailures, branchOf, type LevelVariant } from '../plan/plan-chain.ts';
import { needsFrames, type PyramidLevel } from '../plan/pyramid.ts';
import { keepsGainMap, type SinglePass } from '../plan/single-pass.ts';
import type { PlannedEncoding, PlannedVariant } from '../recipe/parse-recipe.ts';
import { assetsOfSteps, variantDigest } from '../recipe/variant-digest.ts';
import { type AppliedSteps, applySteps } from './apply-steps.ts';
import { chooseEncoder, type EncodedVariant, encodeVariant, type FileExtras, runEncoder } from './encode-variant.ts';
import { encodeWithGainMap } from './gain-map.ts';
import { inspectedPage, noAssets, type PipelineContext } from './render-context.ts';

/**
 * Renders a variant from the pixels of its level, and starts the variants that build on it. Never throws: if its steps fail, the variant
 * and those that build on it fail; if an encoding fails, only that encoding does.
 */
export async function renderVariant(planned: LevelVariant, pixels: Pixels, context: PipelineContext): Promise<void> {
	const { limit } = context;
	const { assets = noAssets, failedAssets } = context.input;
	const started = performance.now();
	const frames = planned.frames > 1 ? pixels : firstFrame(pixels);
	try {
		for (const name of assetsOfSteps(planned.variant.definition)) {
			const failed = failedAssets?.get(name);
			if (failed) throw failed;
		}
		const applied = await applySteps(planned, frames, assets, context.fail);
		if (!applied) return;
		const { variant, chained } = applied.planned;
		const { pixels: shared } = applied;
		const { metadata, colour } = variant.output;
		const picture = inspectedPage(context.input, variant);
		const extras: FileExtras = {
			attach: metadataWriter(metadata, picture),
			profile: await profileFor(colour, picture.profile),
		};
		if (shared) for (const next of chained) limit.start(() => renderVariant(next, shared, context));
		await encodeAll(applied, extras, started, context);
	} catch (error) {
		failBranch(planned, error, context);
	}
}

async function encodeAll(
	applied: AppliedSteps,
	extras: FileExtras,
	begun: number,
	context: PipelineContext,
): Promise<void> {
	const { variant, stillBecause } = applied.planned;
	let started = begun;
	for (const encoding of variant.encodings) {
		let format = encoding.encoder.name;
		try {
			const choice = await chooseEncoder(encoding, applied);
			format = choice.encoder.name;
			const step = `encode ${variant.name}.${choice.encoder.extension}`;
			const encoded = await context.runStep(
				step,
				() => encodeVariant(applied, choice, extras, step),
				({ data }) => data.length,
			);
			const milliseconds = performance.now() - started;
			started = performance.now();
			const limited = keepsAnimation(encoding.encoder, encoding.options)
				? limitedTo(stillBecause, encoded.limited)
				: encoded.limited;
			const made = { ...encoded, ...(limited && { limited }), milliseconds };
			const publish = (finished: PublishedVariant) =>
				publishVariant(context, variant, encoding, choice.encoder, finished);
			const picture = inspectedPage(context.input, variant);
			if (keepsGainMap(variant, format, picture)) {
				context.later.push(async () => publish(await withGainMap(variant, choice, made, context)));
			} else publish(made);
		} catch (error) {
			context.fail([{ variant: variant.name, format, error: classifyError(error, 'work', `encode ${variant.name}`) }]);
		}
	}
}

interface PublishedVariant extends EncodedVariant {
	readonly milliseconds: number;
	readonly hasGainMap?: true;
}

/** The variant with its gain map; without one if sharp cannot keep it, which its record then says. */
async function withGainMap(
	variant: PlannedVariant,
	{ options }: EncoderChoice,
	made: PublishedVariant,
	context: PipelineContext,
): Promise<PublishedVariant> {
	const { input, runStep } = context;
	const picture = inspectedPage(input, variant);
	const { quality, density } = options as { readonly quality: number; readonly density?: number };
	const attach = metadataWriter(variant.output.metadata, picture);
	const started = performance.now();
	const kept = await runStep(
		`encode ${variant.name}.jpg with its gain map`,
		() => encodeWithGainMap(input.file, picture, variant, { quality, density, attach }),
		({ data }) => data.length,
	).catch(() => undefined);
	const milliseconds = made.milliseconds + performance.now() - started;
	return kept ? { ...kept, milliseconds, hasGainMap: true } : { ...made, milliseconds };
}

/** A first frame in place of an animation may be scaled down for its format as well. */
function limitedTo(stillBecause: string | undefined, byFormat: Limited | undefined): Limited | undefined {
	if (stillBecause === undefined) return byFormat;
	return { reason: 'animation', message: byFormat ? `${stillBecause} ${byFormat.message}` : stillBecause };
}

/** Fails a variant and those that build on it. */
export function failBranch(planned: LevelVariant, error: unknown, context: PipelineContext): void {
	const known = classifyError(error, 'work', `steps of ${planned.variant.name}`);
	context.fail(branchFailures(branchOf(planned), known));
}

/**
 * Renders a level in a single pass. On any error or warning it starts over the long way, which decides whether the picture is damaged.
 *
 * @throws PicpipeError if the level cannot be decoded
 */
export async function renderSinglePass(
	{ variant, pass, encoding, encoder }: SinglePass,
	from: { readonly level: PyramidLevel; readonly levels: readonly PyramidLevel[]; readonly base: Pixels | undefined },
	context: PipelineContext,
): Promise<void> {
	const { level, levels, base } = from;
	const { options } = encoding;
	const { input, runStep } = context;
	const picture = inspectedPage(input, level);
	const started = performance.now();
	const step = `${base ? 'scale' : 'decode'} and encode ${variant.variant.name}.${encoder.extension}`;
	const attach = metadataWriter(variant.variant.output.metadata, picture);
	const { image: opened, isSuspicious = () => false } = base
		? { image: open(base) }
		: openPhotograph(input.file, picture);
	const scaled = await pass.operation.apply(opened, pass.options, pass.input, noAssets);
	const image = encoder.apply(attach ? attach(scaled) : scaled, options);
	const encoded = await runStep(
		step,
		() => runEncoder(image),
		({ data }) => data.length,
	).catch(() => undefined);
	if (!encoded || isSuspicious()) {
		const rendered = new Map(level.base && base && [[level.base, base]]);
		return renderVariant(variant, await renderLevel(level, levels, rendered, context), context);
	}
	const milliseconds = performance.now() - started;
	publishVariant(context, variant.variant, encoding, encoder, { ...encoded, milliseconds });
}

function publishVariant(
	{ input, listener }: PipelineContext,
	variant: PlannedVariant,
	encoding: PlannedEncoding,
	{ name, type, extension }: Encoder,
	{ data, hasGainMap, ...encoded }: PublishedVariant,
): void {
	const isDropped = inspectedPage(input, variant).facts.gainMap === true && !hasGainMap;
	listener.onVariant({
		name: variant.name,
		format: name,
		type,
		extension,
		digest: variantDigest(input.sha256, variant, encoding, input.assets ?? noAssets),
		sha256: createHash('sha256').update(data).digest('hex'),
		data,
		...encoded,
		...(isDropped && { dropped: ['gain-map'] }),
	});
}

/** Decodes a level, or scales it from its base. @param rendered pixels of the levels that are still needed */
export async function renderLevel(
	level: PyramidLevel,
	levels: readonly PyramidLevel[],
	rendered: ReadonlyMap<PyramidLevel, Pixels>,
	{ input, runStep }: PipelineContext,
): Promise<Pixels> {
	const { file } = input;
	const picture = inspectedPage(input, level);
	const keepsFrames = needsFrames(level, levels);
	const base = level.base && rendered.get(level.base);
	if (!base) {
		return runStep(
			'decode',
			() => (keepsFrames ? decodeFrames(file, picture, level) : decode(file, picture, level, level.colour)),
			() => file.length,
		);
	}
	return runStep(
		`scale to ${level.width}×${level.height}`,
		() => scaled(keepsFrames ? base : firstFrame(base), level),
		(pixels) => pixels.data.length,
	);
}

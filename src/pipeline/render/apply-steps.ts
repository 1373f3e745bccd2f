import type { Sharp } from 'sharp';
import type { Assets } from '../../operations/operation.ts';
import { encodersOf, isChooser } from '../encoders/index.ts';
import { classifyError } from '../inspect/classify-error.ts';
import { firstFrame, onFrames, open, type Pixels, toPixels } from '../pixels/pixels.ts';
import type { LevelVariant, PlannedPass, VariantFailure } from '../plan/plan-chain.ts';
import type { PlannedVariant } from '../recipe/parse-recipe.ts';

/** The result of a variant's steps. */
export interface AppliedSteps {
	/** The variant as it was planned in the end, deferred steps included. */
	readonly planned: LevelVariant;
	/** A pipeline that lacks only the encoder. */
	readonly image: Sharp;
	/** The result as pixels, if it is needed more than once. */
	readonly pixels?: Pixels;
}

/**
 * Applies all steps of a variant. Steps that follow one with an unpredictable size are planned once the size is known.
 *
 * @param onFailures called with what these plans leave out
 * @returns undefined if they leave out everything
 * @throws PicpipeError that names the variant
 */
export async function applySteps(
	planned: LevelVariant,
	pixels: Pixels,
	assets: Assets,
	onFailures: (failures: readonly VariantFailure[]) => void,
): Promise<AppliedSteps | undefined> {
	const applied = await applyPasses(planned, pixels, assets);
	if (!planned.deferred || !applied.pixels) return applied;
	const rest = planned.deferred.plan(applied.pixels);
	onFailures(rest.failures);
	return rest.planned && applySteps(rest.planned, applied.pixels, assets, onFailures);
}

async function applyPasses(planned: LevelVariant, pixels: Pixels, assets: Assets): Promise<AppliedSteps> {
	const { variant, passes, chained, deferred } = planned;
	let from = pixels;
	let image = open(from);
	if (passes.length === 0) return { planned, image, pixels };
	try {
		if (from.animation) {
			for (const pass of passes) from = await applyToFrames(pass, from, assets);
			return { planned, image: open(from), pixels: from };
		}
		for (const [index, pass] of passes.entries()) {
			if (index > 0) {
				from = await toPixels(image);
				image = open(from);
			}
			image = await applyPass(pass, from, image, assets);
		}
		// An encoder may flatten the picture onto a background, which sharp would do before the last step.
		const mayBeTransparent = from.channels === 4 || passes.some(addsAlpha);
		// Each further encoder, and each variant that builds on this one, would repeat the last step.
		const isShared =
			variant.encodings.length > 1 ||
			chained.length > 0 ||
			deferred !== undefined ||
			needsContent(variant) ||
			isBeyondFormat(planned);
		if (!mayBeTransparent && !isShared) return { planned, image };
		const result = await toPixels(image);
		return { planned, image: open(result), pixels: result };
	} catch (error) {
		throw classifyError(error, 'work', `steps of ${variant.name}`);
	}
}

/** @param image a pipeline that begins with `from` and holds no operation yet */
async function applyPass(pass: PlannedPass, from: Pixels, image: Sharp, assets: Assets): Promise<Sharp> {
	const result =
		pass.operation.coloursOnly && from.channels === 4
			? await onColours(pass, from, assets)
			: await apply(pass, image, assets);
	// sharp adds alpha whenever a picture is composited.
	return from.channels === 3 && !addsAlpha(pass) ? result.removeAlpha() : result;
}

/** Applies a step to every frame. A step that depends on the content looks at the first frame, or at all of them, so that nothing jumps. */
async function applyToFrames(pass: PlannedPass, pixels: Pixels, assets: Assets): Promise<Pixels> {
	const { operation, options, input } = pass;
	const { animation, ...still } = pixels;
	if (operation.needsAllFrames && animation) {
		const tall = { ...still, height: still.height * animation.delay.length };
		const { data, channels } = await toPixels(await applyPass(pass, tall, open(tall), assets));
		return { ...pixels, data, channels };
	}
	const one = async (frame: Pixels) => toPixels(await applyPass(pass, frame, open(frame), assets));
	if (!operation.repeat) return onFrames(pixels, one);
	const first = await applyPass(pass, firstFrame(pixels), open(firstFrame(pixels)), assets);
	const { info } = await first.raw().toBuffer({ resolveWithObject: true });
	const repeat = await operation.repeat(options, input, info, open(firstFrame(pixels)));
	return onFrames(pixels, repeat ? (frame) => toPixels(repeat(open(frame))) : one);
}

/** Is an encoder chosen by the content of the picture? */
function needsContent({ encodings }: PlannedVariant): boolean {
	return encodings.some(({ encoder }) => isChooser(encoder));
}

/** Will the result be scaled down for the format of one of the encodings? */
function isBeyondFormat({ variant, output }: LevelVariant): boolean {
	const side = Math.max(output.width, output.height);
	return variant.encodings.some(({ encoder, options }) =>
		encodersOf(encoder, options).some(({ maximumSide }) => side > maximumSide),
	);
}

async function apply({ operation, options, input }: PlannedPass, image: Sharp, assets: Assets): Promise<Sharp> {
	return operation.apply(image, options, input, assets);
}

function addsAlpha({ operation, options, input }: PlannedPass): boolean {
	return operation.predict(input, options).addsAlpha ?? false;
}

/** Applies a pass to the colour channels alone and restores the alpha channel. */
async function onColours(pass: PlannedPass, pixels: Pixels, assets: Assets): Promise<Sharp> {
	const { width, height } = pixels;
	const colours = await toPixels(open(pixels).removeAlpha());
	const alpha = await open(pixels).extractChannel('alpha').raw().toBuffer();
	const result = await toPixels(await apply(pass, open(colours), assets));
	return open(result).joinChannel(alpha, { raw: { width, height, channels: 1 } });
}

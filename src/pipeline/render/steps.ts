import type { Sharp } from 'sharp';
import type { Assets } from '../../operations/operation.ts';
import { isChooser } from '../encoders/index.ts';
import { classify } from '../inspect/classify.ts';
import { firstFrame, onFrames, open, type Pixels, toPixels } from '../pixels/pixels.ts';
import type { LevelVariant, Pass } from '../plan/levels.ts';
import type { PlannedVariant } from '../recipe/plan.ts';

/** A variant whose steps are done. */
export interface Stepped {
	/** What was planned for it in the end. */
	readonly level: LevelVariant;
	/** Lacks only the encoder. */
	readonly image: Sharp;
	/** What the steps have made, where it is needed more than once. */
	readonly pixels?: Pixels;
}

/**
 * Does all steps of a variant; those after one that makes a size of its own are planned when it is known.
 *
 * @throws PicpipeError that names the variant
 */
export async function applySteps(level: LevelVariant, pixels: Pixels, assets: Assets): Promise<Stepped> {
	const stepped = await applyPasses(level, pixels, assets);
	if (!level.later || !stepped.pixels) return stepped;
	return applySteps(level.later.plan(stepped.pixels), stepped.pixels, assets);
}

async function applyPasses(level: LevelVariant, pixels: Pixels, assets: Assets): Promise<Stepped> {
	const { variant, passes, chained, later } = level;
	let from = pixels;
	let image = open(from);
	if (passes.length === 0) return { level, image, pixels };
	try {
		if (from.animation) {
			for (const pass of passes) from = await applyToFrames(pass, from, assets);
			return { level, image: open(from), pixels: from };
		}
		for (const [index, pass] of passes.entries()) {
			if (index > 0) {
				from = await toPixels(image);
				image = open(from);
			}
			image = await applyPass(pass, from, image, assets);
		}
		// An encoder may put a background behind the picture, and sharp would do that before the last step.
		const mayBeTransparent = from.channels === 4 || passes.some(addsAlpha);
		// Each further encoder, and each variant that stands on this one, would run the last step again.
		const isShared =
			variant.encodings.length > 1 || chained.length > 0 || later !== undefined || asksForContent(variant);
		if (!mayBeTransparent && !isShared) return { level, image };
		const made = await toPixels(image);
		return { level, image: open(made), pixels: made };
	} catch (error) {
		throw classify(error, 'work', `steps of ${variant.name}`);
	}
}

/** @param image a pipeline that begins with these pixels and holds nothing else */
async function applyPass(pass: Pass, from: Pixels, image: Sharp, assets: Assets): Promise<Sharp> {
	const made =
		pass.operation.coloursOnly && from.channels === 4
			? await onColours(pass, from, assets)
			: await apply(pass, image, assets);
	// sharp gives alpha to whatever something is laid over.
	return from.channels === 3 && !addsAlpha(pass) ? made.removeAlpha() : made;
}

/** Does a step to every frame; what looks at the picture looks at the first one, or at all, so that nothing jumps. */
async function applyToFrames(pass: Pass, pixels: Pixels, assets: Assets): Promise<Pixels> {
	const { operation, options, input } = pass;
	const { animation, ...still } = pixels;
	if (operation.isOfAllFrames && animation) {
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

/** An encoder is chosen by what is in the picture. */
function asksForContent({ encodings }: PlannedVariant): boolean {
	return encodings.some(({ encoder }) => isChooser(encoder));
}

async function apply({ operation, options, input }: Pass, image: Sharp, assets: Assets): Promise<Sharp> {
	return operation.apply(image, options, input, assets);
}

function addsAlpha({ operation, options, input }: Pass): boolean {
	return operation.predict(input, options).addsAlpha ?? false;
}

/** Applies a pass to the colours alone and gives the pixels their opacity back. */
async function onColours(pass: Pass, pixels: Pixels, assets: Assets): Promise<Sharp> {
	const { width, height } = pixels;
	const colours = await toPixels(open(pixels).removeAlpha());
	const alpha = await open(pixels).extractChannel('alpha').raw().toBuffer();
	const made = await toPixels(await apply(pass, open(colours), assets));
	return open(made).joinChannel(alpha, { raw: { width, height, channels: 1 } });
}

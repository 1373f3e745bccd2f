import type { Sharp } from 'sharp';
import { PicpipeError } from '../../errors.ts';
import { openWithProfile } from '../colour/profile.ts';
import { type EncoderChoice, isChooser, keepsAnimation } from '../encoders/index.ts';
import { type QualityAttempt, type QualityTarget, searchQuality, targetOf } from '../encoders/quality.ts';
import type { Attach } from '../metadata/metadata.ts';
import { contentOf } from '../pixels/content.ts';
import { firstFrame, open, type Pixels, toPixels } from '../pixels/pixels.ts';
import { similarityOfEncoded } from '../pixels/similarity.ts';
import type { PlannedEncoding } from '../recipe/parse-recipe.ts';
import type { AppliedSteps } from './apply-steps.ts';

/** A variant in a format. */
export interface EncodedVariant {
	readonly data: Buffer;
	readonly width: number;
	readonly height: number;
	/** The quality that met the target, if the recipe has a target instead of a quality. */
	readonly quality?: FoundQuality;
}

/** Content of a file beside its pixels. */
export interface FileExtras {
	/** Adds the metadata. */
	readonly attach: Attach | undefined;
	/** Colour profile of the pixels; sRGB when absent. */
	readonly profile: Buffer | undefined;
}

/** A quality that a search found. */
export interface FoundQuality {
	/** 1 to 100. */
	readonly value: number;
	/** Similarity of the file to the pixels that were encoded (`similarity.ts`), rounded to 4 places. */
	readonly ssim: number;
	/** Encodings that the search took. */
	readonly tries: number;
}

/** The encoder that the recipe names, or the one that suits the content of the picture. */
export async function chooseEncoder(
	{ encoder, options }: PlannedEncoding,
	applied: AppliedSteps,
): Promise<EncoderChoice> {
	if (!isChooser(encoder)) return { encoder, options };
	const pixels = applied.pixels ?? (await toPixels(applied.image));
	return encoder.choose(options, contentOf(pixels));
}

/**
 * Encodes a variant whose steps are applied.
 *
 * @param step name of the step for errors
 * @throws PicpipeError `output-too-large` when no quality makes the file as small as requested
 */
export async function encodeVariant(
	applied: AppliedSteps,
	choice: EncoderChoice,
	extras: FileExtras,
	step: string,
): Promise<EncodedVariant> {
	const { encoder, options } = choice;
	const { pixels } = applied;
	const isAnimated = pixels?.animation && keepsAnimation(encoder, options);
	const animation = isAnimated ? pixels.animation : undefined;
	const from = pipelineOf(applied, animation !== undefined);
	const prepared = encoder.prepare?.(from, options) ?? from;
	const target = targetOf(options);
	if (target) return encodeForTarget(target, await toPixels(prepared, animation), { choice, extras, step });
	const base = extras.profile
		? openWithProfile(await toPixels(prepared, animation), extras.profile).keepIccProfile()
		: prepared;
	return runEncoder(encoder.apply(attached(base, extras), options, animation));
}

/**
 * A pipeline to encode from. Pixels start a new one, because sharp's `clone` would copy them; without pixels no other encoder needs the
 * existing pipeline.
 */
function pipelineOf({ image, pixels }: AppliedSteps, isAnimated: boolean): Sharp {
	if (!pixels) return image;
	return open(isAnimated ? pixels : firstFrame(pixels));
}

interface EncodedAttempt extends QualityAttempt {
	readonly encoded: EncodedVariant;
}

async function encodeForTarget(
	target: QualityTarget,
	pixels: Pixels,
	{ choice, extras, step }: { choice: EncoderChoice; extras: FileExtras; step: string },
): Promise<EncodedVariant> {
	const { encoder, options } = choice;
	const similarity = similarityOfEncoded(pixels);
	const attempt = async (quality: number): Promise<EncodedAttempt> => {
		const image = attached(
			extras.profile ? openWithProfile(pixels, extras.profile).keepIccProfile() : open(pixels),
			extras,
		);
		const encoded = await runEncoder(encoder.apply(image, { ...(options as object), quality }, pixels.animation));
		let score: Promise<number> | undefined;
		return {
			quality,
			encoded,
			bytes: encoded.data.length,
			ssim() {
				score ??= similarity(encoded.data);
				return score;
			},
		};
	};
	const { found, tries, isMet } = await searchQuality(target, attempt);
	if (!isMet && 'maxBytes' in target && !target.orSmallest) {
		const { width, height } = found.encoded;
		throw new PicpipeError(
			'output-too-large',
			`Expected at most ${target.maxBytes} bytes but at quality ${found.quality} a ${encoder.name} of ${width} × ${height} pixels still has ${found.bytes}.`,
			{ step },
		);
	}
	const ssim = Math.round((await found.ssim()) * 1e4) / 1e4;
	return { ...found.encoded, quality: { value: found.quality, ssim, tries } };
}

function attached(image: Sharp, { attach }: FileExtras): Sharp {
	return attach ? attach(image) : image;
}

/** Runs a pipeline that ends in an encoder. */
export async function runEncoder(image: Sharp): Promise<EncodedVariant> {
	const { data, info } = await image.toBuffer({ resolveWithObject: true });
	return { data, width: info.width, height: info.pageHeight ?? info.height };
}

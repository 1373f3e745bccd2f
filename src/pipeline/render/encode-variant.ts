import type { Sharp } from 'sharp';
import type { Limited } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import type { Size } from '../../operations/operation.ts';
import { openWithProfile } from '../colour/profile.ts';
import { type Encoder, type EncoderChoice, isChooser, keepsAnimation } from '../encoders/index.ts';
import { type QualityAttempt, type QualityTarget, searchQuality, targetOf } from '../encoders/quality.ts';
import type { Attach } from '../metadata/metadata.ts';
import { contentOf } from '../pixels/content.ts';
import { type Animation, firstFrame, open, type Pixels, scaled, toPixels } from '../pixels/pixels.ts';
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
	/** Absent if it matches the recipe. */
	readonly limited?: Limited;
}

/** Content of a file besides its pixels. */
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
 * Encodes a variant whose steps are applied. Beyond the largest side of the format it is scaled down to fit.
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
	const { pixels, image } = applied;
	if (!pixels) return encodeFrom(image, undefined, { choice, extras, step });
	const isAnimated = pixels.animation && keepsAnimation(encoder, options);
	const shown = isAnimated ? pixels : firstFrame(pixels);
	const fitting = sizeWithin(shown, encoder.maximumSide);
	if (!fitting) return encodeFrom(open(shown), shown.animation, { choice, extras, step });
	const fitted = await scaled(shown, { ...fitting, kernel: 'lanczos3' });
	const encoded = await encodeFrom(open(fitted), fitted.animation, { choice, extras, step });
	return { ...encoded, limited: limitedBy(encoder, shown, fitted) };
}

/** The largest size of the same shape within a format's largest side; undefined if the picture is within it. */
function sizeWithin({ width, height }: Size, maximumSide: number): Size | undefined {
	const scale = maximumSide / Math.max(width, height);
	if (scale >= 1) return undefined;
	return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}

function limitedBy({ name, maximumSide }: Encoder, planned: Size, made: Size): Limited {
	const message = `Expected at most ${maximumSide} pixels of width and height for ${name}, so the variant of ${planned.width} × ${planned.height} was scaled down to ${made.width} × ${made.height}.`;
	return { reason: 'format', message };
}

interface EncodeContext {
	readonly choice: EncoderChoice;
	readonly extras: FileExtras;
	readonly step: string;
}

/** @param from a pipeline that lacks only the encoder. Pixels start a new one for each encoder, because sharp's `clone` would copy them. */
async function encodeFrom(
	from: Sharp,
	animation: Pixels['animation'],
	{ choice, extras, step }: EncodeContext,
): Promise<EncodedVariant> {
	const { encoder, options } = choice;
	const prepared = encoder.prepare?.(from, options) ?? from;
	const target = targetOf(options);
	if (target) return encodeForTarget(target, await toPixels(prepared, animation), { choice, extras, step });
	const base = extras.profile
		? openWithProfile(await toPixels(prepared, animation), extras.profile).keepIccProfile()
		: prepared;
	return finished(encoder, await runEncoder(encoder.apply(attached(base, extras), options, animation)), animation);
}

interface EncodedAttempt extends QualityAttempt {
	readonly encoded: EncodedVariant;
}

async function encodeForTarget(
	target: QualityTarget,
	pixels: Pixels,
	{ choice, extras, step }: EncodeContext,
): Promise<EncodedVariant> {
	const { encoder, options } = choice;
	const similarity = similarityOfEncoded(pixels);
	const attempt = async (quality: number): Promise<EncodedAttempt> => {
		const image = attached(
			extras.profile ? openWithProfile(pixels, extras.profile).keepIccProfile() : open(pixels),
			extras,
		);
		const ended = await runEncoder(encoder.apply(image, { ...(options as object), quality }, pixels.animation));
		const encoded = finished(encoder, ended, pixels.animation);
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

function finished(encoder: Encoder, encoded: EncodedVariant, animation: Animation | undefined): EncodedVariant {
	return animation && encoder.finish ? { ...encoded, data: encoder.finish(encoded.data, animation) } : encoded;
}

function attached(image: Sharp, { attach }: FileExtras): Sharp {
	return attach ? attach(image) : image;
}

/** Runs a pipeline that ends in an encoder. */
export async function runEncoder(image: Sharp): Promise<EncodedVariant> {
	const { data, info } = await image.toBuffer({ resolveWithObject: true });
	return { data, width: info.width, height: info.pageHeight ?? info.height };
}

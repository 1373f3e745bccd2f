import sharp, { type Sharp } from 'sharp';
import { PicpipeError } from '../../errors.ts';
import { withProfile } from '../colour/profile.ts';
import { type Candidate, isChooser, keepsAnimation } from '../encoders/index.ts';
import { type QualityTarget, targetOf } from '../encoders/quality.ts';
import type { Attach } from '../metadata/metadata.ts';
import { contentOf } from '../pixels/content.ts';
import { firstFrame, open, type Pixels, toPixels } from '../pixels/pixels.ts';
import { type Attempt, searchQuality } from '../quality/search.ts';
import { similarityOfEncoded } from '../quality/similarity.ts';
import type { PlannedEncoding } from '../recipe/plan.ts';
import type { Stepped } from './steps.ts';

/** A variant's pixels in a format. */
export interface Written {
	readonly data: Buffer;
	readonly width: number;
	readonly height: number;
	/** Where the recipe has a target instead of a quality: which one was found. */
	readonly quality?: FoundQuality;
}

/** What stands in a file beside its pixels. */
export interface Extras {
	/** Puts the metadata in. */
	readonly attach: Attach | undefined;
	/** What the pixels' numbers mean; sRGB without. */
	readonly profile: Buffer | undefined;
}

/** A quality that was looked for. */
export interface FoundQuality {
	/** 1 to 100. */
	readonly value: number;
	/** Similarity of what was encoded to what it was encoded from (`similarity.ts`), rounded to 4 places. */
	readonly ssim: number;
	/** Encodings that it took to find it. */
	readonly tries: number;
}

/** The encoder of a recipe, or the one that what the steps have made asks for. */
export async function candidateFor({ encoder, options }: PlannedEncoding, stepped: Stepped): Promise<Candidate> {
	if (!isChooser(encoder)) return { encoder, options };
	const pixels = stepped.pixels ?? (await toPixels(stepped.image));
	return encoder.choose(options, contentOf(pixels));
}

/**
 * Writes a variant whose steps are done.
 *
 * @param step what errors are about
 * @throws PicpipeError `output-too-large` when no quality makes it as small as asked
 */
export async function write(stepped: Stepped, candidate: Candidate, extras: Extras, step: string): Promise<Written> {
	const { encoder, options } = candidate;
	const { pixels } = stepped;
	const isAnimated = pixels?.animation && keepsAnimation(encoder, options);
	const animation = isAnimated ? pixels.animation : undefined;
	const from = pipelineOf(stepped, animation !== undefined);
	const prepared = encoder.prepare?.(from, options) ?? from;
	const target = targetOf(options);
	if (target) return writeFor(target, await toPixels(prepared, animation), { candidate, extras, step });
	const base = extras.profile ? profiled(await toPixels(prepared, animation), extras.profile) : prepared;
	return encode(encoder.apply(attached(base, extras), options, animation));
}

/**
 * A pipeline to encode from. Where there are pixels a new one begins with them, and where there are none no other encoder
 * needs this one: sharp's `clone` would copy all of them.
 */
function pipelineOf({ image, pixels }: Stepped, isAnimated: boolean): Sharp {
	if (!pixels) return image;
	return open(isAnimated ? pixels : firstFrame(pixels));
}

interface Tried extends Attempt {
	readonly written: Written;
}

async function writeFor(
	target: QualityTarget,
	pixels: Pixels,
	{ candidate, extras, step }: { candidate: Candidate; extras: Extras; step: string },
): Promise<Written> {
	const { encoder, options } = candidate;
	const similarity = similarityOfEncoded(pixels);
	const attempt = async (quality: number): Promise<Tried> => {
		const image = attached(extras.profile ? profiled(pixels, extras.profile) : open(pixels), extras);
		const written = await encode(encoder.apply(image, { ...(options as object), quality }, pixels.animation));
		let score: Promise<number> | undefined;
		return {
			quality,
			written,
			bytes: written.data.length,
			ssim() {
				score ??= similarity(written.data);
				return score;
			},
		};
	};
	const { found, tries, isMet } = await searchQuality(target, attempt);
	if (!isMet && 'maxBytes' in target && !target.orSmallest) {
		const { width, height } = found.written;
		throw new PicpipeError(
			'output-too-large',
			`Expected at most ${target.maxBytes} bytes but at quality ${found.quality} a ${encoder.name} of ${width} × ${height} pixels still has ${found.bytes}.`,
			{ step },
		);
	}
	const ssim = Math.round((await found.ssim()) * 1e4) / 1e4;
	return { ...found.written, quality: { value: found.quality, ssim, tries } };
}

function attached(image: Sharp, { attach }: Extras): Sharp {
	return attach ? attach(image) : image;
}

/** A pipeline that begins with pixels of another colour space and says so in what it writes. */
function profiled(pixels: Pixels, profile: Buffer): Sharp {
	const { width, height } = pixels;
	return sharp(withProfile(pixels, profile), { limitInputPixels: width * height }).keepIccProfile();
}

/** Runs a pipeline that ends in an encoder. */
export async function encode(image: Sharp): Promise<Written> {
	const { data, info } = await image.toBuffer({ resolveWithObject: true });
	return { data, width: info.width, height: info.pageHeight ?? info.height };
}

import sharp, { type Sharp } from 'sharp';
import { PicpipeError } from '../errors.ts';
import { contentOf } from './content.ts';
import type { Pixels } from './decode.ts';
import { type Candidate, isChooser } from './encode.ts';
import { type QualityTarget, targetOf } from './encoders/quality.ts';
import type { PlannedEncoding } from './plan.ts';
import { type Attempt, searchQuality } from './search.ts';
import { similarityTo } from './ssim.ts';
import { open, type Stepped, toPixels } from './steps.ts';

/** A variant's pixels in a format. */
export interface Written {
	readonly data: Buffer;
	readonly width: number;
	readonly height: number;
	/** Where the recipe has a target instead of a quality: which one was found. */
	readonly quality?: FoundQuality;
}

/** A quality that was looked for. */
export interface FoundQuality {
	/** 1 to 100. */
	readonly value: number;
	/** Similarity of what was encoded to what it was encoded from (`ssim.ts`), rounded to 4 places. */
	readonly ssim: number;
	/** Encodings that it took to find it. */
	readonly tries: number;
}

/** The encoder of a recipe, or the one that what the steps have made asks for. */
export async function candidateFor({ encoder, options }: PlannedEncoding, stepped: Stepped): Promise<Candidate> {
	if (!isChooser(encoder)) return { encoder, options };
	const pixels = stepped.pixels ?? (await toPixels(stepped.image.clone()));
	return encoder.choose(options, contentOf(pixels));
}

/**
 * Writes an image whose steps are done.
 *
 * @param step what errors are about
 * @throws PicpipeError `output-too-large` when no quality makes it as small as asked
 */
export async function write(image: Sharp, candidate: Candidate, step: string): Promise<Written> {
	const { encoder, options } = candidate;
	const prepared = encoder.prepare?.(image, options) ?? image;
	const target = targetOf(options);
	if (target) return writeFor(target, await toPixels(prepared), candidate, step);
	return encode(encoder.apply(prepared, options));
}

interface Tried extends Attempt {
	readonly written: Written;
}

async function writeFor(
	target: QualityTarget,
	pixels: Pixels,
	{ encoder, options }: Candidate,
	step: string,
): Promise<Written> {
	const similarity = similarityTo(pixels);
	const attempt = async (quality: number): Promise<Tried> => {
		const written = await encode(encoder.apply(open(pixels), { ...(options as object), quality }));
		let score: Promise<number> | undefined;
		return {
			quality,
			written,
			bytes: written.data.length,
			ssim() {
				score ??= decodeAgain(written.data, pixels).then(similarity);
				return score;
			},
		};
	};
	const { found, tries, isMet } = await searchQuality(target, attempt);
	if (!isMet && 'maxBytes' in target) {
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

/** What a viewer will see of it, with the channels of what it was made from. */
function decodeAgain(data: Buffer, { width, height, channels }: Pixels): Promise<Pixels> {
	const image = sharp(data, { limitInputPixels: width * height }).toColourspace('srgb');
	return toPixels(channels === 4 ? image.ensureAlpha() : image.removeAlpha());
}

async function encode(image: Sharp): Promise<Written> {
	const { data, info } = await image.toBuffer({ resolveWithObject: true });
	return { data, width: info.width, height: info.height };
}

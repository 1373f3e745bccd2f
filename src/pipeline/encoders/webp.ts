import * as z from 'zod';
import { integer } from '../../operations/options.ts';
import type { Animation } from '../pixels/pixels.ts';
import {
	animated,
	density,
	type Encoder,
	fitsSharp,
	losslessOption,
	sharpMost,
	timingForSharp,
	withDensity,
} from './encoder.ts';
import { fixed, isSearchable, notSearchable, quality } from './quality.ts';

const schema = z
	.strictObject({
		quality: quality(80),
		effort: integer(0, 6).default(4).describe('CPU time spent on a smaller file; 0 is fastest.'),
		lossless: losslessOption,
		nearLossless: z
			.boolean()
			.default(false)
			.describe(
				'Adjust pixels slightly before lossless compression, more so at a lower `quality`. For drawings and screenshots.',
			),
		animated,
		density,
		smartSubsample: z.boolean().default(false).describe('Keep sharp edges between colours; slower.'),
	})
	.refine(({ lossless, nearLossless }) => !(lossless && nearLossless), {
		error: 'expected false because lossless is true',
		path: ['nearLossless'],
	})
	.refine(isSearchable, notSearchable);
type WebpOptions = z.infer<typeof schema>;

export const webp: Encoder<WebpOptions> = {
	name: 'webp',
	doc: 'WebP: small, with transparency and animation; supported by every browser since 2020.',
	type: 'image/webp',
	extension: 'webp',
	maximumSide: 16_383,
	schema: schema as z.ZodType<WebpOptions>,
	keepsAnimation: ({ animated }) => animated !== false,
	apply: (image, { quality, animated: _, density, ...options }, animation) =>
		withDensity(image, density).webp({
			...options,
			quality: fixed(quality),
			...(animation && timingForSharp(animation)),
		}),
	finish: setWebpTiming,
};

/**
 * Writes delays that sharp does not accept into a WebP: up to 16,777,215 ms (WebP container specification, "Animation"). libwebp merges
 * equal frames; then the delays are not changed.
 *
 * @param file as sharp wrote it; it is changed
 */
function setWebpTiming(file: Buffer, animation: Animation): Buffer {
	if (fitsSharp(animation)) return file;
	const frames: number[] = [];
	const [header, chunkHead, delayAt, most] = [12, 8, 12, 0xff_ffff];
	for (let at = header; at + chunkHead <= file.length; ) {
		const length = file.readUInt32LE(at + 4);
		if (file.toString('latin1', at, at + 4) === 'ANMF') frames.push(at + chunkHead + delayAt);
		at += chunkHead + length + (length % 2);
	}
	if (frames.length !== animation.delay.length) return file;
	for (const [index, at] of frames.entries()) {
		const delay = animation.delay[index] ?? 0;
		if (delay > sharpMost) file.writeUIntLE(Math.min(delay, most), at, 3);
	}
	return file;
}

import sharp, { type Sharp } from 'sharp';
import { framesOf, type Pixels, toPixels } from '../pixels/pixels.ts';
import { similarityTo } from './ssim.ts';

/**
 * Measures how alike encoded files are to the pixels that they were made from (`ssim.ts`). An animation is as alike as the frame
 * that is least alike.
 */
export function similarityOfEncoded(pixels: Pixels): (file: Buffer) => Promise<number> {
	const similarities = framesOf(pixels).map(similarityTo);
	const starts = startsOf(pixels.animation?.delay ?? []);
	return async (file) => {
		const { frames, starts: shownFrom } = await decodeAgain(file, pixels);
		const scores = similarities.map((similarity, index) => {
			// Encoders show frames that are the same as one, for so much longer.
			const at = shownFrom.findLastIndex((start) => start <= (starts[index] ?? 0));
			const shown = frames[at] ?? frames[0];
			if (!shown) throw new TypeError('Expected a file with a frame.');
			return similarity(shown);
		});
		return Math.min(...scores);
	};
}

/** Milliseconds that libvips shows a frame which asks for 10 or less, as browsers do (`webp2vips.c`, `vips2webp.c`). */
const leastDelay = 10;
const usualDelay = 100;

/** When each frame is shown first, milliseconds from the start. */
function startsOf(delays: readonly number[]): readonly number[] {
	let start = 0;
	return delays.map((delay) => {
		const begin = start;
		start += delay <= leastDelay ? usualDelay : delay;
		return begin;
	});
}

/** What a viewer will see, with the channels of what it was made from. */
async function decodeAgain(file: Buffer, { width, height, channels, animation }: Pixels) {
	// Numbers are compared with numbers, whatever they mean.
	const frames = animation?.delay.length ?? 1;
	const options = { limitInputPixels: width * height * frames, ignoreIcc: true };
	if (!animation) {
		const shown = await toPixels(withChannels(sharp(file, options), channels));
		return { frames: [shown], starts: [0] };
	}
	const image = sharp(file, { ...options, pages: -1 });
	// One whose frames have all become the same has none any more.
	const { delay = [usualDelay] } = await image.metadata();
	const { data } = await toPixels(withChannels(image, channels));
	const shown = { data, width, height, channels, animation: { ...animation, delay } };
	return { frames: framesOf(shown), starts: startsOf(delay) };
}

function withChannels(image: Sharp, channels: Pixels['channels']): Sharp {
	const inNumbers = image.toColourspace('srgb');
	return channels === 4 ? inNumbers.ensureAlpha() : inNumbers.removeAlpha();
}

import sharp, { type Sharp } from 'sharp';
import { framesOf, type Pixels, toPixels } from './pixels.ts';

/**
 * Measures the similarity of encoded files to the pixels that they were made from. The similarity of an animation is that of its
 * least similar frame.
 */
export function similarityOfEncoded(pixels: Pixels): (file: Buffer) => Promise<number> {
	const similarities = framesOf(pixels).map(similarityTo);
	const starts = startsOf(pixels.animation?.delay ?? []);
	return async (file) => {
		const { frames, starts: shownFrom } = await decodeAgain(file, pixels);
		const scores = similarities.map((similarity, index) => {
			// Encoders merge equal frames into one of longer duration.
			const at = shownFrom.findLastIndex((start) => start <= (starts[index] ?? 0));
			const shown = frames[at] ?? frames[0];
			if (!shown) throw new TypeError('Expected a file with a frame.');
			return similarity(shown);
		});
		return Math.min(...scores);
	};
}

/** Duration in milliseconds that libvips uses for frames of 10 or less, as browsers do (`webp2vips.c`, `vips2webp.c`). */
const leastDelay = 10;
const usualDelay = 100;

/** Start of each frame in milliseconds. */
function startsOf(delays: readonly number[]): readonly number[] {
	let start = 0;
	return delays.map((delay) => {
		const begin = start;
		start += delay <= leastDelay ? usualDelay : delay;
		return begin;
	});
}

/** Decodes a file as a viewer does, with the channels of the original pixels. */
async function decodeAgain(file: Buffer, { width, height, channels, animation }: Pixels) {
	// Values are compared as stored, whatever their colour space.
	const frames = animation?.delay.length ?? 1;
	const options = { limitInputPixels: width * height * frames, ignoreIcc: true };
	if (!animation) {
		const shown = await toPixels(withChannels(sharp(file, options), channels));
		return { frames: [shown], starts: [0] };
	}
	const image = sharp(file, { ...options, pages: -1 });
	// A file whose frames are all equal has a single one.
	const { delay = [usualDelay] } = await image.metadata();
	const { data } = await toPixels(withChannels(image, channels));
	const shown = { data, width, height, channels, animation: { ...animation, delay } };
	return { frames: framesOf(shown), starts: startsOf(delay) };
}

function withChannels(image: Sharp, channels: Pixels['channels']): Sharp {
	const inNumbers = image.toColourspace('srgb');
	return channels === 4 ? inNumbers.ensureAlpha() : inNumbers.removeAlpha();
}

/*
 * Structural similarity, Wang, Bovik, Sheikh and Simoncelli, "Image quality assessment: from error visibility to structural
 * similarity", IEEE Transactions on Image Processing 13(4), 2004: the mean over the picture of its equation 13 with the constants
 * of the paper. As in x264 and in ffmpeg's filter `ssim`, the windows are squares of 8 × 8 pixels, 4 apart, in which every pixel
 * counts alike, instead of the paper's Gaussian ones of 11 × 11: nearly the same numbers at a small part of the time.
 *
 * Only luma is compared (BT.601, 8 bits), to which eyes are far more sensitive than to colours. Transparent pixels are composited onto a
 * middle grey.
 */

/** Distance between windows in pixels, and side of the cells whose sums overlapping windows share. */
const cell = 4;
/** A window is two by two cells. */
const pixelsOfWindow = (2 * cell) ** 2;
/** For each cell: the sum of both pictures' values, of all squares, of the products. */
const sums = 4;

/** (0.01 × 255)² and (0.03 × 255)², the paper's C1 and C2. */
const c1 = 6.5025;
const c2 = 58.5225;

/** Luma of a picture; sizes are multiples of a cell and at least a window. */
interface Luma {
	readonly data: Uint8Array;
	readonly columns: number;
	readonly rows: number;
}

/**
 * Measures the similarity of pictures to this one: 1 for identical ones; above about 0.98 hardly any difference is visible.
 *
 * @throws RangeError if the sizes differ
 */
export function similarityTo(reference: Pixels): (other: Pixels) => number {
	const one = lumaOf(reference);
	return (picture) => {
		if (picture.width !== reference.width || heightOf(picture) !== heightOf(reference)) {
			throw new RangeError('Expected two pictures of one size.');
		}
		const other = lumaOf(picture);
		let above = sumsOfRow(one, other, 0);
		let total = 0;
		for (let row = 1; row < one.rows; row++) {
			const cells = sumsOfRow(one, other, row);
			for (let column = 1; column < one.columns; column++) total += windowSimilarity(above, cells, column);
			above = cells;
		}
		return total / ((one.columns - 1) * (one.rows - 1));
	};
}

function heightOf({ data, width, channels }: Pixels): number {
	return data.length / width / channels;
}

/** Pixels beyond the last whole cell are ignored; a picture smaller than a window is continued with its last pixels. */
function lumaOf(pixels: Pixels): Luma {
	const { data, width, channels } = pixels;
	const height = heightOf(pixels);
	const columns = Math.max(2, Math.floor(width / cell));
	const rows = Math.max(2, Math.floor(height / cell));
	const luma = new Uint8Array(columns * rows * cell * cell);
	let to = 0;
	for (let y = 0; y < rows * cell; y++) {
		for (let x = 0; x < columns * cell; x++) {
			const at = (Math.min(y, height - 1) * width + Math.min(x, width - 1)) * channels;
			const value = 0.299 * (data[at] ?? 0) + 0.587 * (data[at + 1] ?? 0) + 0.114 * (data[at + 2] ?? 0);
			const opacity = channels === 4 ? (data[at + 3] ?? 0) / 255 : 1;
			luma[to++] = Math.round(value * opacity + 128 * (1 - opacity));
		}
	}
	return { data: luma, columns, rows };
}

function sumsOfRow(one: Luma, other: Luma, row: number): Int32Array {
	const cells = new Int32Array(one.columns * sums);
	const width = one.columns * cell;
	for (let y = row * cell; y < (row + 1) * cell; y++) {
		for (let x = 0; x < width; x++) {
			const a = one.data[y * width + x] ?? 0;
			const b = other.data[y * width + x] ?? 0;
			const to = (x >> 2) * sums;
			cells[to] = (cells[to] ?? 0) + a;
			cells[to + 1] = (cells[to + 1] ?? 0) + b;
			cells[to + 2] = (cells[to + 2] ?? 0) + a * a + b * b;
			cells[to + 3] = (cells[to + 3] ?? 0) + a * b;
		}
	}
	return cells;
}

/** Similarity of the window that ends with this column and the second of two rows of cells. */
function windowSimilarity(above: Int32Array, below: Int32Array, column: number): number {
	const at = column * sums;
	const mean = (which: number) => {
		const left = (above[at - sums + which] ?? 0) + (below[at - sums + which] ?? 0);
		return (left + (above[at + which] ?? 0) + (below[at + which] ?? 0)) / pixelsOfWindow;
	};
	const [a, b, squares, product] = [mean(0), mean(1), mean(2), mean(3)];
	const variances = squares - a * a - b * b;
	const covariance = product - a * b;
	return ((2 * a * b + c1) * (2 * covariance + c2)) / ((a * a + b * b + c1) * (variances + c2));
}

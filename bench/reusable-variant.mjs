import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { tsImport } from 'tsx/esm/api';
import { toPixels } from '../dist/pipeline/pixels/pixels.js';
import { similarityTo } from '../dist/pipeline/pixels/similarity.js';
import { openPages } from '../dist/pipeline/plan/open-pages.js';
import { parseRecipe } from '../dist/pipeline/recipe/parse-recipe.js';
import { runPipeline } from '../dist/pipeline/render/run.js';
import { median, table } from './figures.mjs';

/**
 * Costs and savings of rendering from a stored variant, or from an intermediate in memory, instead of the original: for each reduction, the CPU time of each
 * source, and the similarity of each result to the photograph scaled down without loss. `leastReduction` of src/worker/reusable-variant.ts and
 * `intermediateKernel` of src/pipeline/plan/intermediate.ts are chosen by it (docs/benchmarks.md).
 *
 *   npm run bench:reusable-variant                 the photographs of ../shared/pictures/photos (else a generated one)
 *   npm run bench:reusable-variant -- --quick      2 of them
 */
const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });

/** Width of the variant divided by the width of the render. */
const reductions = [1.2, 1.5, 1.75, 2, 2.5, 3, 4, 8];
/** The stored variant of the recipe `web`, and the highest quality of a render that uses it: the encoder's default. */
const variant = { width: 1600, quality: 80 };
const renderQuality = 80;
/** Width of the render that the intermediate was made for, pixels. Wider renders use the original. */
const copiedFor = 1200;
const limits = { maxMegapixels: 50, maxDimension: 30_000, maxFrames: 1_000, maxOutputDimension: 16_384 };
/** Each way is timed this many times; the median counts. */
const runs = 3;

sharp.concurrency(1);
sharp.cache(false);
const photographs = await somePhotographs();
process.stdout.write(
	`${photographs.length} photographs, one thread\n${cpus()[0]?.model.trim()}, sharp ${sharp.versions.sharp}\n\n`,
);
const rows = [];
for (const reduction of reductions) {
	const measured = [];
	for (const photograph of photographs) measured.push(await measure(photograph, Math.round(variant.width / reduction)));
	const losses = measured.map(({ original, stored }) => original.ssim - stored.ssim);
	const of = (way, figure) => median(measured.map((one) => one[way][figure]));
	rows.push({
		reduction,
		'CPU ms, original': of('original', 'milliseconds').toFixed(0),
		'CPU ms, variant': of('stored', 'milliseconds').toFixed(0),
		'SSIM, original': of('original', 'ssim').toFixed(4),
		'SSIM, variant': of('stored', 'ssim').toFixed(4),
		'lost, median': median(losses).toFixed(4),
		'lost, most': Math.max(...losses).toFixed(4),
		bytes: median(measured.map(({ original, stored }) => stored.bytes / original.bytes)).toFixed(3),
		...copyFigures(measured),
	});
	process.stderr.write(`reduction by ${reduction} of ${reductions.length}\n`);
}
process.stdout.write(table(rows));

function copyFigures(measured) {
	const copied = measured.filter(({ copy }) => copy);
	const lost = copied.map(({ original, copy }) => original.ssim - copy.ssim);
	const figure = (numbers, digits) => (copied.length > 0 ? median(numbers).toFixed(digits) : 'n/a');
	return {
		'CPU ms, copy': figure(
			copied.map(({ copy }) => copy.milliseconds),
			0,
		),
		'lost, copy': figure(lost, 4),
		'bytes, copy': figure(
			copied.map(({ original, copy }) => copy.bytes / original.bytes),
			3,
		),
	};
}

/** As an imaging process makes it from an original. */
async function copyOf(file) {
	const steps = [{ resize: { width: copiedFor } }];
	const { definition: recipe } = parseRecipe('copy', { variants: { only: { steps, encode: [{ webp: {} }] } } });
	const { picture, levels } = await openPages(file, recipe, limits);
	const input = { file, sha256: '0'.repeat(64), picture, recipe, levels, concurrency: 1, intermediate: {} };
	const { intermediate } = await runPipeline(input, { onStep() {}, onVariant() {} });
	return intermediate;
}

async function somePhotographs() {
	const helper = await tsImport('../test/helpers/pictures.ts', import.meta.url);
	const shared = await Promise.all(helper.sharedPictures('photos').map(({ path }) => readFile(path)));
	const files = shared.length > 0 ? shared.slice(0, flags.quick ? 2 : undefined) : [await helper.twelveMegapixels()];
	return Promise.all(
		files.map(async (file) => {
			// Scaled from all pixels, so that the reference was not scaled during decoding.
			const whole = await toPixels(sharp(file, { autoOrient: true }));
			return {
				file,
				whole,
				copy: await copyOf(file),
				stored: await open(file).resize({ width: variant.width }).webp({ quality: variant.quality }).toBuffer(),
			};
		}),
	);
}

async function measure({ file, whole, stored, copy }, width) {
	const { width: across, height: down, data } = whole;
	// In pixels: the height of a variant is rounded, and pictures of two sizes cannot be compared.
	const size = { width, height: Math.round((down * width) / across), fit: 'fill' };
	const lossless = sharp(data, { raw: shapeOf(whole) }).resize(size);
	const similarity = similarityTo(await toPixels(lossless));
	const render = async (from) => {
		const times = [];
		let made;
		for (let run = 0; run < runs; run++) {
			const before = process.cpuUsage();
			made = await from().resize(size).webp({ quality: renderQuality }).toBuffer();
			const { user, system } = process.cpuUsage(before);
			times.push((user + system) / 1_000);
		}
		const ssim = similarity(await toPixels(sharp(made)));
		return { milliseconds: median(times), bytes: made.length, ssim };
	};
	return {
		original: await render(() => open(file)),
		stored: await render(() => open(stored)),
		copy: width <= copiedFor && (await render(() => sharp(copy.data, { raw: shapeOf(copy) }))),
	};
}

function open(file) {
	return sharp(file, { autoOrient: true });
}

function shapeOf({ width, height, channels }) {
	return { width, height, channels };
}

import { createHash } from 'node:crypto';
import sharp from 'sharp';
import { operations } from '../../src/operations/index.ts';
import type { Operation } from '../../src/operations/operation.ts';
import { decodeAsset } from '../../src/pipeline/decode/decode.ts';
import { inspect } from '../../src/pipeline/inspect/inspect.ts';
import { toPixels } from '../../src/pipeline/pixels/pixels.ts';
import { similarityTo } from '../../src/pipeline/pixels/similarity.ts';
import { openPages } from '../../src/pipeline/plan/open-pages.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { runPipeline } from '../../src/pipeline/render/run.ts';
import { logo, type SourceName, sources } from './scene.ts';

/** The pictures of the operations page: the input of each example and its result from the real pipeline. */

/** Folder next to the pages. */
export const picturesFolder = 'pictures';

/** Examples that would have no visible effect on the plain scene. */
const begins: Readonly<Record<string, SourceName>> = {
	trim: 'framed',
	flatten: 'cutout',
	normalise: 'hazy',
	clahe: 'hazy',
};

/** Looks good at half the size, and keeps the total well below a megabyte. */
const webp = { quality: 75, effort: 4 };

const limits = { maxMegapixels: 10, maxDimension: 10_000, maxFrames: 1, maxOutputDimension: 10_000 };

const beforeFile = (source: SourceName) => `before-${source}.webp`;

/** File names of an operation's two pictures. */
export function picturesOf({ name }: Operation): { readonly before: string; readonly after: string } {
	return { before: beforeFile(begins[name] ?? 'scene'), after: `${name}.webp` };
}

/** Renders all pictures. @returns WebPs by file name */
export async function examplePictures(): Promise<ReadonlyMap<string, Buffer>> {
	const made = new Map<string, Buffer>();
	const assets = new Map([['logo.png', await asset(await logo())]]);
	for (const [source, draw] of Object.entries(sources)) {
		const file = await draw();
		made.set(beforeFile(source as SourceName), await run(file, [], assets));
		for (const operation of operations) {
			if ((begins[operation.name] ?? 'scene') !== source) continue;
			const steps = [{ [operation.name]: operation.example }];
			made.set(picturesOf(operation).after, await run(file, steps, assets));
		}
	}
	return made;
}

type Assets = NonNullable<Parameters<typeof runPipeline>[0]['assets']>;

async function asset(file: Buffer) {
	return { ...(await decodeAsset(file, await inspect(file, limits))), sha256: sha256(file) };
}

async function run(file: Buffer, steps: readonly unknown[], assets: Assets): Promise<Buffer> {
	// The file contains the steps, so that pictures of other steps differ even if they look the same.
	const metadata = { set: { description: JSON.stringify(steps) } };
	const { definition } = parseRecipe('example', { variants: { made: { steps, metadata, encode: [{ webp }] } } });
	const opened = await openPages(file, definition, limits);
	let data: Buffer | undefined;
	await runPipeline(
		{ file, sha256: sha256(file), ...opened, recipe: definition, assets, concurrency: 1 },
		{
			onStep() {},
			onVariant(output) {
				data = output.data;
			},
		},
	);
	if (!data) throw new Error(`Expected a picture of ${JSON.stringify(steps)}.`);
	return data;
}

function sha256(file: Buffer): string {
	return createHash('sha256').update(file).digest('hex');
}

/**
 * Largest mean difference of the channels (0 to 255) and smallest similarity (`pipeline/pixels/similarity.ts`) that other codec versions explain:
 * re-encoded at quality 60, all pictures are within 1.9 and 0.974.
 */
const mostDifference = 2.4;
const leastSimilarity = 0.97;
/** Letters look different in another font. */
const leastSimilarityOfText = 0.85;

/**
 * Compares a stored picture with the current result. Bytes are not compared, because fonts and codecs differ between machines.
 *
 * @returns the problem; undefined if there is none
 */
export async function differenceOf(name: string, stored: Buffer, made: Buffer): Promise<string | undefined> {
	const [found, wanted] = await Promise.all([describe(stored), describe(made)]);
	if (!found || !wanted) return 'is no picture';
	if (found.shape !== wanted.shape) return `is ${found.shape} and not ${wanted.shape}`;
	if (found.steps !== wanted.steps) return 'was made by other steps';
	const difference = meanDifference(found.pixels.data, wanted.pixels.data);
	const similarity = similarityTo(wanted.pixels)(found.pixels);
	const isText = name === 'text.webp';
	if (similarity >= (isText ? leastSimilarityOfText : leastSimilarity) && difference <= mostDifference)
		return undefined;
	return `looks different (similarity ${similarity.toFixed(3)}, difference ${difference.toFixed(1)})`;
}

async function describe(file: Buffer) {
	try {
		const { format, width, height, hasAlpha, xmp } = await sharp(file).metadata();
		return {
			shape: `${format} of ${width} × ${height}${hasAlpha ? ', transparent' : ''}`,
			steps: xmp?.toString(),
			pixels: await toPixels(sharp(file).ensureAlpha()),
		};
	} catch {
		return undefined;
	}
}

/** Compares four channels; the colour of transparent pixels is ignored. */
function meanDifference(one: Buffer, other: Buffer): number {
	let sum = 0;
	for (let at = 0; at < one.length; at++) {
		const alpha = Math.max(one[at | 3] ?? 0, other[at | 3] ?? 0);
		sum += (Math.abs((one[at] ?? 0) - (other[at] ?? 0)) * ((at & 3) === 3 ? 255 : alpha)) / 255;
	}
	return sum / one.length;
}

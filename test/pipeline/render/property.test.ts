import fc from 'fast-check';
import sharp, { type Sharp } from 'sharp';
import { beforeAll, expect, it } from 'vitest';
import { analysisKinds } from '../../../src/domain/analysis.ts';
import type { Recipe } from '../../../src/domain/recipe.ts';
import { PicpipeError } from '../../../src/errors.ts';
import { operations } from '../../../src/operations/index.ts';
import type { Size } from '../../../src/operations/operation.ts';
import { encoders, findEncoder, isChooser, keepsAnimation } from '../../../src/pipeline/encoders/index.ts';
import type { Inspected } from '../../../src/pipeline/inspect/inspect.ts';
import { openPages } from '../../../src/pipeline/plan/open-pages.ts';
import type { LevelVariant, WorkLimits } from '../../../src/pipeline/plan/plan-chain.ts';
import { planPyramid } from '../../../src/pipeline/plan/pyramid.ts';
import { parseRecipe, planVariants } from '../../../src/pipeline/recipe/parse-recipe.ts';
import type { KnownAsset } from '../../../src/pipeline/render/run.ts';
import { writtenOf } from '../../helpers/arbitrary.ts';
import { propertyRuns } from '../../helpers/thoroughness.ts';
import { tiff } from '../../helpers/tiff.ts';
import { assetsFrom, logo } from '../../operations/assets.ts';
import { type Made, make, limits as ordinary } from '../make.ts';

/** Change it to try others; a failure prints it together with the recipe that failed. */
const seed = 20_261_127;
/** A quarter of them is the fewest that reach every operation. */
const runs = 400;
/** Small, so that hundreds of recipes take seconds; what is larger must be refused. */
const limits = { ...ordinary, maxMegapixels: 0.2 };

const sizes: readonly Size[] = [
	{ width: 1, height: 1 },
	{ width: 3, height: 50 },
	{ width: 64, height: 48 },
	{ width: 37, height: 70 },
];
const frames = 3;

/** Something of every colour. */
function noise({ width, height }: Size, channels: 3 | 4, shift = 0): Sharp {
	const data = Buffer.from(
		Array.from({ length: width * height * channels }, (_, at) => (at * 37 + (at >> 3) * 11 + shift * 50) & 255),
	);
	return sharp(data, { raw: { width, height, channels } });
}

/** What is as large as the size when it is seen. */
const sources: Readonly<Record<string, (size: Size) => Promise<Buffer>>> = {
	'a photograph that lies on its side': ({ width, height }) =>
		noise({ width: height, height: width }, 3)
			.withExif({
				IFD0: { Make: 'Acme', Artist: 'Ann' },
				IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 3230/100' },
			})
			.withMetadata({ orientation: 6 })
			.jpeg()
			.toBuffer(),
	'a transparent PNG': (size) => noise(size, 4).png().toBuffer(),
	'a PNG of 16 bits in Display P3': (size) =>
		noise(size, 3).toColourspace('rgb16').withIccProfile('p3').png().toBuffer(),
	'an animation': async (size) => {
		const stills = Array.from({ length: frames }, (_, at) => noise(size, 3, at).png().toBuffer());
		return sharp(await Promise.all(stills), { join: { animated: true } })
			.gif({ loop: 2 })
			.toBuffer();
	},
	'a TIFF of two pages': ({ width, height }) =>
		tiff([
			{ width, height, background: '#3366cc' },
			{ width: width + 5, height, background: '#cc6633', orientation: 6 },
		]),
};

const steps = fc.array(fc.oneof(...operations.map(writtenOf)), { maxLength: 3 });
/** AVIF and WebP with all their effort would take the time of a hundred other encodings. */
const encodings = fc.oneof(...encoders.map(writtenOf)).map((encoding) => {
	const [[name = '', options] = []] = Object.entries(encoding) as [string, { effort?: number }][];
	return { [name]: { ...options, ...(['avif', 'webp'].includes(name) && { effort: (options?.effort ?? 0) % 2 }) } };
});

const variants = fc.record(
	{
		/** How many variants before it stands the one that it begins with. */
		from: fc.integer({ min: 1, max: 3 }),
		page: fc.oneof(...[1, 1, 1, 1, 1, 2, 2, 3].map(fc.constant)),
		steps,
		metadata: fc.constantFrom<unknown>('strip', 'copyright', 'keep', {
			mode: 'keep',
			gps: true,
			set: { artist: 'Ann © 写', description: 'A (text)' },
		}),
		colour: fc.constantFrom('srgb', 'p3', 'keep'),
		encode: fc.array(encodings, { minLength: 1, maxLength: 2 }),
	},
	{ requiredKeys: ['steps', 'encode'] },
);

/** As somebody could write it, and valid. */
const recipes = fc
	.record({
		analyse: fc.subarray([...analysisKinds]),
		variants: fc.array(variants, { minLength: 1, maxLength: 4 }),
		isReversed: fc.boolean(),
	})
	.map(({ analyse, variants, isReversed }) => {
		const named = variants.map(({ from = 0, page, colour, ...variant }, at) => {
			const root = { ...(page && { page }), ...(colour && { colour }) };
			return [`v${at}`, { ...variant, ...(from > 0 && from <= at ? { from: `v${at - from}` } : root) }] as const;
		});
		return { analyse, variants: Object.fromEntries(isReversed ? named.reverse() : named) };
	})
	.filter(isValid);

function isValid(recipe: unknown): boolean {
	try {
		parseRecipe('test', recipe);
		return true;
	} catch (error) {
		if (error instanceof PicpipeError && error.code === 'invalid-recipe') return false;
		throw error;
	}
}

/** The size of every variant; undefined of those that only the pixels decide. Or the code of the refusal. */
async function predict(file: Buffer, recipe: Recipe): Promise<ReadonlyMap<string, Size | undefined> | string> {
	try {
		const { picture, further, failures: early } = await openPages(file, recipe, limits);
		if (early[0]) return early[0].error.code;
		const pages = new Map([...further].map(([page, one]) => [page, plannedOf(one)]));
		const { levels, failures } = planPyramid(recipe, plannedOf(picture), limits satisfies WorkLimits, pages);
		if (failures[0]) return failures[0].error.code;
		const predicted = new Map<string, Size | undefined>(planVariants(recipe).map(({ name }) => [name, undefined]));
		const follow = ({ variant, passes, chained, deferred }: LevelVariant, input: Size): void => {
			if (deferred) return;
			const last = passes.at(-1);
			const size = last ? last.operation.predict(last.input, last.options).output : input;
			predicted.set(variant.name, size);
			for (const next of chained) follow(next, size);
		};
		for (const { page, variants } of levels) {
			const { width, height } = pages.get(page) ?? picture.facts;
			for (const one of variants) follow(one, { width, height });
		}
		return predicted;
	} catch (error) {
		if (error instanceof PicpipeError) return error.code;
		throw error;
	}
}

function plannedOf({ facts, animation, profile }: Inspected) {
	return { ...facts, frames: animation?.delay.length ?? 1, hasProfile: profile !== undefined };
}

/** What sharp calls the formats. */
const sharpNames: Readonly<Record<string, string>> = { avif: 'heif' };

async function expectAsPredicted(
	made: Made,
	recipe: Recipe,
	predicted: ReadonlyMap<string, Size | undefined>,
): Promise<void> {
	const planned = planVariants(recipe);
	const expected = planned.flatMap(({ name, encodings }) => encodings.map(() => name));
	expect(made.outputs.map(({ name }) => name).sort()).toEqual(expected.sort());
	for (const { name, format, data, width, height, quality, limited } of made.outputs) {
		const found = await sharp(data).metadata();
		const size = { width: found.width, height: found.pageHeight ?? found.height };
		expect({ width, height }).toEqual(size);
		const full = predicted.get(name) ?? size;
		// Beyond the largest side of its format it is scaled down.
		const encoder = findEncoder(format);
		if (!encoder || isChooser(encoder)) throw new TypeError(`Expected an encoder but received ${format}.`);
		const scale = encoder.maximumSide / Math.max(full.width, full.height);
		const fitting = (side: number) => Math.max(1, scale < 1 ? Math.round(side * scale) : side);
		expect(size).toEqual({ width: fitting(full.width), height: fitting(full.height) });
		if (scale < 1) expect(limited?.reason).toBe('format');
		expect(found.format).toBe(sharpNames[format] ?? format);
		const variant = planned.find((one) => one.name === name);
		const isAnimated = variant?.encodings.some(({ encoder, options }) => keepsAnimation(encoder, options));
		// Frames that have become the same are one.
		expect(found.pages ?? 1).toBeLessThanOrEqual(isAnimated && variant?.page === 1 ? frames : 1);
		// A density stands in EXIF.
		const isDense = variant?.encodings.some(({ options }) => (options as { density?: number }).density !== undefined);
		if (!variant?.output.metadata)
			expect([isDense ? undefined : found.exif, found.xmp]).toEqual([undefined, undefined]);
		if (!variant?.output.colour) expect(found.icc).toBeUndefined();
		if (quality) expect(quality.tries).toBeLessThanOrEqual(8);
	}
	const done = made.steps.map((step) => step.done);
	expect(done).toEqual([...done].sort((a, b) => a - b));
	expect(done.at(-1)).toBe(1);
	expect(recipe.analyse).toEqual(expect.arrayContaining(Object.keys(made.analysis)));
}

/** May fail although it was planned: what no quality makes small enough, and what is too large when the pixels have told. */
function mayOutgrow(recipe: Recipe): boolean {
	return /"maxBytes"|"trim"/.test(JSON.stringify(recipe));
}

let assets: ReadonlyMap<string, KnownAsset>;
beforeAll(async () => {
	assets = await assetsFrom({ 'logo.png': await logo() });
});

it('valid recipes make what was predicted, or fail with a classified error', async () => {
	const files = new Map<string, Promise<Buffer>>();
	const fileOf = (kind: string, size: Size): Promise<Buffer> => {
		const key = `${kind} ${size.width} ${size.height}`;
		const file = files.get(key) ?? sources[kind]?.(size) ?? expect.fail(kind);
		files.set(key, file);
		return file;
	};
	const ran = new Map<string, number>();
	const count = (name: string) => ran.set(name, (ran.get(name) ?? 0) + 1);
	await fc.assert(
		fc.asyncProperty(
			fc.constantFrom(...Object.keys(sources)),
			fc.constantFrom(...sizes),
			recipes,
			fc.record({ concurrency: fc.constantFrom(1, 2), intermediate: fc.constantFrom(undefined, {}) }),
			async (kind, size, recipe, { concurrency, intermediate }) => {
				const file = await fileOf(kind, size);
				const { definition } = parseRecipe('test', recipe);
				const predicted = await predict(file, definition);
				let made: Made;
				try {
					made = await make(file, recipe, { ...limits, concurrency, assets, ...(intermediate && { intermediate }) });
				} catch (error) {
					if (!(error instanceof PicpipeError)) throw error;
					count(error.code);
					// The only reasons that a sound picture and a sound recipe may have.
					expect(['output-too-large', 'no-such-page'], String(error.cause ?? error)).toContain(error.code);
					if (typeof predicted === 'string') expect(error.code).toBe(predicted);
					else expect([error.code, mayOutgrow(definition)]).toEqual(['output-too-large', true]);
					return;
				}
				if (typeof predicted === 'string') expect.fail(`Expected ${predicted} but it was made.`);
				await expectAsPredicted(made, definition, predicted);
				for (const one of [kind, ...made.outputs.map(({ format }) => format)]) count(one);
				for (const { name } of operations) if (JSON.stringify(recipe).includes(`"${name}":{`)) count(name);
			},
		),
		{ ...propertyRuns(runs, seed), verbose: 1 },
	);
	// Were most of them refused, nothing would have been shown.
	const formats = encoders.map(({ name }) => name).filter((name) => name !== 'auto');
	for (const name of [...Object.keys(sources), ...formats, ...operations.map(({ name }) => name)]) {
		expect(ran.get(name) ?? 0, name).toBeGreaterThan(0);
	}
});

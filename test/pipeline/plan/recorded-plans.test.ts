import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../../src/domain/digest.ts';
import { type NamedRecipe, type Recipe, renderName } from '../../../src/domain/recipe.ts';
import { PicpipeError } from '../../../src/errors.ts';
import type { Size } from '../../../src/operations/operation.ts';
import { asStored, type Inspected } from '../../../src/pipeline/inspect/inspect.ts';
import { withIntermediate } from '../../../src/pipeline/plan/intermediate.ts';
import { openPages } from '../../../src/pipeline/plan/open-pages.ts';
import type { LevelVariant } from '../../../src/pipeline/plan/plan-chain.ts';
import { needsFrames, type PyramidLevel } from '../../../src/pipeline/plan/pyramid.ts';
import { findSinglePass } from '../../../src/pipeline/plan/single-pass.ts';
import { parseRecipe, planVariants } from '../../../src/pipeline/recipe/parse-recipe.ts';
import { loadRecipes } from '../../../src/pipeline/recipe/recipes.ts';
import { analysisDigest, variantDigest } from '../../../src/pipeline/recipe/variant-digest.ts';
import { limits } from '../make.ts';

/*
 * Digests and plans of the built-in recipes. If a digest changes, every installation renders its pictures again; if a plan changes, every
 * installation does more or less work. The records have field names of their own, so that a type can be renamed without a change to them.
 * CONTRIBUTING.md says how to update them.
 */

const sources = ['0', '7f', 'c3a5'].map((text) => text.padEnd(64, '0'));

interface Picture extends Size {
	readonly format?: Inspected['format'];
	readonly orientation?: number;
	readonly frames?: number;
	readonly alpha?: boolean;
	/** It has a colour profile of its own. */
	readonly profile?: boolean;
}

/** Photographs from cameras and phones, upright: width, height, EXIF orientation. */
const photographs = [
	[4272, 2848],
	[2912, 4368],
	[2448, 3264, 6],
	[3264, 2448, 3],
	[3264, 2448],
	[3264, 4928, 8],
	[4288, 2848],
	[4032, 3024],
	[1800, 1200, 2],
	[1200, 1800, 5],
] as const;

/** Sizes of the pictures that tests make. */
const made = [
	[4000, 3000],
	[2400, 1600],
	[1600, 1200],
	[1600, 1067],
	[1200, 900],
	[900, 600],
	[800, 600],
	[800, 100],
	[640, 480],
	[350, 500],
	[300, 200],
	[100, 100],
	[64, 48],
	[8, 8],
] as const;

const pictures: readonly Picture[] = [
	...[...photographs, ...made].map(([width, height, orientation = 1]) => ({ width, height, orientation })),
	{ width: 3648, height: 2736, profile: true },
	{ width: 5760, height: 3840, profile: true },
	{ width: 2448, height: 3264, profile: true },
	{ width: 1600, height: 1200, format: 'png', alpha: true },
	{ width: 1600, height: 1200, format: 'webp' },
	{ width: 4032, height: 3024, format: 'heic' },
	{ width: 400, height: 300, format: 'gif', frames: 12, alpha: true },
	{ width: 400, height: 300, format: 'svg', alpha: true },
];

/** What the built-in recipes leave out: a size that only the pixels tell, turns, colours that are kept, and a picture that lies as stored. */
const further = parseRecipe('further', {
	analyse: ['blurhash', 'palette'],
	variants: {
		trimmed: { steps: [{ trim: {} }, { resize: { width: 900 } }], encode: [{ png: {} }] },
		small: { from: 'trimmed', steps: [{ resize: { width: 90 } }], encode: [{ avif: {} }] },
		turned: {
			colour: 'keep',
			steps: [{ rotate: { angle: 90 } }, { resize: { height: 700 } }, { blur: { sigma: 2 } }],
			encode: [{ jpeg: {} }],
		},
		stored: {
			orient: false,
			steps: [{ resize: { width: 320, height: 320 } }],
			encode: [{ webp: { animated: false } }],
		},
		doubled: { steps: [{ resize: { width: '200%' } }], encode: [{ webp: {} }] },
		sharp: {
			steps: [{ resize: { width: 400, kernel: 'mitchell' } }, { sharpen: {} }],
			encode: [{ gif: {} }, { webp: {} }],
		},
	},
});

const recipes: readonly NamedRecipe[] = [...(await loadRecipes(undefined)).values(), further];

function inspected(picture: Picture): Inspected {
	const { width, height, format = 'jpeg', orientation = 1, frames = 1, alpha = false, profile = false } = picture;
	return {
		facts: { format, width, height, frames, alpha, orientation, colourSpace: 'srgb' },
		megapixels: (width * height * frames) / 1e6,
		...{ format, page: 1, pages: 1, isDeepWithProfile: false },
		...(frames > 1 && { animation: { delay: Array.from({ length: frames }, () => 100), loop: 0 } }),
		...(profile && { profile: Buffer.from('a profile') }),
		...(format === 'svg' && { drawing: { document: Buffer.alloc(0), megapixels: 0 } }),
	};
}

const text = ({ width, height }: Size) => `${width}×${height}`;
const only = <Value>(condition: boolean, value: Value) => (condition ? value : undefined);

function nameOf({ format = 'jpeg', orientation = 1, frames = 1, alpha, profile, ...size }: Picture): string {
	const more = [orientation > 1 && `orientation ${orientation}`, frames > 1 && `${frames} frames`];
	return [text(size), format, ...more, alpha && 'alpha', profile && 'profile'].filter(Boolean).join(' ');
}

function describeVariant({ variant, passes, frames, chained, deferred }: LevelVariant): unknown {
	const outputs = passes.map(({ operation, options, input }) => operation.predict(input, options).output);
	const [atMost] = outputs.slice(-1);
	const half = atMost && { width: Math.ceil(atMost.width / 2), height: Math.ceil(atMost.height / 2) };
	return {
		name: variant.name,
		steps: passes.map(({ operation, input }, at) =>
			[operation.name, text(input), ...outputs.slice(at, at + 1).map(text)].join(' '),
		),
		frames: only(frames > 1, frames),
		chained: only(chained.length > 0, chained.map(describeVariant)),
		deferred: deferred && {
			names: deferred.variants.map(({ name }) => name),
			whenHalf: half && describeVariant(deferred.plan(half).planned ?? expect.fail()),
		},
	};
}

function describeLevels(levels: readonly PyramidLevel[], picture: Inspected): readonly unknown[] {
	return levels.map((level) => ({
		scaled: describeScaling(level, levels, picture),
		analyse: only(
			level.analyse.length > 0,
			level.analyse.map(({ name }) => name),
		),
		variants: only(level.variants.length > 0, level.variants.map(describeVariant)),
	}));
}

/** @param intermediate the level that further sizes are made of */
function describeScaling(
	level: PyramidLevel,
	levels: readonly PyramidLevel[],
	picture: Inspected,
	intermediate?: PyramidLevel,
): string {
	const { base, page, isUpright, colour, kernel } = level;
	const single = findSinglePass(level, levels, isUpright ? picture : asStored(picture), intermediate);
	return [
		text(level),
		base && `of ${text(base)}`,
		kernel !== 'lanczos3' && kernel,
		page > 1 && `page ${page}`,
		!isUpright && 'as stored',
		colour !== 'srgb' && colour,
		needsFrames(level, levels) && 'all frames',
		level === intermediate && 'intermediate',
		single && `single pass to ${single.variant.variant.name}.${single.encoder.extension}`,
	]
		.filter(Boolean)
		.join(', ');
}

async function orRefusal(plan: () => Promise<unknown>): Promise<unknown> {
	try {
		return await plan();
	} catch (error) {
		// How a refusal is worded may change.
		if (error instanceof PicpipeError) return { refused: error.code };
		throw error;
	}
}

const planOf = (recipe: Recipe, picture: Inspected) =>
	orRefusal(async () => {
		const { levels, megapixels, failures } = await openPages(Buffer.alloc(0), recipe, limits, picture);
		// How a refusal is worded may change.
		const left = failures.map(({ variant, error }) => `${variant}: ${error.code}`);
		return {
			megapixels: Number(megapixels.toFixed(3)),
			levels: describeLevels(levels, picture),
			failures: only(left.length > 0, left),
		};
	});

/** One variant by itself, as delivery makes it: from the file, leaving an intermediate, and of an intermediate that is there. */
const renderOf = (recipe: Recipe, picture: Inspected) =>
	orRefusal(async () => {
		const { levels, failures } = await openPages(Buffer.alloc(0), recipe, limits, picture);
		if (failures[0]) throw failures[0].error;
		const cached = { width: 1632, height: 1224 };
		const [leaving, reusing] = [withIntermediate(levels, picture), withIntermediate(levels, picture, cached)].map(
			(planned) =>
				planned?.levels.map((level) => describeScaling(level, planned.levels, picture, planned.intermediate)),
		);
		const isCached = withIntermediate(levels, picture, cached)?.isCached ?? false;
		const alone = levels.map((level) => describeScaling(level, levels, picture));
		return { alone, leaving, reusing: only(isCached, reusing) };
	});

const line = (row: object) => `${JSON.stringify(row)}\n`;
const sorted = (value: unknown): unknown => JSON.parse(canonicalJson(value));

describe('the built-in recipes', () => {
	it('have the recorded digests', async () => {
		const lines = recipes.flatMap(({ name, digest, definition }) => [
			line({ recipe: name, digest, analysis: sources.map((sha256) => analysisDigest(sha256, definition)) }),
			...planVariants(definition).flatMap((variant) =>
				variant.encodings.map((encoding) =>
					line({
						recipe: name,
						variant: [variant.name, encoding.encoder.name].join('.'),
						digests: sources.map((sha256) => variantDigest(sha256, variant, encoding)),
						steps: sorted(variant.definition),
						encoding: sorted(encoding.definition),
					}),
				),
			),
		]);
		await expect(lines.join('')).toMatchFileSnapshot('recorded-plans/digests.ndjson');
	});

	it('have the recorded plans', async () => {
		const lines: string[] = [];
		for (const { name, definition } of recipes) {
			for (const picture of pictures) {
				lines.push(
					line({ recipe: name, picture: nameOf(picture), plan: await planOf(definition, inspected(picture)) }),
				);
			}
		}
		await expect(lines.join('')).toMatchFileSnapshot('recorded-plans/recipes.ndjson');
	});

	it('have the recorded plans, one variant at a time', async () => {
		const lines: string[] = [];
		for (const { name, definition } of recipes) {
			for (const { name: variant, definition: steps, isUpright, output, encodings } of planVariants(definition)) {
				const encode = encodings.slice(0, 1).map((encoding) => encoding.definition);
				const render = { steps, ...output, ...(!isUpright && { orient: false }), encode };
				const recipe = parseRecipe(name, { variants: { [renderName]: render } }).definition;
				for (const picture of pictures) {
					const planned = await renderOf(recipe, inspected(picture));
					lines.push(line({ recipe: name, variant, picture: nameOf(picture), render: planned }));
				}
			}
		}
		await expect(lines.join('')).toMatchFileSnapshot('recorded-plans/renders.ndjson');
	});
});

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { operations } from '../../../src/operations/index.ts';
import { encoders } from '../../../src/pipeline/encoders/index.ts';
import { megapixelsMade } from '../../../src/pipeline/plan/open-pages.ts';
import { planPyramid, variantsOf } from '../../../src/pipeline/plan/pyramid.ts';
import { parseRecipe, planVariants } from '../../../src/pipeline/recipe/parse-recipe.ts';
import { loadRecipes } from '../../../src/pipeline/recipe/recipes.ts';
import { variantDigest } from '../../../src/pipeline/recipe/variant-digest.ts';

const known = operations.map(({ name }) => name).join(', ');

const card = (resize: unknown, encode: unknown = [{ webp: {} }]) => ({
	variants: { card: { steps: [{ resize }], encode } },
});

describe('parseRecipe', () => {
	it('fills in every default, and is idempotent', () => {
		const recipe = parseRecipe('shop', card({ width: 400 }, [{ webp: {} }, { jpeg: { quality: 70 } }]));
		expect(recipe.definition).toEqual({
			analyse: [],
			variants: {
				card: {
					steps: [
						{
							resize: {
								width: 400,
								fit: 'cover',
								position: 'centre',
								kernel: 'lanczos3',
								withoutEnlargement: false,
								background: '#000000',
							},
						},
					],
					encode: [
						{
							webp: {
								quality: 80,
								effort: 4,
								lossless: false,
								nearLossless: false,
								animated: true,
								smartSubsample: false,
							},
						},
						{
							jpeg: {
								quality: 70,
								progressive: false,
								mozjpeg: false,
								chromaSubsampling: '4:2:0',
								background: '#ffffff',
							},
						},
					],
				},
			},
		});
		expect(parseRecipe('shop', recipe.definition)).toEqual(recipe);
		expect(parseRecipe('shop', JSON.parse(JSON.stringify(recipe.definition)))).toEqual(recipe);
	});

	it('has one digest for recipes of equal meaning', () => {
		const { digest } = parseRecipe('a', card({ width: 400, height: 300 }));
		expect(digest).toMatch(/^[0-9a-f]{12}$/);
		expect(parseRecipe('b', card({ height: 300, fit: 'cover', width: 400 }, [{ webp: { quality: 80 } }])).digest).toBe(
			digest,
		);
		expect(parseRecipe('a', card({ width: 401, height: 300 })).digest).not.toBe(digest);
		expect(parseRecipe('a', card({ width: 400, height: 300 }, [{ webp: { quality: 81 } }])).digest).not.toBe(digest);
		expect(parseRecipe('a', { ...card({ width: 400, height: 300 }), analyse: ['thumbhash'] }).digest).not.toBe(digest);
	});

	it.each([
		[undefined, 'expected an object, received nothing'],
		[[], 'expected an object, received []'],
		[{}, 'variants: expected an object, received nothing'],
		[{ variants: {} }, 'variants: expected at least one variant, received {}'],
		[{ variants: { card: { steps: [] } } }, 'variants.card.encode: expected an array, received nothing'],
		[{ variants: { 'A B': { encode: [{ webp: {} }] } } }, 'variants.A B: expected 1 to 32 of a-z, 0-9 and _'],
		[{ ...card({ width: 1 }), speed: 1 }, 'speed: expected no such key'],
		[{ ...card({ width: 1 }), analyse: ['smell'] }, /^analyse\[0\]: expected one of thumbhash, .*, received "smell"$/],
		[
			card({ width: 'big' }),
			'variants.card.steps[0].resize.width: expected pixels from 1 to 16384, or a share of the picture\'s width from 0.01% to 10000%, received "big"',
		],
		[
			card({ width: 0 }),
			"variants.card.steps[0].resize.width: expected pixels from 1 to 16384, or a share of the picture's width from 0.01% to 10000%, received 0",
		],
		[
			card({ width: 1.5 }),
			"variants.card.steps[0].resize.width: expected pixels from 1 to 16384, or a share of the picture's width from 0.01% to 10000%, received 1.5",
		],
		[
			card({ width: 16_385 }),
			"variants.card.steps[0].resize.width: expected pixels from 1 to 16384, or a share of the picture's width from 0.01% to 10000%, received 16385",
		],
		[
			card({}),
			'variants.card.steps[0].resize: expected a width, a height, a minWidth, a minHeight, or several of them, received {}',
		],
		[card(null), 'variants.card.steps[0].resize: expected an object, received null'],
		[card({ width: 1, colour: 2 }), 'variants.card.steps[0].resize.colour: expected no such key'],
		[
			card({ width: 1, fit: 'crop' }),
			'variants.card.steps[0].resize.fit: expected one of cover, contain, fill, inside, outside, auto, received "crop"',
		],
		[
			card({ width: 1, fit: 'contain', position: 'attention' }),
			'variants.card.steps[0].resize.position: expected a side, a corner or centre because fit is contain, received "attention"',
		],
		[
			card({ width: 1, background: 'red' }),
			'variants.card.steps[0].resize.background: expected a colour such as #ffffff or #00000080, received "red"',
		],
		[card({ width: 1 }, []), 'variants.card.encode: expected at least one encoder, received []'],
		[
			card({ width: 1 }, [{ webp: { quality: 101 } }]),
			'variants.card.encode[0].webp.quality: expected an integer from 1 to 100, received 101',
		],
		[
			card({ width: 1 }, [{ bmp: {} }]),
			'variants.card.encode[0]: expected one of webp, avif, jpeg, png, gif, tiff, auto, received "bmp"',
		],
		[
			card({ width: 1 }, [{ avif: { quality: { ssim: 0.98, maxBytes: 1000 } } }]),
			'variants.card.encode[0].avif.quality: expected an integer from 1 to 100, { ssim: 0.5 to 0.9999 } or { maxBytes: 100 to 1000000000 }, optionally with min, max and orSmallest, received {"ssim":0.98,"maxBytes":1000}',
		],
		[
			card({ width: 1 }, [{ avif: { quality: { ssim: 0.98 }, lossless: true } }]),
			'variants.card.encode[0].avif.quality: expected a number because lossless is true, received {"ssim":0.98}',
		],
		[
			card({ width: 1 }, [{ auto: { formats: ['webp', 'jpeg'] } }, { avif: {} }, { webp: {} }]),
			'variants.card.encode: expected each format at most once, received ["webp","jpeg","avif","webp"]',
		],
		[
			card({ width: 1 }, [{ auto: { formats: [] } }]),
			'variants.card.encode[0].auto.formats: expected at least one format, received []',
		],
		[
			card({ width: 1 }, [{ auto: { formats: ['tiff'] } }]),
			'variants.card.encode[0].auto.formats[0]: expected one of avif, webp, jpeg, png, gif, received "tiff"',
		],
		[
			card({ width: 1 }, [{ webp: { lossless: true, nearLossless: true } }]),
			'variants.card.encode[0].webp.nearLossless: expected false because lossless is true, received true',
		],
		[
			card({ width: 1 }, [{ png: { colours: 16 } }]),
			'variants.card.encode[0].png.palette: expected true because quality, colours or dither is given, received nothing',
		],
		[
			card({ width: 1 }, [{}]),
			'variants.card.encode[0]: expected one of webp, avif, jpeg, png, gif, tiff, auto, received nothing',
		],
		[
			card({ width: 1 }, [{ webp: {}, png: {} }]),
			'variants.card.encode[0]: expected one of webp, avif, jpeg, png, gif, tiff, auto, received "webp, png"',
		],
		[
			card({ width: 1 }, [{ webp: {} }, { webp: { quality: 1 } }]),
			'variants.card.encode: expected each format at most once, received ["webp","webp"]',
		],
		[
			{ variants: { card: { steps: [{ rezise: { width: 1 } }], encode: [{ webp: {} }] } } },
			`variants.card.steps[0]: expected one of ${known}, received "rezise" (did you mean resize?)`,
		],
		[
			{ variants: { a: { from: 'big', encode: [{ webp: {} }] }, b: { encode: [{ webp: {} }] } } },
			'variants.a.from: expected b, received "big"',
		],
		[
			{ variants: { a: { from: 'constructor', encode: [{ webp: {} }] } } },
			'variants.a.from: expected no such key where there is no other variant, received "constructor"',
		],
		[{ variants: { a: { from: 1, encode: [{ webp: {} }] } } }, 'variants.a.from: expected a string, received 1'],
		[{ variants: { a: { from: 'a', encode: [{ webp: {} }] } } }, 'variants.a.from: expected no circle, but a → a'],
		[
			{
				variants: {
					a: { from: 'b', encode: [{ webp: {} }] },
					b: { from: 'c', encode: [{ webp: {} }] },
					c: { from: 'b', encode: [{ webp: {} }] },
				},
			},
			/^variants\.b\.from: expected no circle, but b → c → b; variants\.c\.from: expected no circle, but c → b → c$/,
		],
		[
			JSON.parse('{"variants":{"card":{"steps":[{"__proto__":{"width":1}}],"encode":[{"webp":{}}]}}}'),
			`variants.card.steps[0]: expected one of ${known}, received nothing`,
		],
	])('refuses %j', (input, message) => {
		expect(() => parseRecipe('shop', input)).toThrow(
			expect.objectContaining({
				code: 'invalid-recipe',
				message: typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message),
			}),
		);
	});

	it('lists several problems at once and refuses an invalid name', () => {
		const bad = { variants: { a: { encode: [{ webp: { effort: 9 } }] }, b: { encode: [{ tga: {} }] } } };
		expect(() => parseRecipe('No', bad)).toThrow(
			/^name: expected 1 to 32 .* received "No"; variants\.a\.encode\[0\]\.webp\.effort: .*; variants\.b\.encode\[0\]: /,
		);
	});
});

it('gives a variant another digest if source, steps or encoding change, and the same under another name', () => {
	const digestOf = (sha256: string, recipe: unknown) => {
		const [variant] = planVariants(parseRecipe('r', recipe).definition);
		const [encoding] = variant?.encodings ?? [];
		if (!variant || !encoding) throw new Error('no variant');
		return variantDigest(sha256, variant, encoding);
	};
	const digest = digestOf('aa', card({ width: 400 }));
	expect(digestOf('aa', { variants: { other: card({ width: 400 }).variants.card } })).toBe(digest);
	expect(digestOf('bb', card({ width: 400 }))).not.toBe(digest);
	expect(digestOf('aa', card({ width: 401 }))).not.toBe(digest);
	expect(digestOf('aa', card({ width: 400 }, [{ jpeg: {} }]))).not.toBe(digest);
});

describe('from', () => {
	const chained = (from: string | undefined, steps: unknown[], base: unknown[]) => ({
		variants: {
			card: { ...(from && { from }), steps, encode: [{ webp: {} }] },
			large: { steps: base, encode: [{ webp: {} }] },
		},
	});
	const planned = (recipe: unknown) => {
		const variant = planVariants(parseRecipe('r', recipe).definition).find(({ name }) => name === 'card');
		const [encoding] = variant?.encodings ?? [];
		if (!variant || !encoding) throw new Error('no variant');
		return { from: variant.from, digest: variantDigest('aa', variant, encoding) };
	};
	const [crop, small] = [{ resize: { width: 1600, height: 900 } }, { resize: { width: 400 } }];

	it('stays in the recipe, and counts in its digest', () => {
		const recipe = parseRecipe('r', chained('large', [small], [crop]));
		expect(recipe.definition.variants.card).toMatchObject({ from: 'large', steps: [{ resize: { width: 400 } }] });
		expect(parseRecipe('r', recipe.definition)).toEqual(recipe);
		expect(parseRecipe('r', chained(undefined, [small], [crop])).digest).not.toBe(recipe.digest);
	});

	it('gives a variant the digest of all steps that lead to it', () => {
		const { digest, from } = planned(chained('large', [small], [crop]));
		expect(from).toBe('large');
		expect(planned(chained(undefined, [crop, small], [])).digest).toBe(digest);
		expect(planned(chained('large', [small], [{ resize: { width: 1601, height: 900 } }])).digest).not.toBe(digest);
		expect(planned(chained(undefined, [small], [crop])).digest).not.toBe(digest);
	});

	it('a variant without steps is the original', () => {
		expect(planned(chained('large', [small], []))).toEqual(planned(chained(undefined, [small], [crop])));
	});
});

describe('a size in the recipe that its format does not support', () => {
	const encode = [{ webp: {} }];
	const of = (variants: unknown) => () => parseRecipe('r', { variants }, { maxSteps: 50, maxVariants: 50 });

	it.each([
		['a width', [{ resize: { width: 16_384 } }], 16_384],
		['a height', [{ resize: { height: 16_384 } }], 16_384],
		['both sides', [{ resize: { width: 16_384, height: 16_384, fit: 'inside' } }], 16_384],
		['both sides of a frame', [{ resize: { width: 100, height: 16_384, fit: 'contain' } }], 16_384],
		['a side after a trim', [{ trim: {} }, { resize: { width: 16_384 } }], 16_384],
		['a border', [{ resize: { width: 16_300 } }, { border: { width: 42, colour: '#fff' } }], 16_384],
	])('is refused when the recipe is loaded: %s', (_name, steps, least) => {
		expect(of({ a: { steps, encode } })).toThrow(
			`variants.a.encode[0].webp: expected at most 16383 pixels of width and height but the steps make at least ${least} of every picture`,
		);
		// One that was accepted before is made, scaled down.
		expect(() => parseRecipe('r', { variants: { a: { steps, encode } } })).not.toThrow();
	});

	it('is found through base variants, and in the encoding concerned', () => {
		const variants = {
			base: { steps: [{ resize: { width: 9_000 } }], encode: [{ png: {} }, { webp: {} }] },
			double: { from: 'base', steps: [{ resize: { width: '200%' } }], encode: [{ png: {} }, { avif: {} }] },
		};
		expect(of(variants)).toThrow(
			/^variants\.double\.encode\[1\]\.avif: expected at most 16384 .* at least 18000 of every picture$/,
		);
		expect(
			of({ ...variants, double: { ...variants.double, encode: [{ auto: { formats: ['avif', 'png'] } }] } }),
		).not.toThrow();
	});

	it.each([
		['the largest', [{ resize: { width: 16_383, height: 16_383 } }]],
		['one that is never enlarged', [{ resize: { width: 16_384, withoutEnlargement: true } }]],
		['one of two sides', [{ resize: { width: 16_384, height: 100, fit: 'inside' } }]],
		['a share', [{ resize: { width: '5000%' } }]],
		['one that is cut afterwards', [{ resize: { width: 16_384 } }, { crop: { width: 100, height: 100 } }]],
	])('is not reported if it follows from the picture: %s', (_name, steps) => {
		expect(of({ a: { steps, encode } })).not.toThrow();
	});
});

describe('planPyramid', () => {
	const limits = { maxMegapixels: 50, maxOutputDimension: 30_000 };
	const plan = (recipe: unknown, width: number, height: number, within = limits) =>
		planPyramid(parseRecipe('r', recipe).definition, { width, height }, within);
	const shown = ({ levels }: ReturnType<typeof plan>) =>
		levels.map((level) => `${level.width}×${level.height} of ${level.base ? level.base.width : 'file'}`);

	it('decodes once and chains halved sizes', async () => {
		const web = (await loadRecipes(undefined)).get('web');
		const pyramid = planPyramid(web?.definition ?? expect.fail(), { width: 4000, height: 3000 }, limits);
		const { levels } = pyramid;
		expect(shown(pyramid)).toEqual(['1600×1200 of file', '800×600 of 1600', '400×300 of 800', '100×75 of 400']);
		// 300×300 is cut from 400×300: no scaling of its own.
		expect(levels[2]?.variants.map(({ variant }) => variant.name)).toEqual(['small', 'thumb']);
		expect(levels[3]?.analyse.map(({ name }) => name)).toEqual(['phash', 'thumbhash']);
	});

	it('uses the largest level if the next one is too close', () => {
		const widths = [1600, 1500, 1000, 700];
		const variants = Object.fromEntries(
			widths.map((width) => [`w${width}`, { steps: [{ resize: { width } }], encode: [{ webp: {} }] }]),
		);
		expect(shown(plan({ variants }, 4000, 2000))).toEqual([
			'1600×800 of file',
			'1500×750 of 1600',
			'1000×500 of 1500',
			'700×350 of 1500',
		]);
	});

	it.each([
		[0.12, [{ resize: { width: 400 } }], { width: 4000, height: 3000 }],
		[49, [{ resize: { width: 7000 } }], { width: 10, height: 10 }],
		[49, [{ resize: { width: 7000 } }, { resize: { width: 10 } }], { width: 10, height: 10 }],
		[12, [{ trim: {} }, { resize: { width: 400 } }], { width: 4000, height: 3000 }],
		[50, [{ trim: {} }, { resize: { width: 7000 } }], { width: 10, height: 10 }],
		[50, [{ trim: {} }, { resize: { width: 9000 } }], { width: 10, height: 10 }],
	])('knows that %f million pixels are made at most by %j', (megapixels, steps, size) => {
		const { definition } = parseRecipe('r', { variants: { only: { steps, encode: [{ webp: {} }] } } });
		expect(megapixelsMade(planPyramid(definition, size, limits).levels, limits)).toBeCloseTo(megapixels, 2);
	});

	it('counts every frame, and dependent variants', () => {
		const large = { from: 'only', steps: [{ resize: { width: 1000 } }], encode: [{ webp: {} }] };
		const { definition } = parseRecipe('r', { variants: { only: { encode: [{ png: {} }] }, large } });
		const { levels } = planPyramid(definition, { width: 10, height: 10, frames: 5 }, limits);
		expect(megapixelsMade(levels, limits)).toBe(5);
	});

	it('decodes the whole picture if every pixel counts', () => {
		expect(shown(plan({ variants: { whole: { encode: [{ png: {} }] } } }, 4000, 3000))).toEqual(['4000×3000 of file']);
		expect(shown(plan(card({ width: 5000 }), 4000, 3000))).toEqual(['4000×3000 of file']);
	});

	it('attaches variants to their base, and gives them levels only without earlier steps', () => {
		const variants = {
			card: { from: 'square', steps: [{ resize: { width: 300 } }], encode: [{ webp: {} }] },
			icon: { from: 'card', steps: [{ resize: { width: 32 } }], encode: [{ webp: {} }] },
			square: { from: 'whole', steps: [{ resize: { width: 900, height: 900 } }], encode: [{ webp: {} }] },
			tall: { from: 'square', steps: [{ resize: { width: 90, height: 900, fit: 'fill' } }], encode: [{ webp: {} }] },
			whole: { encode: [{ png: {} }] },
		};
		const pyramid = plan({ variants }, 4000, 3000);
		const { levels } = pyramid;
		expect(shown(pyramid)).toEqual(['4000×3000 of file', '1200×900 of 4000']);
		expect(variantsOf(levels).map(({ name }) => name)).toEqual(['whole', 'square', 'card', 'icon', 'tall']);
		const [square] = levels[1]?.variants ?? [];
		expect(square?.chained.map(({ variant, passes }) => [variant.name, passes[0]?.input])).toEqual([
			['card', { width: 900, height: 900 }],
			['tall', { width: 900, height: 900 }],
		]);
		expect(square?.chained[0]?.chained[0]?.passes[0]?.input).toEqual({ width: 300, height: 300 });
	});

	it('limits width and height of every variant, but not of intermediate results', () => {
		const narrow = { maxMegapixels: 50, maxOutputDimension: 800 };
		expect(plan(card({ width: 800 }), 400, 300, narrow)).toMatchObject({ levels: [{}], failures: [] });
		const { levels, failures } = plan(card({ height: 801 }), 400, 300, narrow);
		expect(levels).toEqual([]);
		expect(failures).toMatchObject([
			{
				variant: 'card',
				error: {
					code: 'output-too-large',
					class: 'limit',
					message:
						'Expected at most 800 pixels of width and height (PICPIPE_MAX_OUTPUT_DIMENSION) in variant card but it would be 1068 × 801.',
				},
			},
		]);
		const steps = [{ resize: { width: 1600 } }, { resize: { width: 400 } }];
		const onTheWay = plan({ variants: { card: { steps, encode: [{ webp: {} }] } } }, 4000, 3000, narrow);
		expect(onTheWay).toMatchObject({ levels: [{}], failures: [] });
	});

	it('leaves out a variant of more pixels than allowed, with its dependent variants', () => {
		const encode = [{ webp: {} }];
		const variants = {
			huge: { steps: [{ resize: { width: 9_000 } }], encode },
			cut: { from: 'huge', steps: [{ resize: { width: 100 } }], encode },
			small: { steps: [{ resize: { width: 50 } }], encode },
		};
		const { levels, failures } = plan({ variants }, 100, 100);
		expect(variantsOf(levels).map(({ name }) => name)).toEqual(['small']);
		const reason = 'Expected resize to make at most 50 million pixels in variant huge but it would be 9000 × 9000.';
		expect(failures.map(({ variant, error }) => [variant, error.code, error.message])).toEqual([
			['huge', 'output-too-large', reason],
			['cut', 'output-too-large', `It builds on variant huge, which failed: ${reason}`],
		]);
	});

	it('keeps dependent variants of one that is only too wide to be written', () => {
		const encode = [{ png: {} }];
		const variants = {
			wide: { steps: [{ resize: { width: 900 } }], encode },
			small: { from: 'wide', steps: [{ resize: { width: 100 } }], encode },
		};
		const { levels, failures } = plan({ variants }, 400, 100, { maxMegapixels: 50, maxOutputDimension: 800 });
		expect(failures.map(({ variant }) => variant)).toEqual(['wide']);
		const [wide] = levels[0]?.variants ?? [];
		expect([wide?.variant.encodings.length, wide?.chained.map(({ variant }) => variant.name)]).toEqual([0, ['small']]);
	});
});

describe.each(encoders)('encoder $name', (encoder) => {
	it('describes itself and every option for the reference', () => {
		expect(encoder.doc).toMatch(/^[A-Z].*\.$/);
		const schema = z.toJSONSchema(encoder.schema, { io: 'input' });
		expect(schema.additionalProperties).toBe(false);
		for (const [name, option] of Object.entries(schema.properties ?? {})) {
			expect(option, name).toHaveProperty('description');
		}
	});
});

it('checks recipes without loading sharp', async () => {
	const recipes = fileURLToPath(new URL('../../../src/pipeline/recipe/recipes.ts', import.meta.url));
	const script = `import(${JSON.stringify(recipes)}).then(async (module) => {
		await module.loadRecipes();
		process.stdout.write(String(process.report.getReport().sharedObjects.filter((path) => /sharp|vips/.test(path)).length));
	})`;
	const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', '-e', script]);
	expect(stdout).toBe('0');
});

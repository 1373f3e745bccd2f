import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { parseRecipe, planVariants } from '../../../src/pipeline/recipe/parse-recipe.ts';
import { variantDigest } from '../../../src/pipeline/recipe/variant-digest.ts';
import { photograph, similarity } from '../../helpers/pictures.ts';
import { make } from '../make.ts';

const size = { width: 300, height: 200 };
const png = [{ png: {} }];

const variants = (only: object, more: object = {}) => ({ variants: { only: { encode: png, ...only }, ...more } });

describe('orient: false', () => {
	it.each([1, 2, 3, 4, 5, 6, 7, 8])(
		'keeps the stored orientation of a picture with EXIF orientation %i',
		async (orientation) => {
			const file = await photograph({ ...size, orientation });
			const made = await make(file, variants({ orient: false }, { upright: { encode: png } }));
			expect(made.facts).toMatchObject({ ...size, orientation });
			const expected = await sharp(file).png().toBuffer();
			const { width, height } = await sharp(expected).metadata();
			expect(made.variant('only')).toMatchObject({ width, height });
			expect(await similarity(made.variant('only').data, expected)).toBeGreaterThan(0.99);
			expect(made.variant('upright')).toMatchObject(size);
			expect(await similarity(made.variant('upright').data, await photograph(size))).toBeGreaterThan(0.96);
		},
	);

	it('applies to steps and dependent variants, and analysis stays upright', async () => {
		const file = await photograph({ ...size, orientation: 6 });
		const recipe = {
			analyse: ['thumbhash'],
			...variants(
				{ orient: false, steps: [{ crop: { width: 100, height: 150, left: 0, top: 0 } }] },
				{ small: { from: 'only', steps: [{ resize: { width: 50 } }], encode: [{ webp: {} }, { jpeg: {} }] } },
			),
		};
		const made = await make(file, recipe);
		const expected = await sharp(file).extract({ left: 0, top: 0, width: 100, height: 150 }).png().toBuffer();
		expect(await similarity(made.variant('only').data, expected)).toBeGreaterThan(0.99);
		expect(made.variant('small', 'jpeg')).toMatchObject({ width: 50, height: 75 });
		const { analysis } = await make(await photograph(size), { analyse: ['thumbhash'], ...variants({}) });
		expect(made.analysis.thumbhash?.slice(0, 6)).toBe(analysis.thumbhash?.slice(0, 6));
	});

	it('is not undone by kept metadata, in any way a file is written', async () => {
		const file = await photograph({ width: 900, height: 600, orientation: 6, gps: true });
		const made = await make(
			file,
			variants({
				orient: false,
				metadata: 'keep',
				steps: [{ resize: { width: 200 } }],
				encode: [{ jpeg: {} }],
			}),
		);
		const { width, height, orientation = 1, exif } = await sharp(made.variant('only').data).metadata();
		expect({ width, height, orientation }).toEqual({ width: 200, height: 300, orientation: 1 });
		expect(exif?.includes('Picpipe Camera Works')).toBe(true);
	});

	it('keeps every frame of an animation, and every page of a scan', async () => {
		const frame = (background: string) =>
			sharp({ create: { width: 40, height: 20, channels: 3, background } })
				.png()
				.toBuffer();
		const frames = await Promise.all(['#ff0000', '#00ff00', '#0000ff'].map(frame));
		const animation = await sharp(
			await sharp(frames, { join: { animated: true } })
				.gif()
				.toBuffer(),
			{ pages: -1 },
		)
			.withMetadata({ orientation: 6 })
			.webp({ lossless: true })
			.toBuffer();
		const encode = [{ webp: { lossless: true } }];
		const made = await make(animation, variants({ orient: false, encode }, { upright: { encode } }));
		expect(await sharp(made.variant('only').data).metadata()).toMatchObject({ width: 40, height: 20, pages: 3 });
		expect(await sharp(made.variant('upright').data).metadata()).toMatchObject({ width: 20, height: 40, pages: 3 });
	});

	it('makes another variant, and true equals the default', () => {
		const digestOf = (only: object) => {
			const { definition, digest } = parseRecipe('r', variants(only));
			const [variant] = planVariants(definition);
			const [encoding] = variant?.encodings ?? [];
			if (!variant || !encoding) throw new Error('no variant');
			return [digest, variantDigest('aa', variant, encoding)];
		};
		const [recipe, variant] = digestOf({});
		expect(digestOf({ orient: true })).toEqual([recipe, variant]);
		expect(digestOf({ orient: false })[0]).not.toBe(recipe);
		expect(digestOf({ orient: false })[1]).not.toBe(variant);
	});

	it('is allowed only on a variant that begins with the original', () => {
		const from = { from: 'only', orient: false, encode: png };
		expect(() => parseRecipe('r', variants({}, { small: from }))).toThrow(
			'variants.small.orient: expected no such key, because the picture lies as that of only',
		);
		expect(() => parseRecipe('r', variants({ orient: 'no' }))).toThrow(
			'variants.only.orient: expected a boolean, received "no"',
		);
	});
});

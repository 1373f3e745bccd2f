import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseRecipe, planVariants } from '../../../src/pipeline/recipe/parse-recipe.ts';
import { variantDigest } from '../../../src/pipeline/recipe/variant-digest.ts';
import { photograph } from '../../helpers/pictures.ts';
import { thrownBy } from '../../helpers/thrown.ts';
import { tiff } from '../../helpers/tiff.ts';
import { make } from '../make.ts';

const png = [{ png: {} }];

let file: Buffer;
beforeAll(async () => {
	const { icc } = await sharp({ create: { width: 1, height: 1, channels: 3, background: '#000' } })
		.withIccProfile('p3')
		.png()
		.toBuffer()
		.then((one) => sharp(one).metadata());
	file = await tiff([
		{ width: 60, height: 40, background: '#ff0000' },
		{ width: 300, height: 500, background: '#00ff00' },
		{ width: 30, height: 20, background: '#0000ff', orientation: 6 },
		{ width: 20, height: 20, background: '#00ff00', profile: icc as Buffer },
	]);
});

async function colourOf(picture: Buffer): Promise<number[]> {
	const { channels } = await sharp(picture).stats();
	return channels.map(({ mean }) => Math.round(mean));
}

describe('a page', () => {
	it('is the start of a variant, with its own size and orientation; the first by default', async () => {
		const made = await make(file, {
			analyse: ['dominant'],
			variants: {
				first: { encode: png },
				named: { page: 1, encode: png },
				second: { page: 2, steps: [{ resize: { width: 150 } }], encode: png },
				cut: { page: 2, steps: [{ crop: { width: 100, height: 100 } }], encode: png },
				third: { page: 3, encode: png },
			},
		});
		expect(made.facts).toMatchObject({ format: 'tiff', width: 60, height: 40, frames: 4 });
		expect(made.analysis.dominant).toBe('#ff0000');
		const looks = async (name: string) => {
			const { width, height, data } = made.variant(name);
			return [width, height, ...(await colourOf(data))];
		};
		expect(await looks('first')).toEqual([60, 40, 255, 0, 0]);
		expect(await looks('named')).toEqual([60, 40, 255, 0, 0]);
		expect(await looks('second')).toEqual([150, 250, 0, 255, 0]);
		expect(await looks('cut')).toEqual([100, 100, 0, 255, 0]);
		expect(await looks('third')).toEqual([20, 30, 0, 0, 255]);
	});

	it('is shared by dependent variants, with its own colours', async () => {
		const made = await make(file, {
			variants: {
				base: { page: 4, colour: 'p3', steps: [{ resize: { width: 10 } }], encode: png },
				small: { from: 'base', steps: [{ resize: { width: 5 } }], encode: png },
				other: { page: 3, colour: 'p3', encode: png },
				plain: { page: 4, encode: png },
			},
		});
		const { icc } = await sharp(made.variant('small').data).metadata();
		expect(icc).toBeDefined();
		expect((await sharp(made.variant('other').data).metadata()).icc).toBeUndefined();
		// Green of Display P3 lies beyond sRGB.
		expect(await colourOf(made.variant('plain').data)).toEqual([0, 255, 0]);
		expect((await sharp(made.variant('plain').data).metadata()).icc).toBeUndefined();
	});

	it('stays that of a variant without steps that others begin with', async () => {
		const made = await make(file, {
			variants: {
				page: { page: 2, encode: png },
				small: { from: 'page', steps: [{ resize: { width: 30 } }], encode: png },
			},
		});
		expect(made.variant('small')).toMatchObject({ width: 30, height: 50 });
		expect(await colourOf(made.variant('small').data)).toEqual([0, 255, 0]);
	});

	it('that does not exist is reported before anything is decoded', async () => {
		const recipe = { variants: { first: { encode: png }, fifth: { page: 5, encode: png } } };
		const error = await thrownBy(() => make(file, recipe));
		expect(error).toMatchObject({ code: 'no-such-page', class: 'unsupported', status: 422, step: 'inspect' });
		expect(error.message).toBe('Expected a picture with page 5, but this tiff has 4.');
	});

	it.each(['jpeg', 'png', 'gif'] as const)('exists once in a %s', async (format) => {
		const picture = await photograph({ width: 64, height: 48, format });
		const error = await thrownBy(() => make(picture, { variants: { a: { page: 2, encode: png } } }));
		expect(error.message).toBe(`Expected a picture with page 2, but this ${format} has a single one.`);
		expect((await make(picture, { variants: { a: { page: 1, encode: png } } })).outputs).toHaveLength(1);
	});

	it('is checked against the limits on its own', async () => {
		const recipe = { variants: { a: { page: 2, steps: [{ resize: { width: 10 } }], encode: png } } };
		expect((await thrownBy(() => make(file, recipe, { maxDimension: 400 }))).code).toBe('too-wide-or-high');
		expect((await thrownBy(() => make(file, recipe, { maxFrames: 3 }))).code).toBe('too-many-frames');
		const first = { variants: { a: { encode: png } } };
		expect((await make(file, first, { maxDimension: 400 })).outputs).toHaveLength(1);
	});

	it('that is damaged is reported', async () => {
		const broken = Buffer.from(file);
		// Of the third page, the tag that says where its pixels are (TIFF 6.0, StripOffsets): beyond the end.
		const tag = Buffer.from([0x11, 1, 4, 0, 1, 0, 0, 0]);
		const at = [1, 2, 3].reduce((found) => broken.indexOf(tag, found + 1), 0);
		broken.writeUInt32LE(broken.length + 1_000, at + 8);
		const recipe = { variants: { a: { page: 3, encode: png } } };
		expect(await thrownBy(() => make(broken, recipe))).toMatchObject({ code: 'corrupt-picture' });
		expect((await make(broken, { variants: { a: { page: 2, encode: png } } })).outputs).toHaveLength(1);
	});
});

describe.each(['gif', 'webp'] as const)('a frame of an animated %s', (format) => {
	const size = { width: 24, height: 16 };
	/** Each covers the left half alone, so that what a viewer shows is made of several. */
	const colours = ['#ff0000', '#00ff00', '#0000ff'];
	const animated = async () => {
		const frames = colours.map((background) =>
			sharp({ create: { ...size, channels: 3, background: '#ff0000' } })
				.composite([{ input: { create: { width: 12, height: 16, channels: 3, background } }, left: 0, top: 0 }])
				.png()
				.toBuffer(),
		);
		const image = sharp(await Promise.all(frames), { join: { animated: true } });
		return format === 'gif' ? image.gif({ delay: [50, 60, 70] }).toBuffer() : image.webp({ lossless: true }).toBuffer();
	};
	const halves = async (made: Buffer) => {
		const half = (left: number) => sharp(made).removeAlpha().extract({ left, top: 0, width: 12, height: 16 }).png();
		return [await colourOf(await half(0).toBuffer()), await colourOf(await half(12).toBuffer())];
	};

	it('is a still as viewers show it, beside the whole', async () => {
		const encode = [{ [format]: {} }, { png: {} }];
		const made = await make(await animated(), {
			variants: { all: { encode }, second: { page: 2, encode }, third: { page: 3, encode } },
		});
		const file = (variant: string, of: string) => {
			const found = made.outputs.find((one) => one.name === variant && one.format === of);
			return Buffer.from(found?.data ?? []);
		};
		expect((await sharp(file('all', format)).metadata()).pages).toBe(3);
		for (const [variant, left] of [
			['all', [255, 0, 0]],
			['second', [0, 255, 0]],
			['third', [0, 0, 255]],
		] as const) {
			expect(await halves(file(variant, 'png'))).toEqual([left, [255, 0, 0]]);
			const { width, pageHeight, height, pages = 1 } = await sharp(file(variant, format)).metadata();
			expect([width, pageHeight ?? height, pages]).toEqual([24, 16, variant === 'all' ? 3 : 1]);
		}
	});

	it('is scaled and cropped like any picture', async () => {
		const steps = [{ crop: { width: 12, height: 16, position: 'left' } }, { resize: { width: 6 } }];
		const { data, width, height } = (
			await make(await animated(), { variants: { a: { page: 2, steps, encode: png } } })
		).variant('a');
		expect([width, height]).toEqual([6, 8]);
		expect((await colourOf(data)).slice(0, 3)).toEqual([0, 255, 0]);
	});

	it('that does not exist is reported, and all frames are within the limits', async () => {
		const recipe = { variants: { a: { page: 4, encode: png } } };
		const error = await thrownBy(() => animated().then((file) => make(file, recipe)));
		expect(error).toMatchObject({ code: 'no-such-page', class: 'unsupported', step: 'inspect' });
		expect(error.message).toBe(`Expected a picture with frame 4, but this ${format} has 3.`);
		const second = { variants: { a: { page: 2, encode: png } } };
		const late = await thrownBy(() => animated().then((file) => make(file, second, { maxFrames: 2 })));
		expect(late.code).toBe('too-many-frames');
	});
});

describe('a page in a recipe', () => {
	const digests = (variants: Readonly<Record<string, unknown>>) => {
		const { definition } = parseRecipe('test', { variants });
		return Object.fromEntries(
			planVariants(definition).map((variant) => [
				variant.name,
				variant.encodings.map((encoding) => variantDigest('source', variant, encoding)).join(),
			]),
		);
	};

	it('is part of the digest of its variant, and of dependent variants', () => {
		const encode = [{ webp: {} }];
		const resize = { steps: [{ resize: { width: 10 } }], encode };
		const one = digests({ a: resize, b: { page: 2, ...resize }, c: { page: 3, ...resize }, d: { page: 1, ...resize } });
		expect(one.d).toBe(one.a);
		expect(new Set(Object.values(one)).size).toBe(3);
		const chained = (page?: number) =>
			digests({ base: { ...(page && { page }), ...resize }, on: { from: 'base', encode } }).on;
		expect(chained(2)).not.toBe(chained());
		expect(chained(1)).toBe(chained());
		const whole = (page?: number) =>
			digests({ base: { ...(page && { page }), encode }, on: { from: 'base', encode } }).on;
		expect(whole(2)).not.toBe(whole());
	});

	it('is part of the recipe’s digest, except for the first', () => {
		const recipe = (page?: number) =>
			parseRecipe('test', { variants: { a: { ...(page && { page }), encode: [{ webp: {} }] } } });
		expect(recipe(1).digest).toBe(recipe().digest);
		expect(recipe(2).digest).not.toBe(recipe().digest);
		expect(parseRecipe('test', recipe(2).definition)).toEqual(recipe(2));
	});

	it.each([[0], [-1], [1.5], ['2'], [100_001], [null], [[1]]])('cannot be %j', (page) => {
		const error = () => parseRecipe('test', { variants: { a: { page, encode: [{ webp: {} }] } } });
		expect(error).toThrow(/^variants\.a\.page: expected an integer from 1 to 100000, received /);
	});

	it('is set on the variant that begins with the original', () => {
		const variants = { a: { encode: [{ webp: {} }] }, b: { from: 'a', page: 2, encode: [{ webp: {} }] } };
		expect(() => parseRecipe('test', { variants })).toThrow(
			'variants.b.page: expected no such key, because the page is that of a',
		);
		expect(() => parseRecipe('test', { variants: { a: { pages: 2, encode: [{ webp: {} }] } } })).toThrow(
			'variants.a.pages: expected no such key',
		);
	});
});

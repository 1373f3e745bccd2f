import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { hammingDistance } from '../../../src/catalog/lists/similar.ts';
import { loadRecipes } from '../../../src/pipeline/recipe/recipes.ts';
import { photograph, similarity } from '../../helpers/pictures.ts';
import { type Made, make } from '../make.ts';

async function makeBuiltIn(name: string, file: Buffer): Promise<Made> {
	const recipe = (await loadRecipes(undefined)).get(name) ?? expect.fail();
	return make(file, recipe.definition);
}

const shown = ({ outputs }: Made) =>
	outputs.map(({ name, format, width, height }) => `${name}.${format} ${width}×${height}`).sort();

describe('built-in recipes', () => {
	it('all have a perceptual hash, so that near-duplicates are found across them', async () => {
		const recipes = [...(await loadRecipes(undefined)).values()];
		expect(recipes.map(({ name }) => name)).toEqual(['web', 'avatar', 'product', 'social', 'archive']);
		const file = await photograph({ width: 640, height: 480 });
		const small = await sharp(file).resize(320).webp().toBuffer();
		const hashes = await Promise.all(
			recipes.map(async ({ name }, index) => (await makeBuiltIn(name, index % 2 ? small : file)).analysis.phash ?? ''),
		);
		for (const hash of hashes) expect(hammingDistance(hash, hashes[0] ?? '')).toBeLessThanOrEqual(5);
	});

	it('avatar shows the same part of the picture in every size', async () => {
		const made = await makeBuiltIn('avatar', await photograph({ width: 800, height: 600 }));
		expect(shown(made)).toEqual(['large.webp 512×512', 'medium.webp 192×192', 'small.webp 64×64']);
		const large = await sharp(made.variant('large').data).resize(64, 64).png().toBuffer();
		expect(await similarity(made.variant('small').data, large)).toBeGreaterThan(0.95);
	});

	it('product shows the whole article on white, and never enlarges it', async () => {
		const file = await sharp({ create: { width: 300, height: 600, channels: 3, background: '#204080' } })
			.png()
			.toBuffer();
		const made = await makeBuiltIn('product', file);
		expect(shown(made)).toEqual([
			'card.webp 480×480',
			'main.jpeg 1000×1000',
			'main.webp 1000×1000',
			'thumb.webp 160×160',
			'zoom.webp 300×600',
		]);
		const { data } = await sharp(made.variant('main', 'jpeg').data).raw().toBuffer({ resolveWithObject: true });
		const pixel = (x: number, y: number) => [...data.subarray((y * 1000 + x) * 3, (y * 1000 + x) * 3 + 3)];
		for (const [x, y] of [
			[10, 10],
			[330, 500],
			[670, 500],
			[500, 190],
			[500, 810],
		] as const) {
			expect(Math.min(...pixel(x, y)), `${x}, ${y}`).toBeGreaterThan(245);
		}
		for (const [x, y] of [
			[370, 500],
			[630, 500],
			[500, 220],
			[500, 780],
		] as const) {
			expect(Math.max(...pixel(x, y)), `${x}, ${y}`).toBeLessThan(140);
		}
	});

	it('social has the shapes of the networks, as JPEG', async () => {
		const made = await makeBuiltIn('social', await photograph({ width: 800, height: 600 }));
		expect(shown(made)).toEqual(['og.jpeg 1200×630', 'square.jpeg 1080×1080', 'story.jpeg 1080×1920']);
	});

	it('archive keeps every frame of an animation, and colours beyond sRGB', async () => {
		const frames = await Promise.all(
			[1, 2, 3].map((seed) => photograph({ width: 64, height: 48, format: 'png', seed })),
		);
		const animation = await sharp(frames, { join: { animated: true } })
			.webp({ lossless: true, delay: [100, 200, 300] })
			.toBuffer();
		const whole = (file: Buffer) => sharp(file, { pages: -1 }).removeAlpha().raw().toBuffer();
		const moving = await makeBuiltIn('archive', animation);
		expect(shown(moving)).toEqual(['lossless.webp 64×48']);
		expect(await sharp(moving.variant('lossless').data).metadata()).toMatchObject({ pages: 3, delay: [100, 200, 300] });
		expect((await whole(moving.variant('lossless').data)).equals(await whole(animation))).toBe(true);

		const wide = await photograph({ width: 64, height: 48, format: 'png', icc: 'p3' });
		const { data } = (await makeBuiltIn('archive', wide)).variant('lossless');
		const numbers = (file: Buffer) => sharp(file, { ignoreIcc: true }).raw().toBuffer();
		expect((await numbers(data)).equals(await numbers(wide))).toBe(true);
		expect((await sharp(data).metadata()).icc).toBeDefined();
	});

	it('archive keeps every pixel, upright', async () => {
		const options = { width: 320, height: 200, format: 'png' } as const;
		const upright = await sharp(await photograph(options))
			.raw()
			.toBuffer();
		const made = await makeBuiltIn('archive', await photograph({ ...options, orientation: 6 }));
		expect(shown(made)).toEqual(['lossless.png 320×200']);
		expect((await sharp(made.variant('lossless').data).raw().toBuffer()).equals(upright)).toBe(true);
	});
});

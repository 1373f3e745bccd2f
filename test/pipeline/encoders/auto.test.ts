import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { contentOf } from '../../../src/pipeline/pixels/content.ts';
import { parseRecipe } from '../../../src/pipeline/recipe/parse-recipe.ts';
import { extraTitle, photograph, sharedPictures } from '../../helpers/pictures.ts';
import { make, one } from '../make.ts';

const size = { width: 400, height: 300 };

/** Circles with soft edges, a frame and a line of letters, on white or on nothing. */
function drawing(isTransparent = false): Promise<Buffer> {
	const background = isTransparent ? '' : '<rect width="400" height="300" fill="#fff"/>';
	const circles = ['#c00', '#06c', '#fc0'].map(
		(colour, at) => `<circle cx="${100 + at * 90}" cy="150" r="60" fill="${colour}" stroke="#222" stroke-width="3"/>`,
	);
	const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300">${background}${circles.join('')}
		<rect x="10" y="10" width="380" height="280" fill="none" stroke="#111"/></svg>`;
	return sharp(Buffer.from(svg)).png().toBuffer();
}

async function seeThrough(): Promise<Buffer> {
	return sharp(await photograph(size))
		.ensureAlpha(0.5)
		.png()
		.toBuffer();
}

async function chosen(file: Buffer, auto: unknown = {}, steps: readonly unknown[] = []) {
	return (await make(file, one(steps, [{ auto }]))).variant('only');
}

const sharpNames: Readonly<Record<string, string>> = { avif: 'heif' };

describe('auto', () => {
	it.each([
		['avif', 'avif', ['avif', 'webp', 'jpeg', 'png']],
		['webp', 'webp', ['jpeg', 'webp', 'png']],
		['jpeg', 'jpg', ['png', 'jpeg', 'gif']],
		['png', 'png', ['png']],
	])('chooses %s for a photograph', async (format, extension, formats) => {
		const output = await chosen(await photograph(size), { formats });
		expect(output).toMatchObject({ format, extension, type: `image/${format}` });
		expect((await sharp(output.data).metadata()).format).toBe(sharpNames[format] ?? format);
	});

	it.each([
		['webp', ['avif', 'webp', 'jpeg', 'png']],
		['png', ['avif', 'jpeg', 'png']],
	])('chooses %s for a drawing, and keeps every pixel', async (format, formats) => {
		const file = await drawing();
		const output = await chosen(file, { formats });
		expect(output.format).toBe(format);
		const [before, after] = await Promise.all(
			[file, output.data].map((data) => sharp(data).removeAlpha().raw().toBuffer()),
		);
		expect(after?.equals(before as Buffer)).toBe(true);
	});

	it.each([
		[
			{ formats: ['jpeg', 'avif'], lossless: true },
			'formats: expected png or webp among the formats because lossless is true',
		],
		[{ lossless: true, ssim: 0.9 }, 'ssim: expected no such key because lossless is true'],
		[{ lossless: false }, 'lossless: expected true'],
	])('refuses %j', (auto, message) => {
		expect(() => parseRecipe('r', one([], [{ auto }]))).toThrow(`variants.only.encode[0].auto.${message}`);
	});

	it('keeps the full colour resolution of a lossy drawing', async () => {
		const { data, format } = await chosen(await drawing(), { formats: ['jpeg'] });
		expect(format).toBe('jpeg');
		expect((await sharp(data).metadata()).chromaSubsampling).toBe('4:4:4');
	});

	it.each([
		['png', ['jpeg', 'png'], 'a photograph'],
		['avif', ['jpeg', 'avif'], 'a photograph'],
		['png', ['jpeg', 'png'], 'a drawing'],
		['jpeg', ['jpeg'], 'a drawing'],
	])('chooses %s from %j for %3$s with transparency', async (format, formats, what) => {
		const output = await chosen(what === 'a drawing' ? await drawing(true) : await seeThrough(), { formats });
		expect(output.format).toBe(format);
		expect((await sharp(output.data).metadata()).hasAlpha).toBe(format !== 'jpeg');
	});

	it('ignores alpha without transparency', async () => {
		const file = await sharp(await photograph(size))
			.ensureAlpha(1)
			.png()
			.toBuffer();
		expect((await chosen(file, { formats: ['jpeg', 'png'] })).format).toBe('jpeg');
	});

	it('depends on the result of the steps, even of a single one', async () => {
		const file = await photograph(size);
		expect(
			(await chosen(file, { formats: ['webp', 'jpeg'] }, [{ threshold: {} }, { pixelate: { size: 32 } }])).format,
		).toBe('webp');
		expect((await chosen(file, { formats: ['jpeg', 'png'] }, [{ opacity: { value: 0.4 } }])).format).toBe('png');
		expect((await chosen(file, { formats: ['jpeg', 'png'] }, [{ resize: { width: 100 } }])).format).toBe('jpeg');
	});

	it('skips formats that do not support the size, and scales down if none does', async () => {
		const line = await sharp({ create: { width: 20_000, height: 2, channels: 3, background: '#336699' } })
			.png()
			.toBuffer();
		expect((await chosen(line, { formats: ['webp', 'png'] })).format).toBe('png');
		const message =
			'Expected at most 16383 pixels of width and height for webp, so the variant of 20000 × 2 was scaled down to 16383 × 2.';
		expect(await chosen(line, { formats: ['webp', 'avif'] })).toMatchObject({
			...{ format: 'webp', width: 16_383, height: 2 },
			limited: { reason: 'format', message },
		});
	});

	it('searches a quality in lossy formats', async () => {
		const photo = await chosen(await photograph(size), { formats: ['webp'], ssim: 0.9 });
		expect(photo.quality?.ssim).toBeGreaterThanOrEqual(0.9);
		expect((await chosen(await drawing(), { formats: ['webp'], ssim: 0.9 })).quality).toBeUndefined();
	});

	it('can be combined with other formats, and the set has one digest', async () => {
		const file = await drawing();
		const made = await make(file, one([], [{ auto: { formats: ['webp', 'png'] } }, { jpeg: {} }]));
		expect(made.outputs.map(({ format }) => format)).toEqual(['webp', 'jpeg']);
		const digest = (formats: readonly string[]) => parseRecipe('r', one([], [{ auto: { formats } }])).digest;
		expect(digest(['png', 'webp', 'png'])).toBe(digest(['webp', 'png']));
		expect(digest(['png'])).not.toBe(digest(['webp', 'png']));
	});
});

const photos = sharedPictures('photos');
describe.skipIf(photos.length === 0)(extraTitle('photos', photos), () => {
	it.skipIf(photos.length === 0).each(photos)('does not treat $name as a drawing', async ({ path }) => {
		for (const width of [800, 200]) {
			const image = sharp(await readFile(path)).resize(width);
			const { data, info } = await image.toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
			expect(contentOf({ data, width, height: info.height, channels: 3 })).toMatchObject({
				isDrawing: false,
				isTransparent: false,
			});
		}
	});
});

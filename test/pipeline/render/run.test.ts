import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { thumbHashToApproximateAspectRatio, thumbHashToAverageRGBA } from 'thumbhash';
import { describe, expect, it } from 'vitest';
import { builtInRecipes } from '../../../src/pipeline/recipe/built-in.ts';
import {
	colourDifference,
	extraTitle,
	photograph,
	sharedPictures,
	similarity,
	twelveMegapixels,
} from '../../helpers/pictures.ts';
import { type Made, make, one } from '../make.ts';

/** As wide as the variants of the built-in recipe. */
const widths: Readonly<Record<string, number>> = { large: 1600, medium: 800, small: 400 };

/** The built-in recipe, with encoders that take a quarter of the time: files are larger, and look the same. */
const quickWeb = JSON.parse(JSON.stringify(builtInRecipes.web).replaceAll('"webp":{}', '"webp":{"effort":0}'));

/** The original, upright, in no more than the widest of them, by sharp alone, with the loss of colours that WebP has. */
function referenceOf(file: Buffer): Promise<Buffer> {
	return sharp(file)
		.autoOrient()
		.resize({ width: 1600, withoutEnlargement: true })
		.webp({ quality: 80, effort: 0 })
		.toBuffer();
}

/** Every variant is there, has the bytes, size and format that is said, and looks as sharp alone makes it. */
async function expectWeb(made: Made, file: Buffer): Promise<void> {
	expect(made.outputs.map(({ name }) => name).sort()).toEqual([...Object.keys(widths), 'thumb']);
	const { autoOrient: whole } = await sharp(file).metadata();
	const reference = await referenceOf(file);
	for (const output of made.outputs) {
		const width = Math.min(widths[output.name] ?? 300, whole.width);
		const size = output.name === 'thumb' ? [300, 300] : [width, Math.round((width * whole.height) / whole.width)];
		expect([output.width, output.height], output.name).toEqual(size);
		const metadata = await sharp(output.data).metadata();
		expect(metadata, output.name).toMatchObject({ format: 'webp', width: output.width, height: output.height });
		expect(output.sha256).toBe(createHash('sha256').update(output.data).digest('hex'));
		expect(output.digest).toMatch(/^[0-9a-f]{12}$/);
		if (output.name === 'thumb') {
			// Where several spots draw the eye alike, the smallest difference decides: any cut of the whole is right.
			expect(await differenceToBestCut(output.data, reference)).toBeLessThan(6);
		} else {
			expect(await similarity(output.data, reference), output.name).toBeGreaterThan(0.97);
			expect(await colourDifference(output.data, reference), output.name).toBeLessThan(2);
		}
	}
}

/** Mean difference of greys between a 300×300 thumb and that cut of the scaled picture which it resembles most. */
async function differenceToBestCut(thumb: Buffer, file: Buffer): Promise<number> {
	const side = 300;
	const whole = await sharp(file)
		.autoOrient()
		.resize(side, side, { fit: 'outside' })
		.greyscale()
		.raw()
		.toBuffer({ resolveWithObject: true });
	const small = await sharp(thumb).greyscale().raw().toBuffer();
	let best = Number.POSITIVE_INFINITY;
	for (let top = 0; top <= whole.info.height - side; top++) {
		for (let left = 0; left <= whole.info.width - side; left++) {
			let sum = 0;
			for (let y = 0; y < side; y += 2) {
				for (let x = 0; x < side; x += 2) {
					const at = (top + y) * whole.info.width + left + x;
					sum += Math.abs((whole.data[at] ?? 0) - (small[y * side + x] ?? 0));
				}
			}
			best = Math.min(best, sum / (side / 2) ** 2);
		}
	}
	return best;
}

describe('recipe web', () => {
	it('makes every variant of a 12 megapixel photograph like sharp alone', async () => {
		const file = await twelveMegapixels();
		const made = await make(file);
		await expectWeb(made, file);
		const thumb = await sharp(file).resize({ width: 300, height: 300, position: 'attention' }).toBuffer();
		expect(await similarity(made.variant('thumb').data, thumb)).toBeGreaterThan(0.97);
		expect(made.outputs.map(({ width, height }) => `${width}×${height}`)).toEqual([
			'1600×1200',
			'800×600',
			'400×300',
			'300×300',
		]);
	});

	it('never enlarges, except for the thumb', async () => {
		const made = await make(await photograph({ width: 500, height: 200 }));
		expect(made.outputs.map(({ name, width, height }) => `${name} ${width}×${height}`).sort()).toEqual([
			'large 500×200',
			'medium 500×200',
			'small 400×160',
			'thumb 300×300',
		]);
	});

	it.each([
		[1, 1],
		[1, 16_000],
		[3_000, 2],
		[7, 2_000],
	])('accepts a picture of %i × %i', async (width, height) => {
		const file = await sharp({ create: { width, height, channels: 3, background: '#336699' } })
			.png()
			.toBuffer();
		const made = await make(file);
		expect(made.variant('thumb')).toMatchObject({ width: 300, height: 300 });
		expect(made.analysis.thumbhash).toMatch(/^[A-Za-z0-9+/=]+$/);
	});

	it('finds a thumbhash of the right colour and shape', async () => {
		const { analysis } = await make(await photograph({ width: 1200, height: 800 }));
		const hash = Buffer.from(analysis.thumbhash ?? '', 'base64');
		expect(thumbHashToApproximateAspectRatio(hash)).toBeCloseTo(1.5, 0);
		const stats = await sharp(await photograph({ width: 1200, height: 800 })).stats();
		const { r, g, b } = thumbHashToAverageRGBA(hash);
		expect(Math.abs(r * 255 - (stats.channels[0]?.mean ?? 0))).toBeLessThan(12);
		expect(Math.abs(g * 255 - (stats.channels[1]?.mean ?? 0))).toBeLessThan(12);
		expect(Math.abs(b * 255 - (stats.channels[2]?.mean ?? 0))).toBeLessThan(12);
	});

	it('makes the same bytes each time, even in parallel', async () => {
		const file = await photograph({ width: 2000, height: 1500 });
		const made = await Promise.all([make(file), make(file), make(file, undefined, { concurrency: 3 })]);
		const bytes = made.map(({ outputs }) =>
			outputs.map(({ name, sha256, digest }) => `${name} ${sha256} ${digest}`).sort(),
		);
		expect(bytes[1]).toEqual(bytes[0]);
		expect(bytes[2]).toEqual(bytes[0]);
	});

	it('reports its steps and its progress', async () => {
		const { steps, outputs } = await make(await photograph({ width: 2000, height: 1500 }));
		expect(steps.map(({ step }) => step)).toEqual([
			'decode',
			'encode large.webp',
			'scale to 800×600',
			'encode medium.webp',
			'scale to 400×300',
			'encode small.webp',
			'encode thumb.webp',
			'scale to 100×75',
			'phash',
			'thumbhash',
		]);
		expect(steps.map(({ done }) => done)).toEqual([...steps.keys()].map((at) => (at + 1) / steps.length));
		expect(steps.find(({ step }) => step === 'encode small.webp')?.bytes).toBe(
			outputs.find(({ name }) => name === 'small')?.data.length,
		);
		for (const { milliseconds, startedAt } of steps) {
			expect(milliseconds).toBeGreaterThan(0);
			expect(Math.abs(Date.now() - startedAt)).toBeLessThan(60_000);
		}
	});
});

describe('orientation', () => {
	it.each([1, 2, 3, 4, 5, 6, 7, 8])('applies EXIF orientation %i', async (orientation) => {
		const size = { width: 900, height: 600 };
		const turned = await photograph({ ...size, orientation });
		const upright = await photograph(size);
		const made = await make(turned);
		expect(made.facts).toMatchObject({ ...size, orientation });
		await expectWeb(made, turned);
		for (const { name, data } of made.outputs.filter(({ name }) => name !== 'thumb')) {
			expect(await similarity(data, upright), name).toBeGreaterThan(0.96);
			expect((await sharp(data).metadata()).orientation).toBeUndefined();
		}
	});
});

describe('privacy', () => {
	it.each(['jpeg', 'png', 'webp', 'avif'])('strips EXIF, GPS, names and profiles from %s', async (format) => {
		const file = await photograph({ width: 800, height: 600, gps: true, icc: 'p3', orientation: 6 });
		expect(file.includes('Ada Private')).toBe(true);
		expect((await sharp(file).metadata()).exif).toBeDefined();
		const { data } = (await make(file, one([{ resize: { width: 300 } }], [{ [format]: {} }]))).variant('only');
		expect(data.includes('Ada Private')).toBe(false);
		expect(data.includes('Picpipe Camera')).toBe(false);
		const metadata = await sharp(data).metadata();
		for (const kind of ['exif', 'icc', 'iptc', 'xmp', 'orientation'] as const) {
			expect(metadata[kind], kind).toBeUndefined();
		}
	});
});

describe('variants', () => {
	it('encodes one variant in several formats, and keeps or fills transparency', async () => {
		const file = await sharp({ create: { width: 400, height: 300, channels: 4, background: '#ff000000' } })
			.composite([
				{ input: { create: { width: 100, height: 100, channels: 4, background: '#0000ff' } }, gravity: 'centre' },
			])
			.png()
			.toBuffer();
		const recipe = one(
			[{ resize: { width: 200 } }],
			[{ webp: {} }, { avif: {} }, { png: {} }, { jpeg: { background: '#00ff00' } }],
		);
		const made = await make(file, recipe);
		expect(made.facts.alpha).toBe(true);
		expect(made.outputs.map(({ format, type, extension }) => `${format} ${type} ${extension}`)).toEqual([
			'webp image/webp webp',
			'avif image/avif avif',
			'png image/png png',
			'jpeg image/jpeg jpg',
		]);
		for (const format of ['webp', 'avif', 'png']) {
			const { channels } = await sharp(made.variant('only', format).data).stats();
			expect(channels[3]?.min, format).toBe(0);
			expect(channels[3]?.max, format).toBe(255);
		}
		const corner = await sharp(made.variant('only', 'jpeg').data)
			.extract({ left: 0, top: 0, width: 8, height: 8 })
			.stats();
		expect(corner.dominant.g).toBeGreaterThan(200);
		expect(corner.dominant.r).toBeLessThan(60);
	});

	it('applies several steps in order', async () => {
		const file = await photograph({ width: 1200, height: 800 });
		const square = { resize: { width: 400, height: 400, position: 'left' } };
		const made = await make(file, one([square, { resize: { width: 300, height: 100, fit: 'fill' } }], [{ png: {} }]));
		const cropped = await sharp(file).resize({ width: 400, height: 400, position: 'left' }).png().toBuffer();
		const expected = await sharp(cropped).resize({ width: 300, height: 100, fit: 'fill' }).png().toBuffer();
		expect(made.variant('only')).toMatchObject({ width: 300, height: 100 });
		expect(await similarity(made.variant('only').data, expected)).toBeGreaterThan(0.98);
	});

	it.each([1, 4])('makes a variant from the pixels of another, %i steps at a time', async (concurrency) => {
		const file = await photograph({ width: 800, height: 600 });
		const square = { resize: { width: 300, height: 300, position: 'right' } };
		const chained = {
			variants: {
				dot: { from: 'small', steps: [{ resize: { width: 20 } }], encode: [{ png: {} }] },
				small: {
					from: 'square',
					steps: [{ resize: { width: 100 } }],
					encode: [{ png: {} }, { webp: { lossless: true } }],
				},
				square: { steps: [square], encode: [{ webp: { quality: 1 } }] },
				same: { from: 'square', encode: [{ png: {} }] },
			},
		};
		const made = await make(file, chained, { concurrency });
		expect(made.outputs.map(({ name, format }) => `${name}.${format}`).sort()).toEqual([
			'dot.png',
			'same.png',
			'small.png',
			'small.webp',
			'square.webp',
		]);
		// Not from the encoded variant: its quality is poor on purpose.
		const written = await make(file, one([square, { resize: { width: 100 } }], [{ png: {} }]));
		expect(made.variant('small', 'png')).toMatchObject({
			width: 100,
			height: 100,
			sha256: written.variant('only').sha256,
			digest: written.variant('only').digest,
		});
		const pixels = (data: Buffer) => sharp(data).raw().toBuffer();
		expect((await pixels(made.variant('small', 'webp').data)).equals(await pixels(written.variant('only').data))).toBe(
			true,
		);
		expect(made.variant('dot')).toMatchObject({ width: 20, height: 20 });
		const cropped = await sharp(file).resize({ width: 300, height: 300, position: 'right' }).png().toBuffer();
		expect(await similarity(made.variant('same').data, cropped)).toBeGreaterThan(0.98);
		expect(made.steps.filter(({ step }) => step === 'decode')).toHaveLength(1);
		expect(made.steps.at(-1)?.done).toBe(1);
	});

	it('makes a variant from pixels whose size is known only afterwards', async () => {
		const red = await sharp({ create: { width: 200, height: 100, channels: 3, background: '#cc2200' } })
			.png()
			.toBuffer();
		const file = await sharp({ create: { width: 400, height: 300, channels: 3, background: '#ffffff' } })
			.composite([{ input: red }])
			.png()
			.toBuffer();
		const made = await make(file, {
			variants: {
				icon: { from: 'small', steps: [{ resize: { width: 10 } }], encode: [{ png: {} }] },
				small: { from: 'trimmed', steps: [{ resize: { width: 50 } }], encode: [{ png: {} }, { webp: {} }] },
				trimmed: { steps: [{ trim: {} }], encode: [{ png: {} }] },
			},
		});
		expect(
			made.outputs.map(({ name, format, width, height }) => `${name}.${format} ${width}×${height}`).sort(),
		).toEqual(['icon.png 10×5', 'small.png 50×25', 'small.webp 50×25', 'trimmed.png 200×100']);
		expect(made.steps.at(-1)?.done).toBe(1);
	});
});

const photos = sharedPictures('photos');
describe.skipIf(photos.length === 0)(extraTitle('photos', photos), () => {
	it.skipIf(photos.length === 0).each(photos)('makes every variant of $name like sharp alone', async ({ path }) => {
		const file = await readFile(path);
		await expectWeb(await make(file, quickWeb), file);
	});
});

const turned = sharedPictures('orientation', /\.jpg$/);
const opened = new Map<string, Promise<Buffer>>();

/** Read once: what is compared with it again is the very same buffer. */
function open(path: string): Promise<Buffer> {
	const file = opened.get(path) ?? readFile(path);
	opened.set(path, file);
	return file;
}

describe.skipIf(turned.length === 0)(extraTitle('orientation', turned), () => {
	it.skipIf(turned.length === 0).each(turned)('makes $name look like the upright one', async ({ name, path }) => {
		const upright = turned.find((picture) => picture.name === name.replace(/\d/, '1'));
		const reference = await open(upright?.path ?? '');
		const made = await make(await readFile(path), quickWeb);
		const { width, height } = await sharp(reference).metadata();
		expect(made.facts).toMatchObject({ width, height });
		for (const { name: variant, data } of made.outputs.filter(({ name }) => name !== 'thumb')) {
			expect(await similarity(data, reference), variant).toBeGreaterThan(0.93);
		}
	});
});

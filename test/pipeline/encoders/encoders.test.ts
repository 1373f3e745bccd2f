import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { encoders } from '../../../src/pipeline/encoders/index.ts';
import { photograph } from '../../helpers/pictures.ts';
import { make, one } from '../make.ts';

const size = { width: 160, height: 120 };

/** An option, and what sharp has to be told to make the same without us. */
interface Row {
	/** What the option has another value in. */
	readonly options: Readonly<Record<string, unknown>>;
	/** Without the option, and with it. */
	readonly sharp: readonly [object, object];
	/** What else stands in the recipe, with and without the option. */
	readonly beside?: Readonly<Record<string, unknown>>;
	readonly picture?: keyof typeof pictures;
	/** What the option is for. */
	readonly shows: (made: Buffer, without: Buffer) => Promise<void> | void;
}

const pictures = {
	photograph: () => photograph({ ...size, format: 'png' }),
	transparent: async () =>
		sharp(await pictures.photograph())
			.ensureAlpha(0.4)
			.png()
			.toBuffer(),
	animation: async () => {
		const stills = [1, 2].map((seed) => photograph({ width: 40, height: 30, seed, format: 'png' }));
		return sharp(await Promise.all(stills), { join: { animated: true } })
			.gif({ delay: [70, 90], loop: 2 })
			.toBuffer();
	},
} as const;

const smaller = (made: Buffer, without: Buffer) => expect(made.length).toBeLessThan(without.length);
const larger = (made: Buffer, without: Buffer) => expect(made.length).toBeGreaterThan(without.length);

async function pixelsOf(file: Buffer): Promise<Buffer> {
	return sharp(file).toColourspace('srgb').removeAlpha().raw().toBuffer();
}

/** Mean absolute difference to the photograph. */
async function loss(file: Buffer): Promise<number> {
	const [a, b] = await Promise.all([file, await pictures.photograph()].map(pixelsOf));
	if (!a || !b) throw new TypeError('Expected two pictures.');
	return a.reduce((sum, value, at) => sum + Math.abs(value - (b[at] ?? 0)), 0) / a.length;
}

async function isExact(made: Buffer, without: Buffer): Promise<void> {
	expect(await loss(made)).toBe(0);
	expect(await loss(without)).toBeGreaterThan(0);
}

async function isWorse(made: Buffer, without: Buffer): Promise<void> {
	expect(await loss(made)).toBeGreaterThan(await loss(without));
}

const says =
	(expected: object, otherwise: object): Row['shows'] =>
	async (made, without) => {
		expect(await sharp(made).metadata()).toMatchObject(expected);
		expect(await sharp(without).metadata()).toMatchObject(otherwise);
	};

/** What the decoder of an AVIF is told: whether it has fewer colours than pixels across and down (AV1 in ISOBMFF 1.2, 2.3.3). */
function avifSubsampling(file: Buffer): string {
	const flags = file[file.indexOf('av1C') + 6] ?? 0;
	return { 0: '4:4:4', 3: '4:2:0' }[(flags >> 2) & 0b11] ?? 'something else';
}

async function colourCount(file: Buffer): Promise<number> {
	const pixels = await pixelsOf(file);
	return new Set(Array.from({ length: pixels.length / 3 }, (_, at) => pixels.readUIntBE(at * 3, 3))).size;
}

async function isStill(made: Buffer, without: Buffer): Promise<void> {
	expect((await sharp(made).metadata()).pages ?? 1).toBe(1);
	expect((await sharp(without).metadata()).pages).toBe(2);
}

/** What sharp is told without any option of ours. */
const standard = {
	webp: { quality: 80, effort: 4 },
	avif: { quality: 50, effort: 3, chromaSubsampling: '4:2:0' },
	jpeg: { quality: 80, chromaSubsampling: '4:2:0' },
	png: { compressionLevel: 6 },
	gif: { effort: 7 },
	tiff: { compression: 'lzw', predictor: 'horizontal' },
} as const;
const palette = { ...standard.png, palette: true, effort: 7 };
const timing = { delay: [70, 90], loop: 2 };

/** sharp is told the same, by the same names. */
const alike = (format: keyof typeof standard, options: Row['options'], shows: Row['shows']): Row => ({
	options,
	sharp: [standard[format], { ...standard[format], ...options }],
	shows,
});

const rows: Readonly<Record<keyof typeof standard, readonly Row[]>> = {
	webp: [
		alike('webp', { quality: 30 }, smaller),
		alike('webp', { effort: 0 }, larger),
		alike('webp', { lossless: true }, isExact),
		alike('webp', { nearLossless: true }, async (made, without) => {
			expect(await loss(made)).toBeGreaterThan(0);
			expect(await loss(made)).toBeLessThan((await loss(without)) / 2);
		}),
		alike('webp', { smartSubsample: true }, async (made, without) => {
			expect(await loss(made)).toBeLessThan(await loss(without));
		}),
		{
			options: { animated: false },
			sharp: [{ ...standard.webp, ...timing }, standard.webp],
			picture: 'animation',
			shows: isStill,
		},
	],
	avif: [
		alike('avif', { quality: 20 }, smaller),
		alike('avif', { effort: 0 }, isWorse),
		alike('avif', { lossless: true }, isExact),
		alike('avif', { chromaSubsampling: '4:4:4' }, (made, without) => {
			expect([made, without].map(avifSubsampling)).toEqual(['4:4:4', '4:2:0']);
		}),
	],
	jpeg: [
		alike('jpeg', { quality: 30 }, smaller),
		alike('jpeg', { progressive: true }, says({ isProgressive: true }, { isProgressive: false })),
		alike('jpeg', { mozjpeg: true }, smaller),
		alike('jpeg', { chromaSubsampling: '4:4:4' }, says({ chromaSubsampling: '4:4:4' }, { chromaSubsampling: '4:2:0' })),
		{
			options: { background: '#ff0000' },
			sharp: [standard.jpeg, standard.jpeg],
			picture: 'transparent',
			shows: async (made, without) => {
				const [red, white] = await Promise.all([made, without].map((file) => sharp(file).stats()));
				expect(red?.channels[2]?.mean).toBeLessThan((white?.channels[2]?.mean ?? 0) - 100);
			},
		},
	],
	png: [
		alike('png', { compressionLevel: 0 }, larger),
		alike('png', { progressive: true }, says({ isProgressive: true }, { isProgressive: false })),
		{ options: { palette: true }, sharp: [standard.png, palette], shows: smaller },
		...[{ quality: 20 }, { colours: 16 }, { dither: 0 }].map((options) => ({
			options,
			beside: { palette: true },
			sharp: [palette, { ...palette, ...options }] as const,
			shows: smaller,
		})),
	],
	gif: [
		alike('gif', { colours: 16 }, async (made, without) => {
			expect(await colourCount(made)).toBeLessThanOrEqual(16);
			expect(await colourCount(without)).toBeGreaterThan(16);
		}),
		alike('gif', { effort: 1 }, isWorse),
		alike('gif', { dither: 0 }, smaller),
		{
			options: { animated: false },
			// It would take the colours of the original.
			sharp: [
				{ ...standard.gif, ...timing },
				{ ...standard.gif, reuse: false },
			],
			picture: 'animation',
			shows: isStill,
		},
	],
	tiff: [alike('tiff', { compression: 'deflate' }, smaller), alike('tiff', { compression: 'none' }, larger)],
};

let files: Readonly<Record<keyof typeof pictures, Buffer>>;
beforeAll(async () => {
	const [photograph, transparent, animation] = await Promise.all([
		pictures.photograph(),
		pictures.transparent(),
		pictures.animation(),
	]);
	files = { photograph, transparent, animation };
});

async function encoded(file: Buffer, encoder: string, options: object): Promise<Buffer> {
	return (await make(file, one([], [{ [encoder]: options }]))).variant('only').data;
}

/** Without us. Of an animation all frames where sharp is told how they run, and otherwise the first, of which nothing says so. */
async function bySharp(file: Buffer, encoder: keyof typeof standard, options: object, background = '#ffffff') {
	const image = 'delay' in options ? sharp(file, { pages: -1 }) : sharp(await sharp(file).png().toBuffer());
	return (encoder === 'jpeg' ? image.flatten({ background }) : image).toFormat(encoder, options).toBuffer();
}

const cases = Object.entries(rows).flatMap(([encoder, list]) =>
	list.map((row) => ({ ...row, encoder: encoder as keyof typeof standard })),
);

describe('an option of an encoder', () => {
	it.each(cases)('$encoder $options', async ({ encoder, options, beside, sharp: told, picture, shows }) => {
		const file = files[picture ?? 'photograph'];
		const [without, made] = await Promise.all([
			encoded(file, encoder, { ...beside }),
			encoded(file, encoder, { ...beside, ...options }),
		]);
		const background = options.background as string | undefined;
		expect(without.equals(await bySharp(file, encoder, told[0]))).toBe(true);
		expect(made.equals(await bySharp(file, encoder, told[1], background))).toBe(true);
		expect(made.equals(without)).toBe(false);
		await shows(made, without);
	});

	it('of auto decides the candidates and the loss', async () => {
		const { photograph: file } = files;
		const best = await encoded(file, 'auto', { formats: ['jpeg', 'webp'] });
		expect(best.equals(await bySharp(file, 'webp', standard.webp))).toBe(true);
		expect(
			(await encoded(file, 'auto', { formats: ['jpeg'] })).equals(await bySharp(file, 'jpeg', standard.jpeg)),
		).toBe(true);
		const made = (await make(file, one([], [{ auto: { formats: ['webp'], ssim: 0.9 } }]))).variant('only');
		const { value: quality = 0, ssim } = made.quality ?? {};
		expect(ssim).toBeGreaterThanOrEqual(0.9);
		expect(made.data.equals(await bySharp(file, 'webp', { ...standard.webp, quality }))).toBe(true);
		const lossless = (formats?: readonly string[]) =>
			encoded(file, 'auto', { lossless: true, ...(formats && { formats }) });
		const png = await bySharp(file, 'png', { ...standard.png, compressionLevel: 9 });
		expect((await lossless()).equals(png)).toBe(true);
		const webp = await bySharp(file, 'webp', { ...standard.webp, lossless: true });
		expect((await lossless(['avif', 'webp'])).equals(webp)).toBe(true);
	});

	it('has a test here for every option', () => {
		const tested: Readonly<Record<string, readonly string[]>> = {
			...Object.fromEntries(
				Object.entries(rows).map(([name, list]) => {
					// Tested with the metadata.
					const further = name === 'gif' ? [] : ['density'];
					return [name, [...list.flatMap(({ options }) => Object.keys(options)), ...further]];
				}),
			),
			auto: ['formats', 'ssim', 'lossless'],
		};
		for (const { name, schema } of encoders) {
			const { properties = {} } = z.toJSONSchema(schema, { io: 'input' });
			expect([...new Set(tested[name])].sort(), name).toEqual(Object.keys(properties).sort());
		}
	});
});

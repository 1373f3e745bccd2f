import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { extraTitle, photograph, sharedPictures } from '../../../helpers/pictures.ts';
import { type Answer, difference, ours, theirs } from './beside.ts';

/** Each made twice: by ipx itself, and by picpipe's engine as the dialect says. */

const drawing = (fill = 0.7) =>
	Buffer.from(
		`<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300"><rect x="50" y="40" width="300" height="200" fill="#e33" fill-opacity="${fill}"/><circle cx="200" cy="150" r="80" fill="#0a0"/></svg>`,
	);

const pictures = {
	photograph: () => photograph({ width: 400, height: 300 }),
	wide: () => photograph({ width: 660, height: 220, seed: 2 }),
	small: () => photograph({ width: 120, height: 90, seed: 3 }),
	transparent: () => sharp(drawing()).png().toBuffer(),
};

/** Three frames of 80×60. */
async function animation(format: 'webp' | 'gif'): Promise<Buffer> {
	const stills = [1, 2, 3].map((seed) => photograph({ width: 80, height: 60, seed, format: 'png' }));
	const pixels = (await Promise.all(stills)).map((still) => sharp(still).removeAlpha().raw().toBuffer());
	return sharp(Buffer.concat(await Promise.all(pixels)), {
		raw: { width: 80, height: 180, channels: 3, pageHeight: 60 },
	})
		.toFormat(format, { delay: [100, 200, 300] })
		.toBuffer();
}

/**
 * Mean difference of all channels, 0 to 255, that is let pass. Most are 0, the same bytes; where the side that follows is no whole
 * number of pixels, or a step comes after the scaling that ipx does before it, a noisy photograph differs by up to 2.7.
 */
const bound = 3;

async function expectAlike(modifiers: string, file: Buffer): Promise<void> {
	const [our, their] = await Promise.all([ours(modifiers, file), theirs(modifiers, file)]);
	const shape = ({ width, height, format, frames, isProgressive }: Answer) => ({
		width,
		height,
		format,
		frames,
		isProgressive,
	});
	expect(shape(our)).toEqual(shape(their));
	expect(await difference(our.data, their.data)).toBeLessThan(bound);
}

/** For every picture. */
const everywhere = [
	'_',
	'w_300',
	'h_200',
	'w_300,h_200',
	'w_2000',
	'enlarge,w_900',
	's_200x200',
	's_200',
	's_1000x1000',
	'enlarge,s_800x800',
	's_200x100,fit_fill',
	's_200x200,fit_contain',
	's_200x200,fit_contain,b_ff0000',
	's_200x200,fit_inside',
	's_200x200,fit_outside',
	's_200x300,pos_top',
	's_200x100,pos_right-top',
	's_200x300,pos_left,flop',
	's_200x300,pos_attention',
	's_200x300,pos_entropy',
	's_60x60,kernel_cubic',
	's_300x300,h_50',
	'crop_20_10_100_70',
	'crop_20_10_100_70,w_50',
	'crop_20_10_80_70,extract_0_0_40_20,w_70',
	'rotate_90',
	'rotate_90,w_100',
	'h_70,rotate_90',
	'resize_100x70,rotate_90',
	'resize_100x70,rotate_90,fit_inside',
	'resize_100x70,rotate_270,fit_fill',
	'resize_100x70,rotate_180,pos_left',
	'resize_80x80,rotate_30,b_fff',
	's_80x80,rotate_30,b_fff',
	'rotate_-20.5,b_00ff00',
	'flip',
	'flop,flip,rotate_90,w_80',
	'trim',
	'trim,rotate_90',
	'trim_30,w_100',
	'extend_10_20_30_40',
	'extend_10_20_30_40_mirror,w_100',
	'extend_10_10_10_10_copy,b_red',
	'b_ff000080,extend_10_10_10_10,f_png',
	'flatten,b_00ff00',
	'gamma_2.2,w_100',
	'gamma_3,w_100',
	'grayscale,w_100',
	'grayscale,tint_ff0000',
	'median_5',
	'blur',
	'blur_3',
	'sharpen',
	'sharpen_1_2_3_4_5_6',
	'normalize_10_90',
	'modulate_1.3_0.5_90_10',
	'hue_120,saturation_0.4',
	'tint_ff8800',
	'negate_false',
	'opacity_0.5,f_png',
	'opacity_0.5,f_jpeg',
	'f_webp,q_20',
	'f_jpg,q_30',
	'f_png,q_50',
	// Small: these take the most work of all formats.
	'crop_0_0_120_90,f_avif',
	'crop_0_0_120_90,f_gif',
	'w_200,blur_2,sharpen,grayscale,q_70',
	'w_150,flatten,b_fff,f_jpeg',
];

/** Where opacity makes a difference, see docs/dialects/ipx.md. */
const opaqueOnly = [
	'negate',
	'threshold',
	'threshold_60',
	'clahe_20',
	'clahe_30_20_5',
	'opacity_0.4,b_ffcc00',
	'f_tiff',
];

describe.each(Object.entries(pictures))('ipx and picpipe, %s', (name, open) => {
	it.each(name === 'transparent' ? everywhere : [...everywhere, ...opaqueOnly])('%s', async (modifiers) => {
		await expectAlike(modifiers, await open());
	});
});

describe('enlarged and rotated pictures, even if every pixel differs from the next', () => {
	/** Every pixel shows by how much an order is off: half a pixel is a difference of 20. */
	const noise = async () => {
		const value = (at: number) => ((at * 2_654_435_761) >>> 8) & 255;
		const data = Buffer.from(Array.from({ length: 120 * 90 * 3 }, (_, at) => value(at + 1)));
		return sharp(data, { raw: { width: 120, height: 90, channels: 3 } })
			.png()
			.toBuffer();
	};
	const sizes = ['h_300', 'w_300', 'resize_300x300', 'resize_300x200', 's_300x300', 'resize_300x200,fit_fill'];
	const more = ['resize_300x300,fit_outside', 'resize_301x200,pos_left', 'h_300,kernel_nearest'];
	const turns = ['rotate_90', 'rotate_180', 'rotate_270'];
	it.each([...sizes, ...more].flatMap((one) => turns.map((turned) => `enlarge,${one},${turned}`)))(
		'%s',
		async (modifiers) => expectAlike(modifiers, await noise()),
	);

	it.each(turns)('enlarge,resize_300x300,fit_contain,%s', async (turned) => {
		await expectAlike(`enlarge,resize_300x300,fit_contain,${turned}`, await noise());
		await expectAlike(`enlarge,resize_300x300,fit_contain,${turned}`, await pictures.photograph());
	});
});

describe('differences, as documented in docs/dialects/ipx.md', () => {
	it('a derived side is the nearest integer, which ipx sometimes misses by a pixel', async () => {
		const file = await pictures.wide();
		for (let width = 60; width <= 300; width += 24) {
			const [our, their] = await Promise.all([ours(`w_${width}`, file), theirs(`w_${width}`, file)]);
			expect([our.width, our.height]).toEqual([width, Math.round(width / 3)]);
			expect(Math.abs(our.height - their.height)).toBeLessThanOrEqual(1);
			expect(their.width).toBe(width);
		}
	});

	it('an enlarged part is up to half a pixel off', async () => {
		const [our, their] = await Promise.all(
			[ours, theirs].map(async (make) => make('crop_20_10_100_70,s_200x200', await pictures.small())),
		);
		if (!our || !their) throw new TypeError('Expected two answers.');
		expect([our.width, our.height]).toEqual([their.width, their.height]);
		expect(await difference(our.data, their.data)).toBeLessThan(4);
	});

	it('opacity is kept: negate and threshold change only colours', async () => {
		const file = await pictures.transparent();
		const opacity = (data: Buffer) => sharp(data).extractChannel('alpha').raw().toBuffer();
		for (const modifiers of ['negate', 'threshold', 'clahe_20']) {
			const before = await opacity(file);
			// By `equals`: to let Vitest compare 120,000 numbers takes a second.
			expect((await opacity((await ours(modifiers, file)).data)).equals(before), modifiers).toBe(true);
			expect((await opacity((await theirs(modifiers, file)).data)).equals(before), modifiers).toBe(false);
		}
	});

	it('an animation in a still format is its first frame, not a strip of all', async () => {
		const file = await animation('webp');
		expect(await ours('a,f_png', file)).toMatchObject({ width: 80, height: 60 });
		expect(await theirs('a,f_png', file)).toMatchObject({ width: 80, height: 180 });
	});

	it('rotates frames of an animation, which ipx refuses', async () => {
		const file = await animation('gif');
		expect(await ours('rotate_90', file)).toMatchObject({ width: 60, height: 80, frames: 3 });
		await expect(theirs('rotate_90', file)).rejects.toThrow('multi-page');
	});

	it('a frame of `contain` around a picture rotated after scaling contains all of it', async () => {
		const modifiers = 'resize_100x70,rotate_90,fit_contain,b_00f';
		const [our, their] = await Promise.all(
			[ours, theirs].map(async (make) => make(modifiers, await pictures.photograph())),
		);
		expect([our?.width, our?.height]).toEqual([their?.width, their?.height]);
		expect(await difference(our?.data as Buffer, their?.data as Buffer)).toBeGreaterThan(10);
	});
});

describe('the EXIF orientation is always applied', () => {
	it.each(['w_200', 's_100x100,pos_top', 'crop_10_10_50_20', 'rotate_90,w_90', 'flip,w_120', 'h_90'])(
		'%s equals the result of ipx with autoorient',
		async (modifiers) => {
			const file = await photograph({ width: 300, height: 400, orientation: 6 });
			const [our, their] = await Promise.all([ours(modifiers, file), theirs(`autoorient,${modifiers}`, file)]);
			expect([our.width, our.height, our.format]).toEqual([their.width, their.height, their.format]);
			expect(await difference(our.data, their.data)).toBeLessThan(bound);
			expect(our.data.equals((await ours(`autoorient,${modifiers}`, file)).data)).toBe(true);
		},
	);
});

describe('animations', () => {
	it.each([
		['webp', 'w_60', 1],
		['webp', 'animated,w_60', 3],
		['webp', 'a,f_gif', 3],
		['webp', 'f_gif,w_40', 3],
		['webp', 'f_jpeg', 1],
		['gif', 'w_60', 3],
		['gif', 'f_webp', 1],
		['gif', 'f_webp,animated_true,s_30x30', 3],
	] as const)('%s with %s', async (format, modifiers, count) => {
		const file = await animation(format);
		await expectAlike(modifiers, file);
		expect((await ours(modifiers, file)).frames).toBe(count);
	});
});

describe('SVG', () => {
	it.each([
		'f_png',
		'f_png,w_100',
		'f_png,w_1000',
		'f_png,enlarge,w_1000',
		'f_webp,s_900x900',
		'f_jpeg,s_200x200,fit_contain',
	])('%s', async (modifiers) => {
		await expectAlike(modifiers, drawing(1));
	});
});

const real = sharedPictures('photos', /canon-s90-.*icc|nikon-d90/);

describe.skipIf(real.length === 0)(extraTitle('photos', real), () => {
	it
		.skipIf(real.length === 0)
		.each(
			real.flatMap((picture) =>
				[
					'w_800,f_webp',
					'h_600',
					's_400x400,pos_attention,q_60',
					's_300x300,fit_contain,b_fff',
					'crop_500_400_1200_900,w_300',
					'rotate_90,w_400',
					'w_300,grayscale,sharpen_1',
					'w_900,blur_4',
				].map((modifiers) => ({ modifiers, ...picture })),
			),
		)('$name, $modifiers', async ({ modifiers, path }) => {
		await expectAlike(modifiers, await readFile(path));
	});
});

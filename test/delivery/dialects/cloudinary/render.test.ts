import sharp, { type Sharp } from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { colourDifference, photograph, similarity } from '../../../helpers/pictures.ts';
import { assetsFrom, logo } from '../../../operations/assets.ts';
import { make } from '../../../pipeline/make.ts';
import { photographFacts, planOf, recipeOf } from './plans.ts';

/** Plans that are really run, against sharp called by hand for the same meaning. */

let file: Buffer;
beforeAll(async () => {
	file = await photograph({ width: 400, height: 300, format: 'png' });
});

async function rendered(transformation: string): Promise<Buffer> {
	const assets = await assetsFrom({ 'logo.png': await logo() });
	const recipe = recipeOf(planOf(transformation), 'png');
	return (await make(file, recipe, { assets })).variant('render').data;
}

const white = '#ffffff';
const step = async (image: Sharp) => sharp(await image.png().toBuffer());

const cases: Readonly<Record<string, (image: Sharp) => Sharp | Promise<Sharp>>> = {
	w_200: (image) => image.resize(200),
	'w_200,h_200': (image) => image.resize(200, 200, { fit: 'fill' }),
	'c_fill,w_100,h_150': (image) => image.resize(100, 150),
	'c_fill,w_100,h_100,g_east': (image) => image.resize(100, 100, { position: 'right' }),
	'c_fill,w_100,h_150,g_auto': (image) => image.resize(100, 150, { position: 'attention' }),
	'c_fill,w_500,h_500': (image) => image.resize(500, 500),
	'c_lfill,w_600,h_200': (image) => image.extract({ left: 0, top: 50, width: 400, height: 200 }),
	'c_fit,w_150,h_150': (image) => image.resize(150, 150, { fit: 'inside' }),
	'c_limit,w_1000,h_1000': (image) => image,
	'c_pad,w_200,h_200,b_teal,g_south': (image) =>
		image.resize(200, 200, { fit: 'contain', position: 'bottom', background: '#008080' }),
	'c_lpad,w_500,h_320,b_gold': (image) =>
		image.extend({ left: 50, right: 50, top: 10, bottom: 10, background: '#ffd700' }),
	'c_crop,g_south_east,w_120,h_90,x_30,y_20': (image) => image.extract({ left: 250, top: 190, width: 120, height: 90 }),
	'c_fill,w_90,h_90,g_xy_center,x_272,y_186': async (image) =>
		(await step(image.extract({ left: 100, top: 0, width: 300, height: 300 }))).resize(90, 90),
	'c_crop,ar_1:1,g_west/w_0.5/a_90': async (image) =>
		(await step((await step(image.extract({ left: 0, top: 0, width: 300, height: 300 }))).resize(150))).rotate(90),
	'a_15,b_white': (image) => image.rotate(15, { background: white }),
	'c_fill,w_100,h_100,r_max,b_white': async (image) => {
		const circle = Buffer.from('<svg width="100" height="100"><circle cx="50" cy="50" r="50"/></svg>');
		const cut = await step((await step(image.resize(100, 100))).composite([{ input: circle, blend: 'dest-in' }]));
		return cut.flatten({ background: white });
	},
	'e_grayscale/bo_10px_solid_red': async (image) =>
		(await step(image.grayscale().toColourspace('srgb'))).extend({
			left: 10,
			right: 10,
			top: 10,
			bottom: 10,
			background: '#ff0000',
		}),
	'e_blur:200': (image) => image.blur(5),
	'e_hue:50': (image) => image.modulate({ hue: 90 }),
	'l_logo.png,w_180,g_north_west,x_20,y_10': async (image) =>
		image.composite([
			{
				input: await sharp(await logo())
					.resize(180)
					.toBuffer(),
				left: 20,
				top: 10,
			},
		]),
	'l_logo.png/c_scale,w_0.5,fl_relative/fl_layer_apply,g_center': async (image) =>
		image.composite([
			{
				input: await sharp(await logo())
					.resize(200)
					.toBuffer(),
			},
		]),
};

describe('a plan makes the documented result', () => {
	it.each(Object.keys(cases))('%s', async (transformation) => {
		const made = await rendered(transformation);
		const expected = await (await cases[transformation]?.(sharp(file)))?.png().toBuffer();
		if (!expected) throw new Error('Expected a picture.');
		const size = async (picture: Buffer) => {
			const { width, height } = await sharp(picture).metadata();
			return { width, height };
		};
		expect(await size(made)).toEqual(await size(expected));
		expect(await similarity(made, expected)).toBeGreaterThan(0.99);
		expect(await colourDifference(made, expected)).toBeLessThan(3);
	});

	it('and predicts its size', async () => {
		for (const [start, size] of [
			['a_20', [478, 419]],
			['c_pad,ar_2:1', [600, 300]],
			['c_fit,w_333,h_333', [333, 250]],
			['e_pixelate:7/c_mfit,w_411,h_500', [411, 308]],
		] as const) {
			const [width, height] = size;
			const { info } = await sharp(await rendered(start)).toBuffer({ resolveWithObject: true });
			expect([start, info.width, info.height]).toEqual([start, ...size]);
			// The dialect counts with that size: a crop to it is nothing, one that is a pixel smaller is something.
			expect(planOf(`${start}/c_crop,w_${width},h_${height}`)).toEqual(planOf(start));
			expect(planOf(`${start}/c_crop,w_${width - 1},h_${height - 1}`).steps.at(-1)).toEqual({
				crop: { width: width - 1, height: height - 1 },
			});
		}
	});

	it.each<[string, (image: Sharp) => Sharp]>([
		['c_fill,w_100,h_75', (image) => image.resize(100, 75)],
		[
			'c_crop,w_120,h_90,g_south_east,x_30,y_0.1',
			(image) => image.extract({ left: 250, top: 180, width: 120, height: 90 }),
		],
		[
			'c_crop,w_100,h_60,g_xy_center,x_60,y_40',
			(image) => image.extract({ left: 10, top: 10, width: 100, height: 60 }),
		],
		['c_crop,ar_1:1,g_east,x_20', (image) => image.extract({ left: 80, top: 0, width: 300, height: 300 })],
		['c_mfit,w_800', (image) => image.resize(800)],
		['c_mfit,h_200', (image) => image],
		['w_100,fl_ignore_aspect_ratio', (image) => image.resize(100, 300, { fit: 'fill' })],
	])('of a picture whose size only its pixels tell: %s', async (transformation, right) => {
		const framed = await sharp(file)
			.extend({ top: 30, bottom: 30, left: 30, right: 30, background: white })
			.png()
			.toBuffer();
		const facts = { ...photographFacts, width: 460, height: 360 };
		const { steps } = planOf(`e_trim:2/${transformation}`, { facts });
		const made = (await make(framed, { variants: { only: { steps, encode: [{ png: {} }] } } })).variant('only').data;
		const expected = await right(sharp(file)).png().toBuffer();
		const [ours, theirs] = await Promise.all([made, expected].map(async (one) => sharp(one).metadata()));
		expect([ours?.width, ours?.height]).toEqual([theirs?.width, theirs?.height]);
		expect(await similarity(made, expected)).toBeGreaterThan(0.97);
	});

	it('with text', async () => {
		const made = await rendered('l_text:sans_60_bold:IIII,g_north_west,x_20,y_20');
		const part = (picture: Buffer, top: number, height: number) =>
			sharp(picture).extract({ left: 20, top, width: 80, height }).raw().toBuffer();
		const mean = (pixels: Buffer) => pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
		const [written, before] = await Promise.all([made, file].map(async (one) => mean(await part(one, 20, 40))));
		// Four black strokes cover about half.
		expect(written).toBeLessThan((before ?? 0) * 0.7);
		expect((await part(made, 200, 100)).equals(await part(file, 200, 100))).toBe(true);
	});
});

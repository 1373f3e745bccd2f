import { describe, expect, it } from 'vitest';
import { type Asked, id, planOf } from './plans.ts';

const transparent = '#00000000';
const steps = (transformation: string, asked?: Asked) => planOf(transformation, asked).steps;

describe('appearance', () => {
	it.each<[string, readonly object[]]>([
		['e_grayscale', [{ grayscale: {} }]],
		['e_sepia', [{ tint: { colour: '#c08040' } }]],
		['e_negate', [{ negate: {} }]],
		['e_auto_contrast', [{ normalise: {} }]],
		['e_blackwhite', [{ threshold: { value: 128 } }]],
		['e_blackwhite:20', [{ threshold: { value: 51 } }]],
		['e_blur', [{ blur: { sigma: 2.5 } }]],
		['e_blur:2000', [{ blur: { sigma: 50 } }]],
		['e_blur:1', [{ blur: { sigma: 0.3 } }]],
		['e_sharpen', [{ sharpen: {} }]],
		['e_sharpen:100', [{ sharpen: {} }]],
		['e_sharpen:400', [{ sharpen: { m1: 4, m2: 8 } }]],
		['e_unsharp_mask:2000', [{ sharpen: { m1: 20, m2: 40 } }]],
		['e_brightness', [{ modulate: { brightness: 1.8 } }]],
		['e_brightness:-30', [{ modulate: { brightness: 0.7 } }]],
		['e_brightness:0', []],
		['e_saturation:-100', [{ modulate: { saturation: 0 } }]],
		['e_hue:50', [{ modulate: { hue: 90 } }]],
		['e_hue:-50', [{ modulate: { hue: 270 } }]],
		['e_contrast:50', [{ contrast: { factor: 1.5 } }]],
		['e_contrast', []],
		['e_gamma:-50', [{ gamma: { value: 0.5 } }]],
		['e_gamma:150', [{ gamma: { value: 2.5 } }]],
		['e_pixelate:20', [{ pixelate: { size: 20 } }]],
		['e_pixelate:1', []],
		['e_colorize', [{ colorize: { colour: '#000000', opacity: 1 } }]],
		['e_colorize:30,co_rgb:20a020', [{ colorize: { colour: '#20a020', opacity: 0.3 } }]],
		['e_colorize:0,co_red', []],
		[
			'r_9/e_colorize:5',
			[{ round: { radius: 9 } }, { colorize: { colour: '#000000', opacity: 0.05, keepTransparency: true } }],
		],
		['e_trim:20', [{ trim: { threshold: 51 } }]],
		['e_trim:0:white', [{ trim: { threshold: 0, background: '#ffffff' } }]],
		['e_trim:10:rgb:ff0', [{ trim: { threshold: 26, background: '#ffff00' } }]],
		['o_50', [{ opacity: { value: 0.5 } }]],
		['o_100', []],
		['r_20', [{ round: { radius: 20 } }]],
		['r_20:20:20:20', [{ round: { radius: 20 } }]],
		['r_0', []],
		['r_150', [{ round: { radius: '50%' } }]],
		['bo_5px_solid_rgb:00390b60', [{ border: { width: 5, colour: '#00390b60' } }]],
		['bo_0px_solid_red', []],
		['a_90', [{ rotate: { angle: 90 } }]],
		['a_-90', [{ rotate: { angle: 270 } }]],
		['a_0', []],
		['a_360', []],
		['a_20', [{ rotate: { angle: 20, background: transparent } }]],
		['a_20,b_blue', [{ rotate: { angle: 20, background: '#0000ff' } }]],
		['a_hflip', [{ flop: {} }]],
		['a_vflip.90', [{ flip: {} }, { rotate: { angle: 90 } }]],
		['b_red', []],
		['b_rgb:ff000080', []],
		['r_20/b_red', [{ round: { radius: 20 } }, { flatten: { background: '#ff0000' } }]],
		['b_red,r_20', [{ round: { radius: 20 } }, { flatten: { background: '#ff0000' } }]],
		[
			'c_fill,w_50,h_50,e_grayscale,o_30,bo_1px_solid_red,a_180',
			[
				{ resize: { width: 50, height: 50 } },
				{ grayscale: {} },
				{ opacity: { value: 0.3 } },
				{ border: { width: 1, colour: '#ff0000' } },
				{ rotate: { angle: 180 } },
			],
		],
		['cs_srgb', []],
		['fl_strip_profile.force_strip.animated', []],
	])('%s', (transformation, expected) => {
		expect(steps(transformation)).toEqual(expected);
	});

	it('puts a colour behind transparent pixels only', () => {
		expect(steps('b_lightblue', { facts: { alpha: true } })).toEqual([{ flatten: { background: '#add8e6' } }]);
		expect(steps('c_pad,w_50,h_50,b_red', { facts: { alpha: true } })).toEqual([
			{ resize: { width: 50, height: 50, fit: 'contain', background: '#ff0000' } },
			{ flatten: { background: '#ff0000' } },
		]);
		expect(steps('b_red/b_blue', { facts: { alpha: true } })).toEqual([{ flatten: { background: '#ff0000' } }]);
	});
});

describe('layers', () => {
	const place = { picture: 'logo.png', position: 'centre' };
	const logo = { ...place, width: 200 };

	it.each<[string, readonly object[]]>([
		['l_logo.png,w_200', [{ watermark: logo }]],
		['l_logo.png,w_0.5,fl_relative', [{ watermark: logo }]],
		['l_logo.png/c_scale,w_0.5,fl_relative/fl_layer_apply', [{ watermark: logo }]],
		['l_logo.png/c_fit,w_0.5,h_0.2,fl_relative/fl_layer_apply', [{ watermark: { ...logo, height: 60 } }]],
		['l_logo.png,h_150', [{ watermark: { ...place, height: 150 } }]],
		['l_logo.png', [{ watermark: { ...place, scale: 'own' } }]],
		['l_logo.png/fl_layer_apply', [{ watermark: { ...place, scale: 'own' } }]],
		['l_logo.png,w_800', [{ watermark: { ...place, width: 800 } }]],
		['l_logo.png,w_100,dpr_2', [{ watermark: logo }]],
		[
			'g_south_east,l_logo.png,o_60,w_200,x_10,y_-5',
			[{ watermark: { ...logo, position: 'right bottom', x: 10, y: -5, opacity: 0.6 } }],
		],
		[
			'l_logo.png/c_scale,w_200/o_50/fl_layer_apply,g_north,y_5,o_50',
			[{ watermark: { ...logo, position: 'top', y: 5, opacity: 0.25 } }],
		],
		['l_logo.png,w_200/fl_layer_apply.no_overflow,x_0.1,fl_relative', [{ watermark: { ...logo, x: 40 } }]],
		['l_logo.png,w_200/e_multiply,fl_layer_apply', [{ watermark: { ...logo, blend: 'multiply' } }]],
		['l_logo.png,w_200/fl_layer_apply.tiled', [{ watermark: { ...logo, tile: true } }]],
		['l_logo.png,w_200,o_0', []],
		[`l_${id},w_200`, [{ watermark: { ...logo, picture: id } }]],
		[
			'w_200/l_logo.png,w_100/e_grayscale',
			[{ resize: { width: 200 } }, { watermark: { ...place, width: 100 } }, { grayscale: {} }],
		],
		[
			'l_logo.png,w_200/l_a.png,w_200/fl_layer_apply,g_west',
			[{ watermark: logo }, { watermark: { ...logo, picture: 'a.png', position: 'left' } }],
		],
		[
			'l_text:Arial_40:Hello%20World',
			[{ text: { text: 'Hello World', font: 'Arial', size: 40, colour: '#000000', position: 'centre' } }],
		],
		[
			'l_text:Open%2520Sans_40_bold_italic_right:One%252C%20two%252F3%20%2525,co_rgb:ff0000/fl_layer_apply,g_north,y_8',
			[
				{
					text: {
						text: 'One, two/3 %',
						font: 'Open Sans',
						size: 40,
						weight: 'bold',
						italic: true,
						align: 'right',
						colour: '#ff0000',
						position: 'top',
						y: 8,
					},
				},
			],
		],
		[
			'l_text:serif_20_stroke:a:b,bo_2px_solid_white,b_yellow,o_50,c_fit,w_120,dpr_2',
			[
				{
					text: {
						text: 'a:b',
						font: 'serif',
						size: 40,
						colour: '#00000080',
						background: '#ffff0080',
						outline: { width: 4, colour: '#ffffff80' },
						width: 240,
						position: 'centre',
					},
				},
			],
		],
	])('%s', (transformation, expected) => {
		expect(steps(transformation)).toEqual(expected);
	});
});

import { describe, expect, it } from 'vitest';
import { thrownBy } from '../../../helpers/thrown.ts';
import { type Asked, planOf } from './plans.ts';

const transparent = '#00000000';
const steps = (transformation: string, asked?: Asked) => planOf(transformation, asked).steps;

describe('a size', () => {
	it.each<[string, readonly object[]]>([
		['', []],
		['w_200', [{ resize: { width: 200 } }]],
		['h_150', [{ resize: { width: 200 } }]],
		['w_400', []],
		['w_1.0', []],
		['w_0.5', [{ resize: { width: 200 } }]],
		['h_0.5', [{ resize: { width: 200 } }]],
		['c_scale,w_2.0', [{ resize: { width: 800 } }]],
		['w_200,h_200', [{ resize: { width: 200, height: 200, fit: 'fill' } }]],
		['c_scale,w_200,h_150', [{ resize: { width: 200 } }]],
		['c_scale,w_100,ar_1:2', [{ resize: { width: 100, height: 200, fit: 'fill' } }]],
		['c_scale,w_100,fl_ignore_aspect_ratio', [{ resize: { width: 100, height: 300, fit: 'fill' } }]],
		['c_fit,w_200,h_200', [{ resize: { width: 200 } }]],
		['c_fit,w_800,h_800', [{ resize: { width: 800 } }]],
		['c_fit,h_75', [{ resize: { width: 100 } }]],
		['c_limit,w_200,h_1000', [{ resize: { width: 200 } }]],
		['c_limit,w_800', []],
		['c_limit,w_800,h_800', []],
		['c_mfit,w_800,h_900', [{ resize: { width: 800 } }]],
		['c_mfit,w_800,h_200', []],
		['c_mfit,w_200', []],
		['c_fill,w_100,h_100', [{ resize: { width: 100, height: 100 } }]],
		['c_fill,w_200,h_150,g_auto', [{ resize: { width: 200 } }]],
		['c_fill,w_100,h_100,g_center', [{ resize: { width: 100, height: 100 } }]],
		['c_fill,w_100,h_100,g_north_east', [{ resize: { width: 100, height: 100, position: 'right top' } }]],
		['c_fill,w_100,h_100,g_auto', [{ resize: { width: 100, height: 100, position: 'attention' } }]],
		['c_auto,w_100,h_100,g_auto', [{ resize: { width: 100, height: 100, position: 'attention' } }]],
		['c_auto,w_100,h_100', [{ resize: { width: 100, height: 100, position: 'attention' } }]],
		['c_thumb,w_100,h_100', [{ resize: { width: 100, height: 100 } }]],
		['c_fill,w_200', [{ resize: { width: 200 } }]],
		['c_fill,w_160,ar_16:9', [{ resize: { width: 160, height: 90 } }]],
		['c_fill,w_160,ar_1.6', [{ resize: { width: 160, height: 100 } }]],
		['c_fill,h_100,ar_1.0', [{ resize: { width: 100, height: 100 } }]],
		['c_fill,ar_1:1', [{ crop: { width: 300 } }]],
		['c_fill,ar_4:3', []],
		['c_fill,ar_1:1,g_west', [{ crop: { width: 300, left: 0, top: 0 } }]],
		[
			'c_fill,w_100,h_100,g_xy_center,x_390,y_10',
			[{ crop: { width: 300, left: 100, top: 0 } }, { resize: { width: 100 } }],
		],
		['c_fill,w_600,h_600', [{ resize: { width: 600, height: 600 } }]],
		['c_lfill,w_100,h_100', [{ resize: { width: 100, height: 100 } }]],
		['c_lfill,w_600,h_600', []],
		['c_lfill,w_600,h_200', [{ crop: { height: 200 } }]],
		['c_lfill,w_200', [{ resize: { width: 200 } }]],
		['c_lfill,w_600', []],
		['c_crop,w_100,h_100', [{ crop: { width: 100, height: 100 } }]],
		['c_crop,w_100', [{ crop: { width: 100 } }]],
		['c_crop,w_4000,h_4000', []],
		['c_crop,w_0.5,h_1.0', [{ crop: { width: 200 } }]],
		['c_crop,ar_1:1', [{ crop: { width: 300 } }]],
		['c_crop,w_100,h_100,g_center', [{ crop: { width: 100, height: 100 } }]],
		['c_crop,w_100,h_100,g_north_west', [{ crop: { width: 100, height: 100, left: 0, top: 0 } }]],
		['c_crop,w_100,h_100,x_0,y_0', [{ crop: { width: 100, height: 100, left: 0, top: 0 } }]],
		['c_crop,w_100,h_100,x_150,y_100', [{ crop: { width: 100, height: 100 } }]],
		['c_crop,w_100,h_100,x_0.5,y_0.1', [{ crop: { width: 100, height: 100, left: 200, top: 30 } }]],
		['c_crop,w_100,h_100,x_390,y_-5', [{ crop: { width: 100, height: 100, left: 300, top: 0 } }]],
		['c_crop,g_south_east,w_50,h_50,x_10,y_20', [{ crop: { width: 50, height: 50, left: 340, top: 230 } }]],
		['c_crop,g_center,w_100,h_100,x_10', [{ crop: { width: 100, height: 100, left: 160, top: 100 } }]],
		['c_crop,g_xy_center,w_100,h_100,x_60,y_70', [{ crop: { width: 100, height: 100, left: 10, top: 20 } }]],
		['c_crop,g_auto,w_100,h_100', [{ crop: { width: 100, height: 100, position: 'attention' } }]],
		['c_pad,w_200,h_200', [{ resize: { width: 200, height: 200, fit: 'contain', background: transparent } }]],
		['c_pad,w_200,h_150,b_red', [{ resize: { width: 200 } }]],
		['c_pad,w_200', [{ resize: { width: 200 } }]],
		[
			'c_pad,w_200,h_200,b_white,g_north',
			[{ resize: { width: 200, height: 200, fit: 'contain', position: 'top', background: '#ffffff' } }],
		],
		['c_pad,ar_1:1,b_black', [{ extend: { height: 400, background: '#000000' } }]],
		['c_pad,ar_4:3', []],
		['c_lpad,w_200,h_200', [{ resize: { width: 200, height: 200, fit: 'contain', background: transparent } }]],
		['c_lpad,w_500,h_200,b_rgb:00f', [{ resize: { width: 500, height: 200, fit: 'contain', background: '#0000ff' } }]],
		['c_lpad,w_500,h_400,b_red', [{ extend: { width: 500, height: 400, background: '#ff0000' } }]],
		['c_lpad,w_500,b_red', [{ extend: { width: 500, background: '#ff0000' } }]],
		[
			'c_mpad,w_500,h_400,g_south_west,b_red',
			[{ extend: { width: 500, height: 400, position: 'left bottom', background: '#ff0000' } }],
		],
		['c_mpad,w_300,h_200', []],
		['c_mpad,w_500,h_200,b_red', [{ extend: { width: 500, background: '#ff0000' } }]],
	])('%s', (transformation, expected) => {
		expect(steps(transformation)).toEqual(expected);
	});

	it('is multiplied by dpr, in any component', () => {
		const doubled = [{ resize: { width: 200, height: 200 } }, { round: { radius: 20 } }];
		expect(steps('c_fill,w_100,h_100,dpr_2.0,r_10')).toEqual(doubled);
		expect(steps('c_fill,w_100,h_100,r_10/dpr_2')).toEqual(doubled);
		expect(steps('w_0.5,dpr_2')).toEqual([{ resize: { width: 200 } }]);
		expect(steps('w_101,dpr_0.5')).toEqual([{ resize: { width: 51 } }]);
	});

	it('refers to the result of the previous component', () => {
		expect(steps('c_crop,w_200,h_200/w_0.5')).toEqual([
			{ crop: { width: 200, height: 200 } },
			{ resize: { width: 100 } },
		]);
		expect(steps('a_90/w_0.5')).toEqual([{ rotate: { angle: 90 } }, { resize: { width: 150 } }]);
		expect(steps('w_200/bo_5px_solid_red/r_max,c_fill,w_100,h_100')).toEqual([
			{ resize: { width: 200 } },
			{ border: { width: 5, colour: '#ff0000' } },
			{ resize: { width: 100, height: 100 } },
			{ round: { radius: '50%' } },
		]);
	});
});

describe('with an unknown size', () => {
	const trim = { trim: { threshold: 26 } };

	it.each<[string, readonly object[]]>([
		['w_100', [{ resize: { width: 100 } }]],
		['w_100,h_50', [{ resize: { width: 100, height: 50, fit: 'fill' } }]],
		['c_fit,w_100,h_50', [{ resize: { width: 100, height: 50, fit: 'inside' } }]],
		['c_limit,w_100', [{ resize: { width: 100, withoutEnlargement: true } }]],
		['c_fill,w_100,h_50,g_north', [{ resize: { width: 100, height: 50, position: 'top' } }]],
		['c_fill,w_100,h_50/w_0.5', [{ resize: { width: 100, height: 50 } }, { resize: { width: 50 } }]],
		['c_lfill,w_100,h_50', [{ resize: { width: 100, height: 50, withoutEnlargement: true } }]],
		['c_crop,w_100,h_50,g_south', [{ crop: { width: 100, height: 50, position: 'bottom' } }]],
		['c_crop,w_100,h_50,x_1,y_2', [{ crop: { width: 100, height: 50, left: 1, top: 2 } }]],
		['c_crop,ar_1:1', [{ crop: { ratio: '1:1' } }]],
		['c_crop,w_9,g_north,x_3', [{ crop: { width: 9, position: 'top', x: 3 } }]],
		['c_crop,w_9,g_south_east,x_0.5,y_-3', [{ crop: { width: 9, position: 'right bottom', x: '50%', y: -3 } }]],
		['c_crop,w_9,x_-5', [{ crop: { width: 9, position: 'left top', x: -5 } }]],
		['c_crop,ar_1:1,x_1', [{ crop: { ratio: '1:1', left: 1, top: 0 } }]],
		[
			'c_crop,w_100,h_51,g_xy_center,x_20,y_70',
			[{ crop: { width: 100, height: 51, position: 'left top', x: -30, y: 45 } }],
		],
		['c_crop,w_100,g_xy_center,x_80,y_70', [{ crop: { width: 100, position: 'left top', x: 30, y: 0 } }]],
		['c_mfit,w_10', [{ resize: { minWidth: 10 } }]],
		['c_mfit,h_10', [{ resize: { minHeight: 10 } }]],
		['c_scale,w_9,fl_ignore_aspect_ratio', [{ resize: { width: 9, fit: 'fill' } }]],
		['c_scale,w_9,h_7,fl_ignore_aspect_ratio', [{ resize: { width: 9, height: 7, fit: 'fill' } }]],
		[
			'l_logo.png,w_20,g_north_west,x_0.1,y_7,fl_relative',
			[{ watermark: { picture: 'logo.png', position: 'left top', x: '10%', y: 7, width: 20 } }],
		],
		[
			'c_pad,w_100,h_50/r_max,c_fill,w_20,h_20',
			[
				{ resize: { width: 100, height: 50, fit: 'contain', background: transparent } },
				{ resize: { width: 20, height: 20 } },
				{ round: { radius: '50%' } },
			],
		],
		[
			'c_lpad,w_100,h_50',
			[
				{ resize: { width: 100, height: 50, fit: 'inside', withoutEnlargement: true } },
				{ extend: { width: 100, height: 50, background: transparent } },
			],
		],
		['c_mpad,ar_1:1', [{ extend: { ratio: '1:1', background: transparent } }]],
		['r_500', [{ round: { radius: 500 } }]],
	])('e_trim/%s', (transformation, expected) => {
		expect(steps(`e_trim/${transformation}`)).toEqual([trim, ...expected]);
	});

	it.each([
		'w_0.5',
		'c_mfit,w_10,h_10',
		'r_max',
		'c_fill,w_5,h_9,g_xy_center,x_1,y_1',
		'c_crop,ar_1:1,g_xy_center,x_1,y_1',
		'c_crop,w_9,g_xy_center,x_0.5,y_1',
		'l_logo.png,w_0.1,fl_relative',
	])('e_trim/%s is refused', async (transformation) => {
		const error = await thrownBy(() => steps(`e_trim/${transformation}`));
		expect(error).toMatchObject({ code: 'option-unsupported' });
		expect(error.message).toMatch(/where the size of the picture is known/);
	});
});

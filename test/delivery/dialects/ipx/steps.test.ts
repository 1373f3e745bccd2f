import { describe, expect, it } from 'vitest';
import type { SourceFacts } from '../../../../src/delivery/dialects/image-request.ts';
import { parseRecipe } from '../../../../src/pipeline/recipe/parse-recipe.ts';
import { planOf, recipeOf } from './beside.ts';

/** Modifiers, and the steps that they are for an opaque JPEG of 640×480. */
const table: readonly [modifiers: string, steps: readonly object[], facts?: Partial<SourceFacts>][] = [
	['_', []],
	['w_300', [{ resize: { width: 300 } }]],
	['width_300', [{ resize: { width: 300 } }]],
	['w=300', [{ resize: { width: 300 } }]],
	['w:300', [{ resize: { width: 300 } }]],
	['h_200', [{ resize: { height: 200 } }]],
	['height_200', [{ resize: { height: 200 } }]],
	// Nothing is enlarged unless it is asked for, and nothing is done that changes nothing.
	['w_640', []],
	['w_2000', []],
	['h_481', []],
	['enlarge,w_2000', [{ resize: { width: 2000 } }]],
	['enlarge_true,w_2000', [{ resize: { width: 2000 } }]],
	['w_', []],
	['w_undefined', []],
	// What comes later in ipx's order wins: h, height, resize, s, w, width.
	['w_300,h_100', [{ resize: { width: 300 } }]],
	['w_300,width_200', [{ resize: { width: 200 } }]],
	['w_100,w_300', [{ resize: { width: 300 } }]],
	['resize_300x200,s_100x100', [{ resize: { width: 100, height: 100 } }]],
	// And what was said once stays said.
	['s_300x200,fit_fill,w_100', [{ resize: { width: 100, fit: 'fill' } }]],
	['crop_0_0_100_100,s_300x300,h_50', [{ crop: { left: 0, top: 0, width: 100, height: 100 } }]],
	['s_200x100', [{ resize: { width: 200, height: 100 } }]],
	['s_200', [{ resize: { width: 200, height: 200 } }]],
	['resize_200x200', [{ resize: { width: 200, height: 200 } }]],
	['s_640x480', []],
	// No wider or higher than the picture, in the shape that is asked for.
	['s_1000x1000', [{ resize: { width: 480, height: 480 } }]],
	['s_1280x960', []],
	['enlarge,s_1280x960', [{ resize: { width: 1280, height: 960 } }]],
	['s_200x100,fit_cover,pos_center,kernel_lanczos3', [{ resize: { width: 200, height: 100 } }]],
	['s_200x100,fit_contain', [{ resize: { width: 200, height: 100, fit: 'contain' } }]],
	['s_200x100,fit_contain,b_fff', [{ resize: { width: 200, height: 100, fit: 'contain', background: '#ffffff' } }]],
	['s_200x100,fit_contain,pos_attention', [{ resize: { width: 200, height: 100, fit: 'contain' } }]],
	['s_200x100,b_fff', [{ resize: { width: 200, height: 100 } }]],
	['s_200x100,fit_inside,pos_top', [{ resize: { width: 200, height: 100, fit: 'inside' } }]],
	['s_200x100,fit_outside', [{ resize: { width: 200, height: 100, fit: 'outside' } }]],
	['s_200x100,pos_north', [{ resize: { width: 200, height: 100, position: 'top' } }]],
	['s_200x100,position_right-top', [{ resize: { width: 200, height: 100, position: 'right top' } }]],
	['s_200x100,pos_right%20top', [{ resize: { width: 200, height: 100, position: 'right top' } }]],
	['s_200x100,pos_southwest', [{ resize: { width: 200, height: 100, position: 'left bottom' } }]],
	['s_200x100,pos_7', [{ resize: { width: 200, height: 100, position: 'left bottom' } }]],
	['s_200x100,pos_17', [{ resize: { width: 200, height: 100, position: 'attention' } }]],
	['s_200x100,pos_entropy', [{ resize: { width: 200, height: 100, position: 'entropy' } }]],
	['s_200x100,kernel_nearest', [{ resize: { width: 200, height: 100, kernel: 'nearest' } }]],
	// Only `resize` asks for it.
	['w_200,kernel_nearest', [{ resize: { width: 200 } }]],
	['trim', [{ trim: {} }]],
	['trim_10', [{ trim: {} }]],
	// How large it will be is not known, so it has to be said.
	['trim_30,w_300', [{ trim: { threshold: 30 } }, { resize: { width: 300, withoutEnlargement: true } }]],
	['crop_10_20_100_50', [{ crop: { left: 10, top: 20, width: 100, height: 50 } }]],
	['extract_0_0_640_480', []],
	['extract_10_20_100_50,w_50', [{ crop: { left: 10, top: 20, width: 100, height: 50 } }, { resize: { width: 50 } }]],
	[
		'crop_0_0_400_400,extract_0_0_50_50,w_100',
		[
			{ crop: { left: 0, top: 0, width: 400, height: 400 } },
			{ resize: { width: 100 } },
			{ crop: { left: 0, top: 0, width: 50, height: 50 } },
		],
	],
	['extend_1_2_3_4', [{ extend: { top: 1, right: 2, bottom: 3, left: 4 } }]],
	['extend_1', [{ extend: { top: 1 } }]],
	['extend_0_0_0_0', []],
	['extend_1_0_0_0,bg_red,w_300', [{ resize: { width: 300 } }, { extend: { top: 1, background: '#ff0000' } }]],
	['extend_1_0_0_0_mirror,b_red', [{ extend: { top: 1, with: 'mirror' } }]],
	['rotate_90', [{ rotate: { angle: 90 } }]],
	['rotate_-450', [{ rotate: { angle: 270 } }]],
	['rotate_360', []],
	['rotate', []],
	['autoorient', []],
	['rotate_90,b_fff', [{ rotate: { angle: 90 } }]],
	['rotate_12.5,b_fff', [{ rotate: { angle: 12.5, background: '#ffffff' } }]],
	// A width turns first and scales what comes of it, a height the other way round and cuts what stands out.
	['rotate_90,w_100', [{ rotate: { angle: 90 } }, { resize: { width: 100 } }]],
	[
		'rotate_90,h_60',
		[
			{ rotate: { angle: 90 } },
			{ resize: { width: 60, height: 80, fit: 'fill' } },
			{ crop: { width: 60, height: 60 } },
		],
	],
	['rotate_20,h_60', [{ resize: { height: 60 } }, { rotate: { angle: 20 } }]],
	['rotate_20,w_60', [{ rotate: { angle: 20 } }, { resize: { width: 60 } }]],
	[
		'rotate_180,resize_99x99,pos_top',
		[{ rotate: { angle: 180 } }, { resize: { width: 99, height: 99, position: 'top' } }],
	],
	['rotate_90,trim', [{ rotate: { angle: 90 } }, { trim: {} }]],
	['rotate_90,flip,flop,w_99', [{ flip: {} }, { flop: {} }, { rotate: { angle: 90 } }, { resize: { width: 99 } }]],
	[
		'rotate_90,resize_100x80,fit_contain,b_fff',
		[
			{ rotate: { angle: 90 } },
			{ resize: { width: 75, height: 100, fit: 'fill' } },
			{ extend: { width: 100, height: 80, x: -1, background: '#ffffff' } },
		],
	],
	[
		'enlarge,rotate_90,h_960',
		[
			{ resize: { width: 1280, height: 960, fit: 'fill' } },
			{ rotate: { angle: 90 } },
			{ crop: { width: 960, height: 960 } },
		],
	],
	['enlarge,rotate_180,h_960', [{ resize: { width: 1280, height: 960, fit: 'fill' } }, { rotate: { angle: 180 } }]],
	['rotate_90,h_960', [{ rotate: { angle: 90 } }]],
	['flip', [{ flip: {} }]],
	['flop_1,w_300', [{ flop: {} }, { resize: { width: 300 } }]],
	['flatten', []],
	['flatten,b_abc', [{ flatten: { background: '#aabbcc' } }], { alpha: true }],
	['flatten,w_300', [{ resize: { width: 300 } }, { flatten: { background: '#000000' } }], { alpha: true }],
	[
		'flatten,b_abc8,s_300x300,fit_contain',
		[
			{ flatten: { background: '#aabbcc' } },
			{ resize: { width: 300, height: 300, fit: 'contain', background: '#aabbcc88' } },
		],
		{ alpha: true },
	],
	['gamma_2,w_300', [{ gamma: { value: 0.5 } }, { resize: { width: 300 } }, { gamma: { value: 2 } }]],
	['gamma_1', []],
	['gamma_1_2', [{ gamma: { value: 2 } }]],
	['grayscale', [{ grayscale: {} }]],
	['grayscale_true,w_300', [{ resize: { width: 300 } }, { grayscale: {} }]],
	['grayscale,tint_f00', [{ grayscale: {} }, { tint: { colour: '#ff0000' } }, { grayscale: {} }]],
	['threshold,tint_f00', [{ threshold: { value: 128 } }]],
	[
		'grayscale,s_300x300,fit_contain,b_f00',
		[{ resize: { width: 300, height: 300, fit: 'contain', background: '#363636' } }, { grayscale: {} }],
	],
	['median', [{ median: { size: 3 } }]],
	['median_1', []],
	['median_7', [{ median: { size: 7 } }]],
	['threshold_60_true', [{ threshold: { value: 60 } }]],
	['threshold_0', []],
	['blur', [{ blur: { sigma: 0.82 } }]],
	['blur_5', [{ blur: { sigma: 5 } }]],
	['blur_5_integer_0.2', [{ blur: { sigma: 5 } }]],
	['sharpen', [{ sharpen: { sigma: 0.82, m1: 0.375, m2: 0.375, y2: 100, y3: 100 } }]],
	['sharpen_2', [{ sharpen: { sigma: 2 } }]],
	['sharpen_1_2_3_4_5_6', [{ sharpen: { sigma: 1, m1: 2, m2: 3, x1: 4, y2: 5, y3: 6 } }]],
	['modulate_1.5_2_90_10', [{ modulate: { brightness: 1.5, saturation: 2, hue: 90, lightness: 10 } }]],
	['modulate_1_1_0_0', []],
	['modulate_2,brightness_1.5', [{ modulate: { brightness: 2 } }]],
	['modulate_2,saturation_0.5', [{ modulate: { brightness: 2, saturation: 0.5 } }]],
	['hue_-30,lightness_5', [{ modulate: { hue: 330, lightness: 5 } }]],
	['hue_720', []],
	['linear_1_0', []],
	['opacity_0.5', [{ opacity: { value: 0.5 } }]],
	['opacity_1', []],
	['opacity_0.5,b_fff', [{ opacity: { value: 0.5 } }, { flatten: { background: '#ffffff' } }]],
	['normalize', [{ normalise: { lower: 1, upper: 99 } }]],
	['normalize_2.9_90', [{ normalise: { lower: 2, upper: 90 } }]],
	['clahe_20', [{ clahe: { width: 20, height: 20, maxSlope: 3 } }]],
	['clahe_20_30_5', [{ clahe: { width: 20, height: 30, maxSlope: 5 } }]],
	['tint_00f', [{ tint: { colour: '#0000ff' } }]],
	['tint', []],
	['negate', [{ negate: {} }]],
	['negate', [{ negate: {} }], { alpha: true }],
	['negate_false', [{ negate: {} }], { alpha: true }],
	// The order of an address means nothing.
	[
		'negate,tint_00f,normalize,sharpen_2,blur_5,threshold_9,median,extend_1,rotate_10,w_300,grayscale',
		[
			{ rotate: { angle: 10 } },
			{ resize: { width: 300 } },
			{ extend: { top: 1 } },
			{ grayscale: {} },
			{ median: { size: 3 } },
			{ threshold: { value: 9 } },
			{ blur: { sigma: 5 } },
			{ sharpen: { sigma: 2 } },
			{ normalise: { lower: 1, upper: 99 } },
			{ negate: {} },
		],
	],
	['w_300&f_webp&q_50', [{ resize: { width: 300 } }]],
];

describe('steps', () => {
	it.each(table)('of %s', (modifiers, steps, facts) => {
		const plan = planOf(modifiers, facts);
		expect(plan.steps).toEqual(steps);
		for (const format of ['webp', 'jpeg', 'png', 'avif', 'gif', 'tiff'] as const) {
			expect(() => parseRecipe('render', recipeOf(plan, format))).not.toThrow();
		}
	});

	it('of a gamma that darkens more than one step can', () => {
		const { steps } = planOf('gamma_3');
		const value = Math.sqrt(1 / 3);
		expect(steps).toEqual([{ gamma: { value } }, { gamma: { value } }, { gamma: { value: 3 } }]);
		expect(() => parseRecipe('render', recipeOf(planOf('gamma_3'), 'webp'))).not.toThrow();
	});
});

describe('formats', () => {
	it.each([
		['_', 'source'],
		['f_', 'source'],
		['f_auto', 'auto'],
		['f_jpg', 'jpeg'],
		['format_jpeg', 'jpeg'],
		['f_webp,format_png', 'webp'],
		['format_png', 'png'],
		['f_avif', 'avif'],
		['f_gif', 'gif'],
		['f_tiff', 'tiff'],
	])('of %s', (modifiers, format) => {
		expect(planOf(modifiers).format).toBe(format);
	});

	it.each([
		['_', 'webp', {}],
		['q_40', 'webp', { quality: 40 }],
		['quality_40', 'avif', { quality: 40 }],
		['q_40,quality_50', 'webp', { quality: 50 }],
		['q_', 'webp', {}],
		['_', 'jpeg', { progressive: true }],
		['q_40', 'jpeg', { quality: 40, progressive: true }],
		['opacity_0.5', 'jpeg', { progressive: true, background: '#000000' }],
		['rotate_10,b_0000', 'jpeg', { progressive: true, background: '#000000' }],
		['q_40', 'png', { palette: true, quality: 40 }],
		['_', 'png', {}],
		['q_40', 'gif', {}],
		['q_40', 'tiff', {}],
	] as const)('options of %s as %s', (modifiers, format, options) => {
		expect(planOf(modifiers).encode?.(format)).toEqual(options);
	});

	it('are still unless every frame is requested, except for GIF', () => {
		const animation = { frames: 3, format: 'webp' };
		expect(planOf('_', animation).encode?.('webp')).toEqual({ animated: false });
		expect(planOf('f_auto', animation).encode?.('webp')).toEqual({ animated: false });
		expect(planOf('animated', animation).encode?.('webp')).toEqual({});
		expect(planOf('a_true', animation).encode?.('webp')).toEqual({});
		expect(planOf('_', animation).encode?.('gif')).toEqual({});
		// Pages are no frames.
		expect(planOf('_', { frames: 3, format: 'tiff' }).encode?.('webp')).toEqual({});
	});
});

describe('refuses', () => {
	it.each([
		['w_0', 'Expected an integer from 1 to 16384 for w but received "0".'],
		['width_100.5', 'for width but received "100.5"'],
		['w_16385', 'Expected an integer from 1 to 16384 for w'],
		['w_0300', 'for w but received "0300"'],
		['w_-1', 'for w'],
		['w_1e3', 'for w'],
		['w_300_200', 'Expected at most 1 value for w but received "200".'],
		['h_big', 'for h but received "big"'],
		['s_200x', 'Expected a width and a height from 1 to 16384 such as 200x100 for s but received "200x".'],
		['s_0x10', 'for s'],
		['s_20000', 'for s'],
		['resize_axb', 'for resize'],
		['q_0', 'Expected an integer from 1 to 100 for q but received "0".'],
		['q_101', 'for q'],
		['quality_80.5', 'for quality'],
		['fit_crop', 'Expected one of contain, cover, fill, inside, outside for fit but received "crop".'],
		['pos_here', 'for pos but received "here"'],
		['pos_right_top', 'Expected at most 1 value for pos but received "top".'],
		['pos_9', 'for pos'],
		['kernel_box', 'for kernel'],
		['b_12345', 'Expected a colour such as ff0000, ff000080 or red for b but received "12345".'],
		['background_nocolour', 'for background'],
		['tint_rgb(1 2 3)', 'for tint'],
		['trim_-1', 'Expected a number from 0 to 255 for trim but received "-1".'],
		['trim_300', 'for trim'],
		['crop_1_2_3', 'Expected a value for crop (height) but received "".'],
		['extract_1_2_0_3', 'for extract (width)'],
		['crop_600_0_100_100', 'Expected an area within the 640×480 pixels of the picture for extract'],
		['extend_-1', 'for extend (top)'],
		['extend_10001', 'for extend (top)'],
		['extend_1_1_1_1_black', 'for extend (extendWith)'],
		['rotate_3601', 'for rotate'],
		['rotate_x', 'for rotate'],
		['flip_false', 'Expected true, or to be left out, for flip but received "false".'],
		['grayscale_0', 'for grayscale'],
		['animated_false', 'for animated'],
		['enlarge_2', 'for enlarge'],
		['flip_true_true', 'for flip'],
		['gamma_0.5', 'for gamma'],
		['gamma_2_4', 'for gamma (gammaOut)'],
		['median_51', 'for median'],
		['threshold_256', 'for threshold'],
		['threshold_1_maybe', 'Expected true or false for threshold (grayscale) but received "maybe".'],
		['blur_0.1', 'Expected a number from 0.3 to 250 for blur but received "0.1".'],
		['blur_5_exact', 'for blur (precision)'],
		['modulate_-1', 'for modulate (brightness)'],
		['modulate_1_1_0.5', 'for modulate (hue)'],
		['brightness', 'Expected a value for brightness'],
		['saturation_11', 'for saturation'],
		['hue_x', 'for hue'],
		['lightness_101', 'for lightness'],
		['sharpen_11', 'for sharpen (sigma)'],
		['sharpen__2', 'Expected a sigma because other values are given for sharpen'],
		['opacity', 'Expected a value for opacity'],
		['opacity_2', 'for opacity'],
		['normalize_50_50', 'for normalize'],
		['clahe', 'Expected a value for clahe (width)'],
		['clahe_101', 'for clahe (width)'],
		['negate_maybe', 'for negate (alpha)'],
		['f_bmp', 'Expected one of auto, jpg, avif, webp, jpeg, png, gif, tiff for f but received "bmp".'],
		['format_bmp,f_png', 'for format'],
		['w_%ff', 'Expected percent-encoded UTF-8 for w but received "%ff".'],
		['w_300,', 'Expected a name and its values, such as w_300, for the URL'],
		['enlarge,s_16384x16384,extend_10000_0_10000_0', 'Expected a picture of at most 16384 pixels a side but extend'],
	])('%s', (modifiers, detail) => {
		expect(() => planOf(modifiers)).toThrow(
			expect.objectContaining({ code: 'invalid-delivery-url', message: expect.stringContaining(detail) }),
		);
	});

	it.each<[string, string, Partial<SourceFacts>?]>([
		['dpr_2', 'The option "dpr" is not supported.'],
		['constructor_1', 'constructor'],
		['__proto__', 'A modifier'],
		['W_300', '"W" is'],
		['dilate_2', 'dilate'],
		['erode', 'erode'],
		['unflatten', 'unflatten'],
		['linear_1.5_-30', 'linear'],
		['f_heic', 'f_heic'],
		['format_heif', 'format_heif'],
		['f_svg', 'f_svg'],
		['blur_5_float', 'blur (precision float)'],
		['blur_5__0.1', 'blur (minAmplitude)'],
		['threshold_100_false', 'threshold of each colour'],
		['opacity_0.5,b_f008', 'opacity over a translucent background'],
		['negate_true', 'negate of opacity', { alpha: true }],
	])('%s, which is not supported', (modifiers, detail, facts = {}) => {
		const code = detail.startsWith('A modifier') ? 'invalid-delivery-url' : 'option-unsupported';
		const message = code === 'option-unsupported' ? detail : 'Expected a name';
		expect(() => planOf(modifiers, facts)).toThrow(
			expect.objectContaining({ code, message: expect.stringContaining(message) }),
		);
	});

	it('an exact size beyond the limit', () => {
		expect(() => planOf('h_900,rotate_90', { width: 30_000, height: 1_000 })).toThrow(
			'Expected a picture of at most 16384 pixels a side but resize would make 900×27000.',
		);
		expect(planOf('h_900', { width: 30_000, height: 1_000 }).steps).toEqual([{ resize: { height: 900 } }]);
	});

	it('too many steps', () => {
		const all =
			'flip,flop,rotate_9,trim,crop_0_0_9_9,extract_0_0_2_2,gamma_3,grayscale,w_30,extend_1,median,threshold,blur,hue_9,sharpen,opacity_0.5,normalize,clahe_9,negate';
		expect(() => planOf(all)).toThrow('Expected at most 20 steps but the options lead to more.');
	});
});

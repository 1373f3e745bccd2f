import { describe, expect, it } from 'vitest';
import { parseCloudinary } from '../../../../src/delivery/dialects/cloudinary.ts';
import { thrownBy } from '../../../helpers/thrown.ts';
import { type Asked, id, plainOptions, planOf } from './plans.ts';

const steps = (transformation: string, asked?: Asked) => planOf(transformation, asked).steps;

describe('an unsupported option', () => {
	it.each([
		'w_auto',
		'w_iw',
		'w_iw_div_2',
		'w_$width',
		'h_ih',
		'dpr_auto',
		'c_imagga_crop,w_5',
		'c_fill_pad,w_5,h_5,g_auto',
		'c_auto_pad,w_5,h_5',
		'c_toString,w_5',
		'c_fill,w_5,h_5,g_face',
		'c_thumb,w_5,h_5,g_faces:auto',
		'c_fill,w_5,h_5,g_auto:subject',
		'c_pad,w_5,h_5,g_auto',
		'c_fill,w_5,h_9,x_1',
		'c_fit,w_5,g_north',
		'g_north',
		'x_5',
		'c_crop,w_5,g_auto,x_1',
		'c_crop,w_5,dpr_2',
		'z_0.5',
		'c_thumb,w_5,h_5,z_0.7',
		'r_max',
		'r_20:10',
		'r_20,bo_5px_solid_red',
		'bo_5px_dashed_red',
		'a_auto_right',
		'a_exif',
		'a_ignore',
		'b_auto',
		'b_auto:border',
		'b_gen_fill',
		'c_pad,w_5,h_5,b_blurred:400',
		'b_rgb:ff000080,r_20',
		'e_vignette',
		'e_make_transparent',
		'e_improve',
		'e_shadow:50',
		'e_constructor',
		'e_sepia:50',
		'e_blur_region:500',
		'e_contrast:20:type_linear',
		'e_auto_contrast:50',
		'e_multiply',
		'e_trim,w_50',
		'e_trim:10:transparent',
		'e_colorize:50,co_rgb:ff000080',
		'co_red',
		'q_jpegmini',
		'q_auto:sensitive',
		'q_80:qmax_50',
		'q_80:422',
		'f_heic',
		'f_jxl',
		'f_svg',
		'f_mp4',
		'f_auto:video',
		'cs_cmyk',
		'cs_keep_cmyk',
		'pg_1-3',
		'pg_name:layer',
		'd_fallback.png',
		'if_w_gt_300',
		'if_end',
		'$width_300',
		'u_logo.png',
		'fn_remote:abc',
		'vc_auto',
		'so_2',
		'du_5',
		'dn_300',
		'ki_2',
		'fl_immutable_cache',
		'fl_clip',
		'fl_cutter',
		'fl_layer_apply',
		'fl_relative',
		'fl_region_relative',
		'fl_progressive:steep',
		'fl_apng',
		'fl_getinfo',
		'fl_toString',
		'l_logo.png,w_0.5',
		'l_logo.png,w_9,h_9',
		'l_logo.png,c_fill,w_9,h_9',
		'l_folder:logo.png,w_9',
		'l_fetch:aHR0cDovL2EuYi9jLnBuZw==,w_9',
		'l_video:dog,w_9',
		'l_logo.png,w_20,g_auto',
		'l_logo.png,w_20,x_0.1',
		'l_logo.png,w_20,fl_tiled,x_5',
		'l_logo.png,w_20/a_20/fl_layer_apply',
		'l_logo.png,w_20,e_brightness:5',
		'l_logo.png,w_20,pg_2',
		'l_logo.png,w_20/c_fit,w_30/fl_layer_apply',
		'l_text:Arial_20_underline:a',
		'l_text:Arial_20_line_spacing_5:a',
		'l_text:Arial_20:a,w_100,c_scale',
		'l_text:Arial_20:a,w_100',
		'l_text:Arial_20:$(name)',
		'l_text:Arial_20:a,bo_2px_solid_red',
		'l_text:Arial_20:a,a_20',
		'zz_5',
		'my_folder',
	])('%s is refused by name', async (transformation) => {
		const error = await thrownBy(() => steps(transformation));
		expect(error).toMatchObject({ code: 'option-unsupported', status: 400 });
		expect(error.message).toMatch(/^Expected .+ (for .+ but received ".+"|where .+)\.$/);
	});

	it.each([
		'/demo/image/private/',
		'/demo/image/authenticated/',
		'/demo/image/facebook/',
		'/demo/video/upload/',
		'/demo/raw/upload/',
	])('%s is refused by name', async (start) => {
		expect(await thrownBy(() => parseCloudinary(`${start}${id}`, plainOptions))).toMatchObject({
			code: 'option-unsupported',
		});
	});
});

describe('an unreadable value', () => {
	it.each<[string, string]>([
		['w_0', 'Expected an integer from 1 to 16384 for w_ but received "0".'],
		['w_-5', 'Expected an integer from 1 to 16384 for w_ but received "-5".'],
		['w_16385', 'Expected an integer from 1 to 16384 for w_ but received "16385".'],
		['w_ten', 'Expected a number from 0 to 16 for w_ but received "ten".'],
		['w_0.0', 'Expected a number above 0, at most 16, for w_ but received "0.0".'],
		['w_16384,dpr_2', 'Expected at most 16384 pixels for w_ but received "32768".'],
		['w_1000,ar_1:99', 'Expected a side of at most 16384 pixels for ar_ but received "99000".'],
		['w_5,h_5,ar_1:1', 'Expected a width or a height, but not both for ar_ but received "1:1".'],
		['w_5,ar_0:1', 'Expected a shape such as 16:9 or 1.78, at most 100:1, for ar_ but received "0:1".'],
		['w_5,w_6', 'Expected one value in a component for w_ but received "w_6".'],
		['c_fill', 'Expected w_, h_ or ar_ for c_fill but received "none".'],
		['c_fit,ar_1:1', 'Expected w_ or h_ for c_fit but received "none".'],
		['c_fill,w_5,h_9,g_xy_center', 'Expected x_ and y_ with xy_center for g_ but received "xy_center".'],
		['q_0', 'Expected an integer from 1 to 100 for q_ but received "0".'],
		['q_101', 'Expected an integer from 1 to 100 for q_ but received "101".'],
		['o_101', 'Expected an integer from 0 to 100 for o_ but received "101".'],
		['r_-1', 'Expected an integer from 0 to 16384 for r_ but received "-1".'],
		['r_1:1:1:1:1', 'Expected at most four corners for r_ but received "1:1:1:1:1".'],
		['bo_5px', 'Expected a border such as 5px_solid_red for bo_ but received "5px".'],
		['a_400', 'Expected a number from -360 to 360 for a_ but received "400".'],
		['b_nocolour', 'Expected the name of a colour, or one such as rgb:ff0000 for b_ but received "nocolour".'],
		['b_rgb:12', 'Expected the name of a colour, or one such as rgb:ff0000 for b_ but received "rgb:12".'],
		['e_blur:0', 'Expected an integer from 1 to 2000 for e_blur but received "0".'],
		['e_blur:', 'Expected an integer from 1 to 2000 for e_blur but received "".'],
		['e_gamma:151', 'Expected an integer from -50 to 150 for e_gamma but received "151".'],
		['dpr_11', 'Expected a number from 0.1 to 10 for dpr_ but received "11".'],
		['dpr_1/dpr_2', 'Expected one number in a URL for dpr_ but received "1, 2".'],
		['fl_attachment:a%2520b', 'Expected a plain name of a file for fl_attachment but received "a%20b".'],
		['fl_lossy:5', 'Expected nothing after it for fl_lossy but received "5".'],
		['pg_0', 'Expected an integer from 1 to 100000 for pg_ but received "0".'],
		['folder', 'Expected a key, _ and a value, such as w_300, for a qualifier but received "folder".'],
		['w_5,', 'Expected a key, _ and a value, such as w_300, for a qualifier but received "".'],
		['w_%ff', 'Expected percent-encoded UTF-8 for the transformations but received "w_%ff".'],
		['l_text:Arial:a', 'Expected a font and its size, such as Arial_40, for the style of l_text but received "Arial".'],
		['l_text:Arial_3:a', 'Expected an integer from 4 to 2000 for the size of l_text but received "3".'],
		['l_text:a', 'Expected a style and a text, such as text:Arial_40:Hello, for l_text but received "text:a".'],
		[
			Array(41).fill('e_negate').join('/'),
			`Expected at most 40 components for the transformation but received "${'e_negate/'.repeat(7).slice(0, 60)}…".`,
		],
		[Array(21).fill('e_negate').join('/'), 'Expected at most 20 steps but the options lead to more.'],
	])('%s', async (transformation, message) => {
		const error = await thrownBy(() => steps(transformation));
		expect(error.message).toBe(message);
		expect(error.code).toBe('invalid-delivery-url');
	});

	it('leaves other checks to the operations', async () => {
		for (const transformation of ['l_..%2F..%2Fetc,w_20', 'l_.hidden,w_20', `l_text:Arial_40:${'a'.repeat(501)}`]) {
			const error = await thrownBy(() => steps(transformation));
			expect(error.code).toBe('invalid-delivery-url');
		}
	});
});

import { describe, expect, it } from 'vitest';
import type { RenderFormat, SourceFacts } from '../../../../src/delivery/dialects/image-request.ts';
import { processingOrder } from '../../../../src/delivery/dialects/imgproxy/plan.ts';
import { drawing, photo, plan } from './read.ts';

const svg: SourceFacts = { ...drawing, format: 'svg' };
const tiff: SourceFacts = { ...photo, format: 'tiff', frames: 3 };
const turnedBy = (orientation: number): SourceFacts => ({ ...photo, orientation });
const upright: SourceFacts = { ...photo, width: 3000, height: 4000 };

type Steps = readonly unknown[];
const both = { width: 300, height: 200 };

/** Options, and the steps that they become of a photograph of 4000 × 3000 unless another picture is named. */
function table(name: string, rows: readonly (readonly [string, Steps, SourceFacts?])[]): void {
	describe(name, () => {
		it.each(rows.map((row) => [...row] as [string, Steps, SourceFacts?]))('%s', (options, steps, source = photo) => {
			expect(plan(options, source).steps).toEqual(steps);
		});
	});
}

table('sizes', [
	['rs:fit:300:200', [{ resize: { width: 267 } }]],
	['resize:fit:300:300:0:0', [{ resize: { width: 300 } }]],
	['rs:::200', [{ resize: { width: 267 } }]],
	['s:300', [{ resize: { width: 300 } }]],
	['size:300:0', [{ resize: { width: 300 } }]],
	['w:0/h:150', [{ resize: { width: 200 } }]],
	['w:100/h:133', [{ resize: { width: 100 } }]],
	// Neither side says what the other one is.
	['w:4/h:4', [{ resize: { width: 4 } }], { ...photo, width: 401, height: 299 }],
	['w:401/h:301', [{ resize: { width: 401 } }]],
	['w:300/w:200', [{ resize: { width: 200 } }]],
	['rs:fill:300:200', [{ resize: both }]],
	['rt:fill/w:300/h:200', [{ resize: both }]],
	['rs:fill:300', [{ resize: { width: 300 } }]],
	['rs:force:300:200', [{ resize: { ...both, fit: 'fill' } }]],
	['rs:force:300', [{ resize: { width: 300, height: 3000, fit: 'fill' } }]],
	['rs:auto:300:200', [{ resize: both }]],
	['rs:auto:300:200', [{ resize: { width: 150 } }], upright],
	['rs:auto:200:300', [{ resize: { width: 200, height: 300 } }], upright],
	['rs:fill:300:200/ra:nearest', [{ resize: { ...both, kernel: 'nearest' } }]],
	['w:300/resizing_algorithm:lanczos3', [{ resize: { width: 300 } }]],
]);

table('too small a picture', [
	['rs:fit:800:800', [], drawing],
	['rs:fit:800:800:1', [{ resize: { width: 800 } }], drawing],
	['w:800/el:1', [{ resize: { width: 800 } }], drawing],
	['rs:fit:800:800', [{ resize: { width: 800 } }], svg],
	['rs:fill:800:200', [{ crop: { height: 200, left: 0, top: 50 } }], drawing],
	['rs:fill:800:200:1', [{ resize: { width: 800, height: 200 } }], drawing],
	['rs:fill:800:800', [], drawing],
	['rs:fill-down:800:800', [{ crop: { width: 300, left: 50, top: 0 } }], drawing],
	['rs:fill-down:800:200', [{ crop: { height: 100, left: 0, top: 100 } }], drawing],
	['rs:fill-down:300:200', [{ resize: both }]],
	['rs:fill-down:0:800', [], drawing],
	['rs:fill-down:800', [], drawing],
	['rs:force:200:600', [{ resize: { width: 100, height: 300, fit: 'fill' } }], drawing],
	['rs:force:200:600:1', [{ resize: { width: 200, height: 600, fit: 'fill' } }], drawing],
	['mw:800', [{ resize: { width: 800 } }], drawing],
	['w:300/mh:600', [{ resize: { width: 300, height: 600 } }], drawing],
]);

table('densities and zoom', [
	['w:300/dpr:2', [{ resize: { width: 600 } }]],
	['w:300/dpr:1', [{ resize: { width: 300 } }]],
	['w:300/dpr:2', [], drawing],
	['w:300/dpr:2/el:1', [{ resize: { width: 600 } }], drawing],
	['rs:fill:300:200/dpr:1.5', [{ resize: { width: 450, height: 300, y: 1 } }]],
	['rs:fill:300:100/dpr:2', [{ crop: { height: 133, left: 0, top: 84 } }], drawing],
	['z:0.5', [{ resize: { width: 2000 } }]],
	['zoom:0.5:0.25', [{ resize: { width: 2000, height: 750, fit: 'fill' } }]],
	['w:300/z:2', [{ resize: { width: 600 } }]],
	['z:2', []],
	['z:2/el:1', [{ resize: { width: 800 } }], drawing],
]);

table('gravity', [
	['rs:fill:300:200/g:no', [{ resize: { ...both, position: 'top' } }]],
	['rs:fill:300:200/g:soea', [{ resize: { ...both, position: 'right bottom' } }]],
	['rs:fill:300:200/g:sm', [{ resize: { ...both, position: 'attention' } }]],
	['rs:fill:300:200/g:ce:0:0', [{ resize: both }]],
	['rs:fill:300:200/g:no:0:10', [{ resize: { width: 300 } }, { crop: { height: 200, left: 0, top: 10 } }]],
	['rs:fill:300:200/g:no:0:10/dpr:2', [{ resize: { width: 600 } }, { crop: { height: 400, left: 0, top: 20 } }]],
	['rs:fill:300:200/g:so:0:0.1', [{ resize: { width: 300 } }, { crop: { height: 200, left: 0, top: 3 } }]],
	['rs:fill:200:300/g:we:500', [{ resize: { width: 400 } }, { crop: { width: 200, left: 200, top: 0 } }]],
	['rs:fill:200:300/g:ea:20', [{ resize: { width: 400 } }, { crop: { width: 200, left: 180, top: 0 } }]],
	['rs:fill:200:300/g:fp:0.3:0.9', [{ resize: { width: 400 } }, { crop: { width: 200, left: 20, top: 0 } }]],
	[
		'rs:fill:600:1200:1/g:fp:0:0',
		[{ crop: { width: 150, left: 0, top: 0 } }, { resize: { width: 600, height: 1200, fit: 'fill' } }],
		drawing,
	],
]);

table('crop', [
	['c:1000:500', [{ crop: { width: 1000, height: 500, left: 1500, top: 1250 } }]],
	['crop:1000:500:nowe', [{ crop: { width: 1000, height: 500, left: 0, top: 0 } }]],
	['c:1000:500:nowe:10:20', [{ crop: { width: 1000, height: 500, left: 10, top: 20 } }]],
	['c:1000:500:soea:10:0.1', [{ crop: { width: 1000, height: 500, left: 2990, top: 2200 } }]],
	['c:0.5:0.25', [{ crop: { width: 2000, height: 750, left: 1000, top: 1126 } }]],
	['c:0:500', [{ crop: { height: 500, left: 0, top: 1250 } }]],
	['c:0:0', []],
	['c:9000:9000', []],
	['c:1000:500:sm', [{ crop: { width: 1000, height: 500, position: 'attention' } }]],
	['c:1000:500:fp:0:1', [{ crop: { width: 1000, height: 500, left: 0, top: 2500 } }]],
	['g:no/c:1000:500', [{ crop: { width: 1000, height: 500, left: 1500, top: 0 } }]],
	['c:1000.9:500:nowe/w:100', [{ crop: { width: 1000, height: 500, left: 0, top: 0 } }, { resize: { width: 100 } }]],
	// A density says nothing of the picture as it came.
	[
		'c:1000:500:nowe:10:10/w:100/dpr:2',
		[{ crop: { width: 1000, height: 500, left: 10, top: 10 } }, { resize: { width: 200 } }],
	],
	['car:1', [{ crop: { width: 3000, left: 500, top: 0 } }]],
	['c:1000:500/crop_ar:1', [{ crop: { width: 500, height: 500, left: 1750, top: 1250 } }]],
	['c:1000:500/car:1:1', [{ crop: { width: 1000, height: 1000, left: 1500, top: 1000 } }]],
	['c:4000:500/car:1:1', [{ crop: { width: 3000, left: 500, top: 0 } }]],
]);

table('turns', [
	['rot:90', [{ rotate: { angle: 90 } }]],
	['rot:-90', [{ rotate: { angle: 270 } }]],
	['rotate:720', []],
	['fl:1', [{ flop: {} }]],
	['flip:0:1', [{ flip: {} }]],
	['fl:1:1', [{ rotate: { angle: 180 } }]],
	['fl:1:1/rot:180', []],
	['fl:1/rot:180', [{ flip: {} }]],
	['fl::1/rot:90', [{ rotate: { angle: 270 } }, { flop: {} }]],
	['ar:1', []],
	['ar:0', []],
	// 3000 × 4000 as it lies in the file.
	['ar:0/rs:fit:300:400', [{ resize: { width: 300 } }], turnedBy(8)],
	['ar:0/rs:fit:300:400', [{ resize: { width: 300 } }], turnedBy(4)],
	['ar:0/rot:90/rs:fit:400:300', [{ rotate: { angle: 90 } }, { resize: { width: 400 } }], turnedBy(6)],
	['rot:90/w:300', [{ rotate: { angle: 90 } }, { resize: { width: 300 } }]],
	['rot:90/c:300:600:nowe', [{ rotate: { angle: 90 } }, { crop: { width: 300, height: 600, left: 0, top: 0 } }]],
	['rot:90/rs:auto:200:300', [{ rotate: { angle: 90 } }, { resize: { width: 200, height: 300 } }]],
]);

it('ignores the EXIF orientation with auto_rotate:0', () => {
	for (const [options, source, orient] of [
		['ar:0', turnedBy(6), false],
		['ar:0', { ...tiff, orientation: 1 }, undefined],
		['ar:0/pg:1', tiff, false],
		['ar:0', photo, undefined],
		['ar:0/ar:1', turnedBy(6), undefined],
		['', turnedBy(6), undefined],
	] as const) {
		expect(plan(options, source).orient, options).toBe(orient);
	}
});

const clear = '#00000000';
table('room around the picture', [
	['rs:fit:300:300/ex:1', [{ resize: { width: 300 } }, { extend: { top: 38, bottom: 37, background: clear } }]],
	['rs:fit:300:300:0:1:no', [{ resize: { width: 300 } }, { extend: { bottom: 75, background: clear } }]],
	[
		'rs:fit:300:300/ex:1:so:0:10/bg:fff',
		[{ resize: { width: 300 } }, { extend: { top: 65, bottom: 10, background: '#ffffff' } }],
	],
	[
		's:800:800/ex:1:nowe:10:10',
		[{ extend: { top: 10, right: 390, bottom: 490, left: 10, background: clear } }],
		drawing,
	],
	['w:800/ex:1:ea', [{ extend: { left: 400, background: clear } }], drawing],
	['ex:1', []],
	['s:300:300/ex:0:no', [{ resize: { width: 300 } }]],
	['s:300:300/exar:1', [{ resize: { width: 300 } }, { extend: { top: 38, bottom: 37, background: clear } }]],
	['s:800:400/extend_ar:1', [{ extend: { left: 100, right: 100, background: clear } }], drawing],
	[
		's:800:400/extend_aspect_ratio:t:we/bg:0:0:0',
		[{ extend: { right: 200, background: '#000000' } }, { flatten: { background: '#000000' } }],
		drawing,
	],
	['w:800/exar:1', [], drawing],
	['pd:10', [{ extend: { top: 10, right: 10, bottom: 10, left: 10, background: clear } }]],
	['padding:10:20', [{ extend: { top: 10, right: 20, bottom: 10, left: 20, background: clear } }]],
	['pd:0:20::5', [{ extend: { right: 20, left: 5, background: clear } }]],
	['pd:0', []],
	[
		'w:300/pd:10/dpr:2',
		[{ resize: { width: 600 } }, { extend: { top: 20, right: 20, bottom: 20, left: 20, background: clear } }],
	],
	// The same room, whatever it is called.
	['s:300:300/ex:1/pd:10:0', [{ resize: { width: 300 } }, { extend: { top: 48, bottom: 47, background: clear } }]],
	['pd:10/bg:ff0000/bga:0.5', [{ extend: { top: 10, right: 10, bottom: 10, left: 10, background: '#ff000080' } }]],
]);

table('backgrounds', [
	['bg:f00', []],
	['bg:f00', [{ flatten: { background: '#ff0000' } }], drawing],
	['background:255:0:16', [{ flatten: { background: '#ff0010' } }], drawing],
	['bg:f00/bg:', [], drawing],
	['bga:0.5', [], drawing],
	[
		'pd:10/-/bg:f00',
		[
			{ extend: { top: 10, right: 10, bottom: 10, left: 10, background: clear } },
			{ flatten: { background: '#ff0000' } },
		],
	],
]);

table('colours and details', [
	['br:51', [{ contrast: { factor: 1, brightness: 51 } }]],
	['sa:0.5', [{ modulate: { saturation: 0.5 } }]],
	['co:1.5', [{ contrast: { factor: 1.5 } }]],
	['a:51:1:0.5', [{ contrast: { factor: 1, brightness: 51 } }, { modulate: { saturation: 0.5 } }]],
	['adjust:-255:1.5:2', [{ contrast: { factor: 1.5, brightness: -255 } }, { modulate: { saturation: 2 } }]],
	['a:0:1:1', []],
	['a::', []],
	['mc:1', [{ grayscale: {} }]],
	['monochrome:1:ff8800', [{ tint: { colour: '#ff8800' } }]],
	['mc:0:ff8800', []],
	['mc:0.4', [{ duotone: { dark: '#000000', light: '#ffffff', intensity: 0.4 } }]],
	['mc:0.4:777', [{ duotone: { dark: '#000000', light: '#ffffff', intensity: 0.4 } }]],
	['mc:0.4:ff8800', [{ tint: { colour: '#ff8800', intensity: 0.4 } }]],
	['dt:0.5::fff000', [{ duotone: { dark: '#000000', light: '#fff000', intensity: 0.5 } }]],
	['dt:0', []],
	['dt:1', [{ duotone: { dark: '#000000', light: '#ffffff' } }]],
	['duotone:1:1b1464:ffd166', [{ duotone: { dark: '#1b1464', light: '#ffd166' } }]],
	['bl:5', [{ blur: { sigma: 5 } }]],
	['bl:0', []],
	['sh:0.5', [{ sharpen: { sigma: 0.5, m1: 0, m2: 3 } }]],
	['pix:8', [{ pixelate: { size: 8 } }]],
	['pix:1', []],
	['ush:none', []],
	['ush:always', [{ unsharp: { amount: 0.0417 } }]],
	['ush:always:2:20', [{ unsharp: { amount: 0.1 } }]],
	['ush:auto', []],
	['ush:auto/w:300', [{ resize: { width: 300 } }, { unsharp: { amount: 0.0417 } }]],
	['ush:auto/w:300/sh:1', [{ resize: { width: 300 } }, { sharpen: { sigma: 1, m1: 0, m2: 3 } }]],
	['ush::1:12/w:5000/el:1', [{ resize: { width: 5000 } }]],
	['ush:always/ush:none', []],
	['t:10/ush:always', [{ trim: { threshold: 10 } }, { unsharp: { amount: 0.0417 } }]],
	['col:0.4:8a1c1c', [{ colorize: { colour: '#8a1c1c', opacity: 0.4 } }]],
	['colorize:0.4::1', [{ colorize: { colour: '#000000', opacity: 0.4 } }]],
	['colorize:0.4::1', [{ colorize: { colour: '#000000', opacity: 0.4, keepTransparency: true } }], drawing],
	['col:0', []],
	['gr:0.5', [{ gradient: { colour: '#000000', opacity: 0.5, towards: 'bottom', start: 0, stop: 1 } }]],
	[
		'gradient:1:fff:left:0.2:0.8',
		[{ gradient: { colour: '#ffffff', opacity: 1, towards: 'left', start: 0.2, stop: 0.8 } }],
	],
	['gr:1::-90', [{ gradient: { colour: '#000000', opacity: 1, towards: 'right', start: 0, stop: 1 } }]],
	// From the bottom towards the left; ours begin at the top.
	['gr:1::45', [{ gradient: { colour: '#000000', opacity: 1, angle: 225, start: 0, stop: 1 } }]],
	['gr:1::-400.5', [{ gradient: { colour: '#000000', opacity: 1, angle: 139.5, start: 0, stop: 1 } }]],
	['gr:0:fff', []],
	[
		'pix:8/sh:1/bl:2/w:100',
		[
			{ resize: { width: 100 } },
			{ blur: { sigma: 2 } },
			{ sharpen: { sigma: 1, m1: 0, m2: 3 } },
			{ pixelate: { size: 8 } },
		],
	],
]);

const mark = { picture: 'watermark.png', position: 'centre', scale: 0.2 };
table('watermarks', [
	['wm:1:ce:0:0:0.2', [{ watermark: mark }]],
	['wm:1', [{ watermark: { ...mark, scale: 'own' } }]],
	['wm:1:ce:0:0:0', [{ watermark: { ...mark, scale: 'own' } }]],
	['wm:0.5::::0.2', [{ watermark: { ...mark, opacity: 0.5 } }]],
	['wm:0:ce:0:0:0.2', []],
	['watermark:1:soea:10:20:0.2', [{ watermark: { ...mark, position: 'right bottom', x: 10, y: 20 } }]],
	['wm:1:no:-10:0.1:0.2', [{ watermark: { ...mark, position: 'top', x: -10, y: 300 } }]],
	[
		'w:300/dpr:2/wm:1:nowe:10:0.1:0.2',
		[{ resize: { width: 600 } }, { watermark: { ...mark, position: 'left top', x: 20, y: 45 } }],
	],
	['wm:1:re:0:0:0.2', [{ watermark: { ...mark, tile: true } }]],
	['wm:1:re:16:16:0.2', [{ watermark: { ...mark, tile: true, gap: 16 } }]],
	['wm:1:re:16:0.1:0.2', [{ watermark: { ...mark, tile: true, gap: 16, gapBelow: 300 } }]],
	['wm:1:re:16:0:0.2', [{ watermark: { ...mark, tile: true, gap: 16, gapBelow: 0 } }]],
	[
		`wm:1:ce:0:0:0.2/wmu:${Buffer.from('logo.png').toString('base64url')}`,
		[{ watermark: { ...mark, picture: 'logo.png' } }],
	],
	[
		`wm:1:ce:0:0:0.2/watermark_url:${Buffer.from('picpipe://pic_01jzkwp9nbe0tvahm2q4c8s6rd').toString('base64url')}`,
		[{ watermark: { ...mark, picture: 'pic_01jzkwp9nbe0tvahm2q4c8s6rd' } }],
	],
]);

table('pipelines in a row', [
	['w:500/-/bl:5', [{ resize: { width: 500 } }, { blur: { sigma: 5 } }]],
	['-/w:500/-', [{ resize: { width: 500 } }]],
	['w:400/-/c:0.5:0.5', [{ resize: { width: 400 } }, { crop: { width: 200, height: 150, left: 100, top: 76 } }]],
	[
		'w:400/pd:50/-/w:250',
		[
			{ resize: { width: 400 } },
			{ extend: { top: 50, right: 50, bottom: 50, left: 50, background: clear } },
			{ resize: { width: 250 } },
		],
	],
	['w:400/-/t:10', [{ resize: { width: 400 } }, { trim: { threshold: 10 } }]],
	// A drawing has pixels from the first pipeline on.
	['w:600/-/w:900', [{ resize: { width: 600 } }], svg],
]);

table('what is trimmed', [
	['t:10', [{ trim: { threshold: 10 } }]],
	['trim:10:ffffff', [{ trim: { threshold: 10, background: '#ffffff' } }]],
	['t:10:FF00FF', [{ trim: { threshold: 10, background: '#ff00ff', matte: '#ff00ff' } }], drawing],
	['t:10:ff00ff', [{ trim: { threshold: 10, background: '#ff00ff' } }]],
	['t:', []],
	['t:10::1', [{ trim: { threshold: 10, equal: 'horizontal' } }]],
	['t:10:fff:0:1', [{ trim: { threshold: 10, background: '#ffffff', equal: 'vertical' } }]],
	['trim:10::true:true', [{ trim: { threshold: 10, equal: 'both' } }]],
	['t:10:::0/w:300', [{ trim: { threshold: 10 } }, { resize: { width: 300, withoutEnlargement: true } }]],
	['t:10/rs:fit:300:200:1', [{ trim: { threshold: 10 } }, { resize: { ...both, fit: 'inside' } }]],
	[
		't:10/rs:fill:300:200/g:no',
		[{ trim: { threshold: 10 } }, { resize: { ...both, position: 'top', withoutEnlargement: true } }],
	],
	[
		't:10/rs:fit:300:200/dpr:2',
		[{ trim: { threshold: 10 } }, { resize: { width: 600, height: 400, fit: 'inside', withoutEnlargement: true } }],
	],
	[
		't:10/c:100:200:fp:0.1:0.2',
		[{ trim: { threshold: 10 } }, { crop: { width: 100, height: 200, focus: { x: 0.1, y: 0.2 } } }],
	],
	[
		't:10/rs:fit:300:200/ex:1/pd:5/bg:fff',
		[
			{ trim: { threshold: 10 } },
			{ resize: { ...both, fit: 'inside', withoutEnlargement: true } },
			{ extend: { ...both, background: '#ffffff' } },
			{ extend: { top: 5, right: 5, bottom: 5, left: 5, background: '#ffffff' } },
		],
	],
	[
		't:10/s:300:200/exar:1',
		[
			{ trim: { threshold: 10 } },
			{ resize: { ...both, fit: 'inside', withoutEnlargement: true } },
			{ extend: { ratio: '300:200', background: clear } },
		],
	],
	['t:10/car:1.5', [{ trim: { threshold: 10 } }, { crop: { ratio: '1.5:1' } }]],
	['t:10/rs:force:300:200', [{ trim: { threshold: 10 } }, { resize: { ...both, fit: 'fill', orSmaller: true } }]],
	['t:10/rs:force:300', [{ trim: { threshold: 10 } }, { resize: { width: 300, fit: 'fill', orSmaller: true } }]],
	['t:10/rs:force:300:0:1', [{ trim: { threshold: 10 } }, { resize: { width: 300, fit: 'fill' } }]],
	[
		't:10/rs:force:300:200/dpr:2/z:2:1',
		[{ trim: { threshold: 10 } }, { resize: { width: 1200, height: 400, fit: 'fill', orSmaller: true } }],
	],
	[
		't:10/rs:fill-down:300:200/g:no',
		[{ trim: { threshold: 10 } }, { resize: { ...both, position: 'top', orSmaller: true } }],
	],
	['t:10/rs:fill-down:300:200:1', [{ trim: { threshold: 10 } }, { resize: both }]],
	['t:10/rs:fill-down:300', [{ trim: { threshold: 10 } }, { resize: { width: 300, withoutEnlargement: true } }]],
	['t:10/w:300/z:0.5', [{ trim: { threshold: 10 } }, { resize: { width: 150, withoutEnlargement: true } }]],
	['t:10/dpr:2/z:3', [{ trim: { threshold: 10 } }]],
	[
		't:10/w:300/pd:5:0/dpr:2',
		[
			{ trim: { threshold: 10 } },
			{ resize: { width: 600, withoutEnlargement: true } },
			{ extend: { top: 10, bottom: 10, background: clear } },
		],
	],
	// Nothing is enlarged, and so there is no density.
	['t:10/pd:5:0/dpr:2', [{ trim: { threshold: 10 } }, { extend: { top: 5, bottom: 5, background: clear } }]],
	// What is drawn is never too small.
	['t:10/w:600', [{ trim: { threshold: 10, matte: '#ff00ff' } }, { resize: { width: 600 } }], svg],
	// From here on the size is known again.
	[
		't:10/rs:force:300:200:1/-/c:0.5:0.5',
		[
			{ trim: { threshold: 10 } },
			{ resize: { ...both, fit: 'fill' } },
			{ crop: { width: 150, height: 100, left: 76, top: 50 } },
		],
	],
	[
		't:10/wm:1:soea:0.03:10:0.2',
		[{ trim: { threshold: 10 } }, { watermark: { ...mark, position: 'right bottom', x: '3%', y: 10 } }],
	],
	[
		't:10/wm:1:no:0.015:-0.2:0.2',
		[{ trim: { threshold: 10 } }, { watermark: { ...mark, position: 'top', x: '1.5%', y: '-20%' } }],
	],
]);

/** Options after `trim:10`, and the steps after that one. */
function tableOfTrimmed(name: string, rows: readonly (readonly [string, Steps])[]): void {
	table(
		`what is trimmed: ${name}`,
		rows.map(([options, steps]) => [`t:10/${options}`, [{ trim: { threshold: 10 } }, ...steps]]),
	);
}

const free = { withoutEnlargement: true };

tableOfTrimmed('what is kept of it', [
	['c:0.5:0.25', [{ crop: { width: '50%', height: '25%' } }]],
	['-/c:0.5:0.5', [{ crop: { width: '50%', height: '50%' } }]],
	['c:0.33333:0:no', [{ crop: { width: '33.333%', position: 'top' } }]],
	['c:0.00001:100', [{ crop: { width: '0.01%', height: 100 } }]],
	['c:100:50:nowe:5:-0.1', [{ crop: { width: 100, height: 50, position: 'left top', x: 5, y: '-10%' } }]],
	['c:100:50:ce:60000', [{ crop: { width: 100, height: 50, x: 16_384 } }]],
	['c:100:50:sm', [{ crop: { width: 100, height: 50, position: 'attention' } }]],
	['c:100:50/car:1', [{ crop: { width: 100, height: 50, ratio: '1:1' } }]],
	['car:1.5:1/g:fp:0:1', [{ crop: { ratio: '1.5:1', focus: { x: 0, y: 1 } } }]],
	['rs:fill:300:200/g:no:0:10', [{ resize: { ...both, position: 'top', y: 10, ...free } }]],
	['rs:fill:300:200:1/g:soea:5:0.1', [{ resize: { ...both, position: 'right bottom', x: 5, y: '10%' } }]],
	['rs:fill:300:200:1/g:no:0:5/dpr:2', [{ resize: { width: 600, height: 400, position: 'top', y: 10 } }]],
	['rs:fill-down:300:200/g:ce:4', [{ resize: { ...both, x: 4, orSmaller: true } }]],
	['rs:fill:300:200/g:fp:0.2:0.8', [{ resize: { ...both, focus: { x: 0.2, y: 0.8 }, ...free } }]],
	['rs:fill:300:200:1/g:fp:0.2:0.8', [{ resize: { ...both, focus: { x: 0.2, y: 0.8 } } }]],
	['rs:fill-down:300:200/g:fp:0.2:0.8', [{ resize: { ...both, focus: { x: 0.2, y: 0.8 }, orSmaller: true } }]],
	['rs:fill-down:16384:1/g:fp:0:0', [{ resize: { width: 16_384, height: 1, focus: { x: 0, y: 0 }, orSmaller: true } }]],
	['rs:auto:300:200', [{ resize: { ...both, fit: 'auto', ...free } }]],
	['rs:auto:300:200:1/g:no:0:10', [{ resize: { ...both, fit: 'auto', position: 'top', y: 10 } }]],
	['rs:auto:300', [{ resize: { width: 300, ...free } }]],
]);

tableOfTrimmed('densities and zoom', [
	['z:0.5', [{ resize: { width: '50%' } }]],
	['z:0.5:0.25/ra:cubic', [{ resize: { width: '50%', height: '25%', fit: 'fill', kernel: 'cubic' } }]],
	// Nothing is enlarged, but the shape is as asked.
	['z:2:1', [{ resize: { width: '100%', height: '50%', fit: 'fill' } }]],
	['z:2:1/el:1', [{ resize: { width: '200%', height: '100%', fit: 'fill' } }]],
	['dpr:0.5/pd:10:0', [{ resize: { width: '50%' } }, { extend: { top: 5, bottom: 5, background: clear } }]],
	['dpr:2/el:1/pd:10:0', [{ resize: { width: '200%' } }, { extend: { top: 20, bottom: 20, background: clear } }]],
	['rs:force:300:0/dpr:2', [{ resize: { width: 600, height: '200%', fit: 'fill', orSmaller: true } }]],
	['rs:force:0:200:1/z:0.5', [{ resize: { width: '50%', height: 100, fit: 'fill' } }]],
	['rs:fill:300:200/dpr:2', [{ resize: { ...both, dpr: 2, minDpr: 1, ...free } }]],
	['rs:fill:300:200/dpr:2/g:we:5', [{ resize: { ...both, dpr: 2, minDpr: 1, position: 'left', x: 5, ...free } }]],
	['rs:fill-down:300:200/dpr:2', [{ resize: { ...both, dpr: 2, minDpr: 1, orSmaller: true } }]],
	['rs:fill:200:100/z:1.5/dpr:2', [{ resize: { width: 300, height: 150, dpr: 2, minDpr: 1, ...free } }]],
	['rs:fill:300:200/dpr:0.5', [{ resize: { width: 150, height: 100, orSmaller: true } }]],
	['rs:auto:300:200/dpr:2', [{ resize: { ...both, fit: 'auto', dpr: 2, minDpr: 1, ...free } }]],
]);

tableOfTrimmed('least sizes', [
	['mw:100', [{ resize: { minWidth: 100 } }]],
	['mw:100/mh:50/dpr:2/el:1', [{ resize: { width: '200%', minWidth: 200, minHeight: 100 } }]],
	['z:0.5/mh:50', [{ resize: { width: '50%', minHeight: 50 } }]],
	['w:300/mh:600', [{ resize: { width: 300, minHeight: 600, ...free } }, { crop: { width: 300 } }]],
	['s:300:200/mw:400', [{ resize: { ...both, fit: 'inside', minWidth: 400, ...free } }, { crop: both }]],
	[
		'rs:fill:300:200/mw:400/g:no:0:10',
		[{ resize: { ...both, fit: 'outside', minWidth: 400, ...free } }, { crop: { ...both, position: 'top', y: 10 } }],
	],
	[
		'rs:fill:300:200:1/mw:400/dpr:2/g:sm',
		[
			{ resize: { width: 600, height: 400, fit: 'outside', minWidth: 800 } },
			{ crop: { width: 600, height: 400, position: 'attention' } },
		],
	],
	['rs:force:300:200/mw:400', [{ resize: { ...both, fit: 'fill', orSmaller: true, minWidth: 400 } }, { crop: both }]],
]);

const fitted = { resize: { width: 600, height: 400, fit: 'inside', withoutEnlargement: true } };
tableOfTrimmed('room around it', [
	[
		's:300:200/ex:1:no:0:5',
		[
			{ resize: { ...both, fit: 'inside', ...free } },
			{ extend: { ...both, position: 'top', y: 5, background: clear } },
		],
	],
	['s:300:200/ex:1/dpr:2', [fitted, { extend: { ...both, ratio: '300:200', background: clear } }]],
	[
		's:300:200/ex:1:soea:6:0.1/dpr:2/pd:10:0:5:30',
		[
			fitted,
			{
				extend: {
					...both,
					ratio: '300:200',
					position: 'right bottom',
					x: '2%',
					y: '10%',
					background: clear,
				},
			},
			{ extend: { top: '5%', bottom: '2.5%', left: '10%', background: clear } },
		],
	],
	[
		'w:300/ex:1:we:6:5/dpr:2/pd:10:0',
		[
			{ resize: { width: 600, ...free } },
			{ extend: { width: 300, position: 'left', x: '2%', background: clear } },
			{ extend: { top: 20, bottom: 20, background: clear } },
		],
	],
	// More than shares say.
	[
		's:300:200/ex:1/dpr:2/pd:0:3001:0:0',
		[
			fitted,
			{ extend: { ...both, ratio: '300:200', background: clear } },
			{ extend: { right: 6002, background: clear } },
		],
	],
	[
		's:300:200/exar:1:we:0.1:0',
		[
			{ resize: { ...both, fit: 'inside', ...free } },
			{ extend: { ratio: '300:200', position: 'left', x: '10%', background: clear } },
		],
	],
]);

describe('pages', () => {
	it('of a TIFF start at 0 and have an unknown size', () => {
		expect(plan('pg:2/w:300', tiff)).toMatchObject({
			page: 3,
			steps: [{ resize: { width: 300, withoutEnlargement: true } }],
		});
		expect(plan('page:0/w:300', tiff)).toMatchObject({ steps: [{ resize: { width: 300 } }] });
		expect(plan('pgs:1', tiff)).not.toHaveProperty('page');
		expect(plan('pg:99', tiff)).toMatchObject({ page: 3 });
		expect(plan('pg:1/c:0.5:0.5')).not.toHaveProperty('page');
	});

	const gif: SourceFacts = { ...drawing, format: 'gif', frames: 5 };
	it.each([
		['pg:2/f:png', 3],
		['pg:2/f:jpg', 3],
		['pg:2/f:avif', 3],
		['pg:99/f:png', 5],
		['pg:0/f:png', undefined],
		['pg:2/da:1', 3],
		['pg:2/da:1/f:webp', 3],
		['pg:2/da:1/f:auto', 3],
		// What stays an animation has every frame.
		['pg:2', undefined],
		['pg:2/f:gif', undefined],
		['pg:2/f:webp', undefined],
		['pg:2/f:auto', undefined],
	])('of an animation with %s are frame %s', (options, page) => {
		for (const source of [gif, { ...gif, format: 'webp' }]) {
			const made = plan(`${options}/c:0.5:0.5`, source);
			expect(made.page).toBe(page);
			expect(made.steps).toEqual([{ crop: { width: 200, height: 150, left: 100, top: 76 } }]);
		}
	});
});

describe('output options', () => {
	const formats = ['avif', 'webp', 'jpeg', 'png', 'gif', 'tiff'] as const;
	const limited = (max: number) => ({ quality: { maxBytes: 50_000, max, orSmallest: true } });
	/** What is said to encoders that are told anything. */
	function encodings(options: string): Partial<Record<RenderFormat, unknown>> {
		const { encode } = plan(options);
		return Object.fromEntries(
			formats
				.map((format) => [format, encode?.(format) ?? {}])
				.filter(([, said]) => Object.keys(said as object).length > 0),
		);
	}

	const found = (goal: object, [min, max]: number[], [avifMin, avifMax] = [min, max]) => ({
		avif: { quality: { ...goal, min: avifMin, max: avifMax } },
		webp: { quality: { ...goal, min, max } },
		jpeg: { quality: { ...goal, min, max } },
	});

	it.each([
		['', {}],
		['q:0', {}],
		['q:70', { avif: { quality: 70 }, webp: { quality: 70 }, jpeg: { quality: 70 } }],
		['fq:jpg:60:avif:40', { avif: { quality: 40 }, jpeg: { quality: 60 } }],
		['fq:jpg:60/fq:jxl:40:webp:50', { jpeg: { quality: 60 }, webp: { quality: 50 } }],
		['fq:webp:60/q:70', { avif: { quality: 70 }, webp: { quality: 70 }, jpeg: { quality: 70 } }],
		['mb:50000', { avif: limited(50), webp: limited(80), jpeg: limited(80) }],
		['mb:50000/q:70', { avif: limited(70), webp: limited(70), jpeg: limited(70) }],
		['fq:webp:60/mb:50000', { avif: limited(50), webp: limited(60), jpeg: limited(80) }],
		['q:70/mb:50000/mb:0', { avif: { quality: 70 }, webp: { quality: 70 }, jpeg: { quality: 70 } }],
		['aq:size:9000/mb:50000', { avif: limited(50), webp: limited(80), jpeg: limited(80) }],
		['aq:size:50000', found({ maxBytes: 50_000, orSmallest: true }, [70, 80], [60, 65])],
		['aq:size:50000:10:85', found({ maxBytes: 50_000, orSmallest: true }, [10, 85])],
		['aq:dssim', found({ ssim: 0.96 }, [70, 80], [60, 65])],
		['autoquality:dssim:0.01', found({ ssim: 0.98 }, [70, 80], [60, 65])],
		['aq:dssim:0.02:40:85:0.001', found({ ssim: 0.96 }, [40, 85])],
		// One bound alone moves the other one where it must.
		['aq:dssim::90', found({ ssim: 0.96 }, [90, 90])],
		['aq:dssim:::50', found({ ssim: 0.96 }, [50, 50])],
		['aq:dssim:::75', found({ ssim: 0.96 }, [70, 75], [60, 75])],
		['aq:dssim:0::100', found({ ssim: 0.9999 }, [70, 100], [60, 100])],
		['aq:dssim:1:1', found({ ssim: 0.5 }, [1, 80], [1, 65])],
		['aq:', {}],
		['aq:dssim/aq::0.01', {}],
		['aq:size:5000/aq:none', {}],
		['jpgo:1', { jpeg: { progressive: true } }],
		['jpgo:0:1', { jpeg: { chromaSubsampling: '4:4:4' } }],
		['jpeg_options:1:0:1:1:1:3', { jpeg: { mozjpeg: true } }],
		['pngo:1', { png: { progressive: true } }],
		['png_options:0:1:16', { png: { palette: true, colours: 16 } }],
		['pngo::1', { png: { palette: true } }],
		['pngo:0:0:77', {}],
		['webpo:lossless/mb:50000', { avif: limited(50), webp: { lossless: true }, jpeg: limited(80) }],
		['webp_options:near_lossless:1:default', { webp: { nearLossless: true, smartSubsample: true } }],
		['avifo:off', { avif: { chromaSubsampling: '4:4:4' } }],
		['avif_options:auto', {}],
		['da:1', { webp: { animated: false }, gif: { animated: false } }],
	])('%s', (options, expected) => {
		expect(encodings(options)).toEqual(expected);
		expect(plan(options).steps).toEqual([]);
	});

	it.each([
		['', {}],
		['sm:1/kcr:0/scp:1', {}],
		['sm:0', { metadata: 'keep' }],
		['keep_copyright:1', { metadata: 'copyright' }],
		['strip_metadata:f/kcr:1', { metadata: 'keep' }],
		['scp:0', { colour: 'keep' }],
		['f:jpg', { format: 'jpeg' }],
		['format:auto', { format: 'auto' }],
		['ext:tif', { format: 'tiff' }],
		['dpi:0/eth:0/hs:none', {}],
	])('%s', (options, expected) => {
		const { encode: _encode, ...made } = plan(options);
		expect(made).toEqual({ steps: [], format: 'source', ...expected });
	});
});

it('the processing order is imgproxy’s', () => {
	const named = processingOrder.map(({ name }) => name).filter((name) => name !== '');
	expect(named).toEqual(['rotateAndFlip', 'resize', 'extend', 'flattenOntoBackground']);
});

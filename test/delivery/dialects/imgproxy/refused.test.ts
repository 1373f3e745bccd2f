import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { options } from '../../../../src/delivery/dialects/imgproxy/read-options.ts';
import { thrownBy } from '../../../helpers/thrown.ts';
import { dialect, drawing, parse, photo, plan } from './read.ts';

describe('invalid values of an option', () => {
	it.each([
		['w:x', 'Expected an integer from 0 to 16384 for w but received "x".'],
		['w:', 'Expected an integer from 0 to 16384 for w but received "".'],
		['w:-1', 'Expected an integer from 0 to 16384 for w but received "-1".'],
		['w:1.5', 'Expected an integer from 0 to 16384 for w but received "1.5".'],
		['w:16385', 'Expected an integer from 0 to 16384 for w but received "16385".'],
		['w:1e3', 'Expected an integer from 0 to 16384 for w but received "1e3".'],
		['w:0x10', 'Expected an integer from 0 to 16384 for w but received "0x10".'],
		['w:99999999999999999999', 'Expected an integer from 0 to 16384 for w but received "99999999999999999999".'],
		['w:1:2', 'Expected at most 1 argument for w but received "1:2".'],
		['height:NaN', 'Expected an integer from 0 to 16384 for height but received "NaN".'],
		['min-width:70000', 'Expected an integer from 0 to 16384 for min-width but received "70000".'],
		['mh:x', 'Expected an integer from 0 to 16384 for mh but received "x".'],
		['rs:cover:1:1', 'Expected one of fit, fill, fill-down, force, auto for rs but received "cover".'],
		['rt:', 'Expected one of fit, fill, fill-down, force, auto for rt but received "".'],
		['rs:fit:1:1:maybe', 'Expected 1, t or true, or else 0, f or false, for rs but received "maybe".'],
		['rs:fit:1:1:1:1:ce:0:0:0', 'Expected at most 8 arguments for rs but received "fit:1:1:1:1:ce:0:0:0".'],
		['s:1:1:1:1:sm', 'Expected one of ce, no, so, ea, we, noea, nowe, soea, sowe, fp for s but received "sm".'],
		['ra:bicubic', 'Expected one of nearest, linear, cubic, lanczos2, lanczos3 for ra but received "bicubic".'],
		['z:0', 'Expected a number above 0 and up to 100 for z but received "0".'],
		['zoom:1:-1', 'Expected a number above 0 and up to 100 for zoom but received "-1".'],
		['dpr:0', 'Expected a number above 0 and up to 100 for dpr but received "0".'],
		['dpr:Infinity', 'Expected a number above 0 and up to 100 for dpr but received "Infinity".'],
		['el:2', 'Expected 1, t or true, or else 0, f or false, for el but received "2".'],
		['ex:', 'Expected 1, t or true, or else 0, f or false, for ex but received "".'],
		['exar:1:sm', 'Expected one of ce, no, so, ea, we, noea, nowe, soea, sowe, fp for exar but received "sm".'],
		['g:north', 'Expected one of ce, no, so, ea, we, noea, nowe, soea, sowe, fp, sm for g but received "north".'],
		['g:sm:1', 'Expected fewer arguments for g but received "sm:1".'],
		['g:no:1:2:3', 'Expected fewer arguments for g but received "no:1:2:3".'],
		['g:no:left', 'Expected a number from -65535 to 65535 for g but received "left".'],
		['g:fp:0.5', 'Expected a number from 0 to 1 for g but received "".'],
		['g:fp:2:0', 'Expected a number from 0 to 1 for g but received "2".'],
		['c:-1', 'Expected a number from 0 to 16384 for c but received "-1".'],
		['c:20000', 'Expected a number from 0 to 16384 for c but received "20000".'],
		['car:0.001', 'Expected a ratio of width to height from 0.01 to 100, or 0, for car but received "0.001".'],
		['t:300', 'Expected a number from 0 to 255 for t but received "300".'],
		['t:10::2', 'Expected 1, t or true, or else 0, f or false, for t but received "2".'],
		['t:10:red', 'Expected a colour of three or six hexadecimal digits for t but received "red".'],
		['pd:', 'Expected pixels of one side at least for pd but received "".'],
		['pd:1:2:3:-4', 'Expected an integer from 0 to 16384 for pd but received "-4".'],
		['rot:45', 'Expected a multiple of 90 for rot but received "45".'],
		['fl:x', 'Expected 1, t or true, or else 0, f or false, for fl but received "x".'],
		['bg:ff', 'Expected a colour of three or six hexadecimal digits for bg but received "ff".'],
		['bg:1:2', 'Expected red, green and blue, or a colour for bg but received "1:2".'],
		['bg:1:2:256', 'Expected an integer from 0 to 255 for bg but received "256".'],
		['bga:2', 'Expected a number from 0 to 1 for bga but received "2".'],
		['br:256', 'Expected an integer from -255 to 255 for br but received "256".'],
		['co:-1', 'Expected a number from 0 to 10 for co but received "-1".'],
		['sa:11', 'Expected a number from 0 to 10 for sa but received "11".'],
		['a:0.5', 'Expected an integer from -255 to 255 for a but received "0.5".'],
		['mc:1:xyz', 'Expected a colour of three or six hexadecimal digits for mc but received "xyz".'],
		['dt:2', 'Expected a number from 0 to 1 for dt but received "2".'],
		['bl:0.1', 'Expected a number from 0.3 to 250, or 0 for none, for bl but received "0.1".'],
		['bl:1000', 'Expected a number from 0 to 250 for bl but received "1000".'],
		['sh:0.01', 'Expected a number from 0.1 to 10, or 0 for none, for sh but received "0.01".'],
		['pix:2000', 'Expected an integer from 0 to 1024 for pix but received "2000".'],
		['ush:sometimes', 'Expected one of auto, none, always for ush but received "sometimes".'],
		['ush:always:0', 'Expected a number above 0 and up to 1000 for ush but received "0".'],
		['ush:always:1000:1', /a weight of 0\.001 to 10 times the divider for ush but received "always:1000:1"/],
		['col:2', 'Expected a number from 0 to 1 for col but received "2".'],
		['gr:1:000:down:0.8:0.2', 'Expected a start that is not after the stop for gr but received "0.8:0.2".'],
		['gr:1:000:north', 'Expected a number from -36000 to 36000 for gr but received "north".'],
		['wm:2', 'Expected a number from 0 to 1 for wm but received "2".'],
		['wm:1:mid', 'Expected one of ce, no, so, ea, we, noea, nowe, soea, sowe, re for wm but received "mid".'],
		['wm:1:ce:0:0:2', 'Expected a number from 0 to 1 for wm but received "2".'],
		['wmu:%%', 'Expected text in URL-safe base64 for wmu but received "%%".'],
		[
			`wmu:${Buffer.from('../secret.png').toString('base64url')}`,
			'Expected a picture’s id or the plain name of a file in PICPIPE_ASSETS for wmu but received "../secret.png".',
		],
		['q:101', 'Expected an integer from 0 to 100 for q but received "101".'],
		['fq:jpg', 'Expected pairs of a format and a quality for fq but received "jpg".'],
		['fq:jpg:0', 'Expected an integer from 1 to 100 for fq but received "0".'],
		['fq:exe:50', /^Expected one of avif, .* for fq but received "exe"\.$/],
		['fq:auto:50', /^Expected one of avif, .* for fq but received "auto"\.$/],
		['mb:5', 'Expected an integer from 100 to 1000000000 for mb but received "5".'],
		['aq:size', 'Expected an integer from 100 to 1000000000 for aq but received "".'],
		['aq:dssim:2', 'Expected a number from 0 to 1 for aq but received "2".'],
		['aq:dssim:0.02:80:20', 'Expected a highest quality of at least 80 for aq but received "20".'],
		['aq:dssim:0.02:0', 'Expected an integer from 1 to 100 for aq but received "0".'],
		['aq:dssim:0.02:::2', 'Expected a number from 0 to 1 for aq but received "2".'],
		['aq:best', 'Expected one of none, size, dssim, ml for aq but received "best".'],
		['jpgo:yes', 'Expected 1, t or true, or else 0, f or false, for jpgo but received "yes".'],
		['pngo:0:1:1', 'Expected an integer from 2 to 256 for pngo but received "1".'],
		['webpo:fast', 'Expected one of lossy, near_lossless, lossless for webpo but received "fast".'],
		['avifo:yes', 'Expected one of auto, on, off for avifo but received "yes".'],
		['f:', 'Expected one of avif, webp, jpeg, png, gif, tiff, jpg, tif, auto for f but received "".'],
		['f:JPG', 'Expected one of avif, webp, jpeg, png, gif, tiff, jpg, tif, auto for f but received "JPG".'],
		['sm:x', 'Expected 1, t or true, or else 0, f or false, for sm but received "x".'],
		['kcr:', 'Expected 1, t or true, or else 0, f or false, for kcr but received "".'],
		['scp:x', 'Expected 1, t or true, or else 0, f or false, for scp but received "x".'],
		['pg:-1', 'Expected an integer from 0 to 99999 for pg but received "-1".'],
		['da:x', 'Expected 1, t or true, or else 0, f or false, for da but received "x".'],
		['skp:exe', /^Expected one of avif, .* for skp but received "exe"\.$/],
		['raw:x', 'Expected 1, t or true, or else 0, f or false, for raw but received "x".'],
		['exp:soon', 'Expected an integer from 0 to 253402300799 for exp but received "soon".'],
		['exp:-5', 'Expected an integer from 0 to 253402300799 for exp but received "-5".'],
		['exp:999999999999999', 'Expected an integer from 0 to 253402300799 for exp but received "999999999999999".'],
		['fn:', /^Expected a name of 1 to 200 characters/],
		['fn:..', /^Expected a name of 1 to 200 characters/],
		['fn:a%2Fb', /without slashes and control characters for fn but received "a\/b"/],
		['fn:a%5Cb', /^Expected a name of 1 to 200 characters/],
		['fn:a%0D%0ASet-Cookie', /^Expected a name of 1 to 200 characters/],
		['fn:a%E2%80%AEb', /^Expected a name of 1 to 200 characters/],
		[`fn:${'a'.repeat(201)}`, /^Expected a name of 1 to 200 characters.* but received "a{60}…"\.$/],
		['fn:%ff', 'Expected percent-encoded UTF-8 for fn but received "%ff".'],
		['fn:a!:1', 'Expected text in URL-safe base64 for fn but received "a!".'],
		['att:x', 'Expected 1, t or true, or else 0, f or false, for att but received "x".'],
		[Array(10).fill('-').join('/'), 'Expected at most 10 pipelines.'],
		[Array(501).fill('w:1').join('/'), 'Expected at most 500 options, those of presets too.'],
	])('%s', async (text, message) => {
		const error = await thrownBy(() => parse(text));
		expect(error.code).toBe('invalid-delivery-url');
		if (typeof message === 'string') expect(error.message).toBe(message);
		else expect(error.message).toMatch(message);
	});
});

describe('options that imgproxy has and picpipe does not', () => {
	it.each([
		['g:obj:face', /^The option "g:obj" is not supported\. Objects/],
		['c:100:100:objw:face:2', /^The option "c:objw"/],
		['wm:1:ch', /^The option "wm:…:ch"/],
		['wmt:aGVsbG8', /^The option "wmt"/],
		['wms:100:100', /^The option "wms"/],
		['wmr:45', /^The option "wmr"/],
		['wmsh:2', /^The option "wmsh"/],
		['bd:5:face', /^The option "bd" .* Objects/],
		['dd:1', /^The option "dd"/],
		['op:ce', /^The option "op"/],
		['st:YQ', /^The option "st"/],
		['aq:ml', /^The option "aq:ml"/],
		['jpgo:1:0:1', /^The option "jpgo" .* as 1::1:1:1/],
		['jpgo:0:0:0:0:0:5', /^The option "jpgo" .* tables/],
		['pngo:0:1:77', /^The option "pngo" .* not 77/],
		['webpo:lossy:0:photo', /^The option "webpo" .* Presets/],
		['f:jxl', /^The option "f:jxl" is not supported\. Renders are written as avif, webp/],
		['f:best', /^The option "f:best"/],
		['ext:heic', /^The option "ext:heic"/],
		['pgs:3', /^The option "pgs"/],
		['dpi:300', /^The option "dpi"/],
		['cp:srgb', /^The option "cp"/],
		['jxlo:1', /^The option "jxlo"/],
		['eth:1', /^The option "eth"/],
		['fiu:YQ', /^The option "fiu"/],
		['hs:md5:00', /^The option "hs"/],
		['msr:50', /^The option "msr" .* settings of the installation/],
		['max_src_file_size:50', /^The option "max_src_file_size"/],
		['maf:5', /^The option "maf"/],
		['mafr:5', /^The option "mafr"/],
		['mrd:5', /^The option "mrd"/],
		['vts:5', /^The option "vts" .* Videos/],
		['vtk:1', /^The option "vtk"/],
		['vtt:1:2:3', /^The option "vtt"/],
		['vta:1:2:3', /^The option "vta"/],
		['sparkle:1', /^The option "sparkle" is not supported\.$/],
		[':1', /^The option "" is not supported\.$/],
		['__proto__:1', /^The option "__proto__" is not supported\.$/],
		['W:300', /^The option "W" is not supported\.$/],
	])('%s', async (text, message) => {
		const error = await thrownBy(() => parse(text));
		expect(error.code).toBe('option-unsupported');
		expect(error.message).toMatch(message);
	});
});

describe('refusals that depend on the picture', () => {
	it.each([
		[
			'w:16000/dpr:2/el:1',
			photo,
			'invalid-delivery-url',
			/at most 16384 pixels a side but the options would make 32000×24000/,
		],
		['h:16384/el:1', photo, 'invalid-delivery-url', /would make 21845×16384/],
		['pd:16384', photo, 'invalid-delivery-url', /would make 36768×35768/],
		['rs:fit:300:16384/ex:1/pd:1', photo, 'invalid-delivery-url', /would make 302×16386/],
		[
			Array(9).fill('bl:1/sh:1/pix:2').join('/-/'),
			photo,
			'invalid-delivery-url',
			/at most 20 steps but the options lead to more/,
		],
		['bg:fff/bga:0.5', drawing, 'option-unsupported', /"background_alpha"/],
		['pg:1', { ...photo, format: 'avif', frames: 2 }, 'option-unsupported', /"page" .* Only pages of a TIFF/],
		['wm:1:ce:0:0:0.001', photo, 'invalid-delivery-url', /a scale from 0\.01 to 1/],
		['t:10/w:100/ush:auto', photo, 'option-unsupported', /"unsharp_masking:auto" .* scaled down/],
		['wm:1:re:0:-5:0.2', photo, 'invalid-delivery-url', /gaps of 0 or more/],
		['wm:1:re:-5:-5:0.2', photo, 'invalid-delivery-url', /gaps of 0 or more/],
		['t:10/c:100:100/car:1:1', photo, 'option-unsupported', /"crop_aspect_ratio that enlarges a crop" .* trimmed/],
		['t:10/-/c:100:100/car:1:1', photo, 'option-unsupported', /"crop_aspect_ratio that enlarges a crop"/],
		['t:10/w:300/z:2:1', photo, 'option-unsupported', /"zoom by two factors"/],
		['t:10/z:100/dpr:2/el:1', photo, 'invalid-delivery-url', /enlarged 100 times at most .* lead to 200\./],
		['t:10/mw:16384/dpr:2/el:1', photo, 'invalid-delivery-url', /at most 16384 pixels a side/],
		['t:10/w:100/mw:200/dpr:2', photo, 'option-unsupported', /"min-width and min-height with dpr/],
		['t:10/rs:auto:300:200/mh:400', photo, 'option-unsupported', /"min-width .* the resizing type auto"/],
		['t:10/rs:fill-down:300:200/mw:400', photo, 'option-unsupported', /"min-width .* the resizing type fill-down"/],
		['t:10/rs:fill:300:200/dpr:9', photo, 'option-unsupported', /"dpr above 8 without enlarge"/],
		['t:10/rs:auto:300:200/dpr:0.5', photo, 'option-unsupported', /"dpr below 1 with the resizing type auto"/],
		['t:10/s:300:200/ex:1/dpr:0.5', photo, 'option-unsupported', /"dpr below 1 with extend/],
		['t:10/rs:auto:300:200/ex:1/dpr:2', photo, 'option-unsupported', /"dpr with extend, the resizing type auto/],
		['t:10/s:300:200/exar:1:no:0:5/dpr:2', photo, 'option-unsupported', /"extend_aspect_ratio with offsets in pixels/],
		['t:10/s:16384:1/exar:1', photo, 'option-unsupported', /"extend_aspect_ratio with such a shape"/],
		['t:10/s:8000:1/ex:1/dpr:2', photo, 'option-unsupported', /"dpr with extend with such a shape"/],
		['t:10/wm:1:re:0.1:0.1:0.2', photo, 'option-unsupported', /not known before/],
	] as const)('%s', async (text, source, code, message) => {
		const error = await thrownBy(() => plan(text, source));
		expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)]);
	});
});

it('the page has a row for every option', async () => {
	const page = await readFile(new URL('../../../../docs/dialects/imgproxy.md', import.meta.url), 'utf8');
	const said = new Set([...page.matchAll(/`([a-z_-]+)(?::[^`]*)?`/g)].map(([, name]) => name));
	expect(options.flatMap((option) => option.names).filter((name) => !said.has(name))).toEqual([]);
});

it('no two options share a name', () => {
	const names = options.flatMap((option) => option.names);
	expect(names.filter((name, index) => names.indexOf(name) < index)).toEqual([]);
	expect(names).not.toContain('preset');
	expect(() => parse('preset:x', dialect({ x: '' }))).not.toThrow();
});

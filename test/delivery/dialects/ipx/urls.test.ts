import fc from 'fast-check';
import { transformUrl } from 'unpic';
import { describe, expect, it } from 'vitest';
import type { DialectOptions, RenderPlan, SourceFacts } from '../../../../src/delivery/dialects/image-request.ts';
import { ipxPath, parseIpx } from '../../../../src/delivery/dialects/ipx.ts';
import { PicpipeError } from '../../../../src/errors.ts';
import { parseRecipe } from '../../../../src/pipeline/recipe/parse-recipe.ts';
import { propertyRuns } from '../../../helpers/thoroughness.ts';
import { id, recipeOf } from './beside.ts';

const none: DialectOptions = { presets: new Map() };
const facts: SourceFacts = { width: 640, height: 480, frames: 1, alpha: false, format: 'jpeg' };

function planOf(path: string, options = none): RenderPlan {
	const { target } = parseIpx(path, options);
	if (target.kind !== 'render') throw new TypeError(`Expected a render but received ${target.kind}.`);
	return target.plan(facts);
}

describe('the source', () => {
	it.each([
		[id, { id }],
		[`${id}.jpg`, { id }],
		[`${id}.webp`, { id }],
		[encodeURIComponent('https://example.org/a b.jpg?x=1&y=/2'), { url: 'https://example.org/a%20b.jpg?x=1&y=/2' }],
		['https://example.org/a%20b%2Fc.jpg?x=1', { url: 'https://example.org/a%20b%2Fc.jpg?x=1' }],
		['http://example.org/a.jpg#part', { url: 'http://example.org/a.jpg' }],
		// Some servers make one slash of two.
		['https:/example.org/a.jpg', { url: 'https://example.org/a.jpg' }],
		['HTTPS%3A%2F%2FEXAMPLE.org%2Fa.jpg', { url: 'https://example.org/a.jpg' }],
	])('%s', (text, source) => {
		expect(parseIpx(`/w_300/${text}`, none).source).toEqual(source);
		expect(parseIpx(`w_300/${text}`, none).source).toEqual(source);
	});

	it.each([
		'',
		'/',
		'/w_300',
		'/w_300/',
		'/w_300/static/buffalo.png',
		'/w_300/pic_short',
		`/w_300/${id}/name.jpg`,
		`/w_300/${id}.`,
		`/w_300/${id}.jpg.png`,
		`/w_300/..%2F${id}`,
		`//${id}`,
		'/w_300/%E0%A4%A',
		'/w_300/ftp://example.org/a.jpg',
		'/w_300/file:///etc/passwd',
		'/w_300/https://',
		'/w_300/https://user:secret@example.org/a.jpg',
		`/w_300/https://example.org/${'a'.repeat(3_000)}`,
		`/${Array.from({ length: 65 }, () => 'w_300').join(',')}/${id}`,
	])('refuses %s', (path) => {
		expect(() => parseIpx(path, none)).toThrow(expect.objectContaining({ code: 'invalid-delivery-url' }));
	});
});

describe('presets', () => {
	const presets = new Map([
		['thumb', 's_100x100,f_webp'],
		['again', 'preset_thumb'],
	]);

	it('stand for modifiers, which the URL can override', () => {
		expect(planOf(`/preset_thumb/${id}`, { presets }).steps).toEqual([{ resize: { width: 100, height: 100 } }]);
		const long = planOf(`/preset_thumb,resize_30x30,format_png/${id}`, { presets });
		expect(long).toMatchObject({ steps: [{ resize: { width: 30, height: 30 } }], format: 'png' });
		const { steps, format } = planOf(`/preset_thumb,s_50x50,blur_5/${id}`, { presets });
		expect(steps).toEqual([{ resize: { width: 50, height: 50 } }, { blur: { sigma: 5 } }]);
		expect(format).toBe('webp');
	});

	it('can be the only modifiers allowed', () => {
		const only = { presets, presetsOnly: true };
		expect(planOf(`/preset_thumb/${id}`, only).steps).toHaveLength(1);
		expect(planOf(`/_/${id}`, only).steps).toEqual([]);
		expect(() => planOf(`/preset_thumb,w_50/${id}`, only)).toThrow(
			'Expected nothing but a preset for the URL but received "w".',
		);
	});

	it.each(['preset_other', 'preset', 'preset_again'])('refuses %s', (modifiers) => {
		expect(() => planOf(`/${modifiers}/${id}`, { presets })).toThrow(PicpipeError);
	});
});

describe('created URLs', () => {
	it.each([
		[{}, { id }, `/_/${id}`],
		[{ s: '300x200', f: 'webp' }, { id }, `/s_300x200,f_webp/${id}`],
		[{ flip: '', modulate: '1.5_2' }, { id }, `/flip,modulate_1.5_2/${id}`],
		[{ pos: 'right top', b: '#fff' }, { id }, `/pos_right%20top,b_%23fff/${id}`],
		[{ w: '300' }, { url: 'https://example.org/a/b.jpg?c=d' }, '/w_300/https%3A%2F%2Fexample.org%2Fa%2Fb.jpg%3Fc%3Dd'],
	])('%j of %j', (modifiers, source, path) => {
		expect(ipxPath(modifiers as Record<string, string>, source)).toBe(path);
		expect(parseIpx(path, none).source).toEqual(source);
		expect(() => planOf(path)).not.toThrow();
	});

	it('are parsed as intended, whatever the picture', () => {
		fc.assert(
			fc.property(fc.webUrl({ withQueryParameters: true }), fc.integer({ min: 1, max: 16_384 }), (url, width) => {
				const image = parseIpx(ipxPath({ w: String(width), enlarge: '' }, { url }), none);
				expect(image.source).toEqual({ url: new URL(url).href });
			}),
		);
	});
});

describe('unpic', () => {
	const made = (operations: Readonly<Record<string, unknown>>) => {
		const url = transformUrl(
			{ url: id, provider: 'ipx', ...operations },
			{},
			{ ipx: { baseURL: 'https://example.org/ipx' } },
		);
		expect(url).toMatch(/^https:\/\/example\.org\/ipx\//);
		return planOf((url ?? '').slice('https://example.org/ipx'.length));
	};

	it.each([
		[{ width: 300 }, [{ resize: { width: 300 } }], 'auto'],
		[{ width: 300, height: 200 }, [{ resize: { width: 300, height: 200 } }], 'auto'],
		[{ height: 200, format: 'webp' }, [{ resize: { height: 200 } }], 'webp'],
		[{ width: 300, format: 'jpg', quality: 40 }, [{ resize: { width: 300 } }], 'jpeg'],
	])('%j', (operations, steps, format) => {
		const plan = made(operations);
		expect(plan.steps).toEqual(steps);
		expect(plan.format).toBe(format);
		if ('quality' in operations) expect(plan.encode?.('webp')).toEqual({ quality: 40 });
	});
});

describe('random URLs', () => {
	const words = [
		...'w h width height s resize fit pos position b bg background q quality f format a animated enlarge kernel'.split(
			' ',
		),
		...'trim extend extract crop rotate autoorient flip flop sharpen median blur flatten gamma negate normalize'.split(
			' ',
		),
		...'threshold modulate brightness saturation hue lightness linear tint grayscale clahe opacity preset'.split(' '),
		...'dilate erode unflatten __proto__ constructor toString'.split(' '),
	];
	const values = fc.oneof(
		fc.integer({ min: -10, max: 20_000 }).map(String),
		fc.double({ noNaN: true }).map(String),
		fc.constantFrom(
			'',
			'true',
			'false',
			'undefined',
			'null',
			'NaN',
			'Infinity',
			'1e3',
			'0x10',
			'300x200',
			'1x1',
			'9999x1',
		),
		fc.constantFrom(
			'contain',
			'fill',
			'attention',
			'right-top',
			'red',
			'fff',
			'ff000080',
			'webp',
			'auto',
			'mirror',
			'%00',
			'%',
		),
		fc.string({ maxLength: 8 }),
	);
	const modifier = fc
		.tuple(fc.constantFrom(...words), fc.array(values, { maxLength: 6 }))
		.map(([name, given]) => [name, ...given].join('_'));
	const source = fc.record({
		width: fc.integer({ min: 1, max: 30_000 }),
		height: fc.integer({ min: 1, max: 30_000 }),
		frames: fc.integer({ min: 1, max: 50 }),
		alpha: fc.boolean(),
		format: fc.constantFrom('jpeg', 'png', 'gif', 'webp', 'tiff', 'svg', 'heic'),
	});

	/** A plan that can be run, or an error with a sentence for whoever wrote the address. */
	function expectPlanOrRefusal(path: string, facts: SourceFacts): void {
		try {
			const { target } = parseIpx(path, none);
			if (target.kind !== 'render') throw new TypeError('Expected a render.');
			const plan = target.plan(facts);
			for (const format of ['webp', 'png', 'jpeg'] as const) parseRecipe('render', recipeOf(plan, format));
			expect(plan.steps.length).toBeLessThanOrEqual(20);
		} catch (error) {
			if (!(error instanceof PicpipeError)) throw error;
			expect(['invalid-delivery-url', 'option-unsupported']).toContain(error.code);
			expect(error.message.length).toBeLessThan(400);
		}
	}

	it('of its own words are parsed or refused', () => {
		fc.assert(
			fc.property(fc.array(modifier, { minLength: 1, maxLength: 8 }), source, (modifiers, facts) => {
				expectPlanOrRefusal(`/${modifiers.join(',')}/${id}`, facts);
			}),
			propertyRuns(3_000),
		);
	});

	it('of valid values are parsed', () => {
		const good = fc.constantFrom(
			...'w_300 h_77 s_300x200 s_1x900 fit_contain fit_fill fit_outside pos_attention b_f00 b_f008 enlarge kernel_nearest'.split(
				' ',
			),
			...'trim extend_1_2_3_4 crop_0_0_1_1 extract_0_0_1_1 rotate_90 rotate_33 flip flop sharpen median_5 blur_9'.split(
				' ',
			),
			...'flatten gamma_3 negate normalize threshold hue_99 grayscale tint_f00 clahe_20 opacity_0.5 q_50 f_auto a'.split(
				' ',
			),
			...'resize_30x20 width_20 height_20'.split(' '),
		);
		fc.assert(
			fc.property(fc.uniqueArray(good, { minLength: 1, maxLength: 10 }), source, (modifiers, facts) => {
				expectPlanOrRefusal(`/${modifiers.join('&')}/${id}`, facts);
			}),
			propertyRuns(3_000),
		);
	});

	it('of any text are parsed or refused', () => {
		fc.assert(
			fc.property(fc.oneof(fc.string({ maxLength: 300 }), fc.webPath(), fc.webUrl()), source, (path, facts) => {
				expectPlanOrRefusal(path, facts);
				expectPlanOrRefusal(`/w_300/${path}`, facts);
			}),
			propertyRuns(1_000),
		);
	});
});

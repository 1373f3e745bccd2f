import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSignedWith, parseCloudinary } from '../../../../src/delivery/dialects/cloudinary.ts';
import type { SourceFacts } from '../../../../src/delivery/dialects/image-request.ts';
import { PicpipeError } from '../../../../src/errors.ts';
import { propertyRuns } from '../../../helpers/thoroughness.ts';
import { id, plainOptions, recipeOf } from './plans.ts';

/** Whatever comes, it is a recipe that is accepted, or one of the two errors. */
function check(path: string, facts: SourceFacts): 'plan' | 'refused' {
	try {
		const address = parseCloudinary(path, plainOptions);
		expect(isSignedWith(address, ['secret'])).toBe(false);
		const { target } = address.image;
		if (target.kind !== 'render') throw new Error('Expected a render.');
		const plan = target.plan(facts);
		expect(plan.steps.length).toBeLessThanOrEqual(20);
		recipeOf(plan, 'jpeg');
		recipeOf(plan, 'png');
		expect(target.plan(facts).steps).toEqual(plan.steps);
		return 'plan';
	} catch (error) {
		if (!(error instanceof PicpipeError)) throw error;
		expect(['invalid-delivery-url', 'option-unsupported']).toContain(error.code);
		// Nothing long is sent back.
		expect(error.message.length).toBeLessThan(900);
		return 'refused';
	}
}

const facts: fc.Arbitrary<SourceFacts> = fc.record({
	width: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 30_000 })),
	height: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 30_000 })),
	frames: fc.integer({ min: 1, max: 5 }),
	alpha: fc.boolean(),
	format: fc.constantFrom('jpeg', 'png', 'tiff', 'gif', 'svg'),
});

const number = fc.oneof(
	fc.integer({ min: -5, max: 20_000 }).map(String),
	fc.double({ min: -1, max: 20, noNaN: true }).map((value) => value.toFixed(3)),
);
const gravity = fc.constantFrom('center', 'north', 'south_east', 'auto', 'xy_center', 'face');
const colour = fc.constantFrom('red', 'rgb:f00', 'rgb:00ff0080', 'auto', 'transparent');
const qualifier = fc.oneof(
	...['w', 'h', 'x', 'y', 'r', 'o', 'a', 'q', 'dpr', 'pg'].map((key) => number.map((value) => `${key}_${value}`)),
	fc.constantFrom(
		...['scale', 'fit', 'limit', 'mfit', 'fill', 'lfill', 'crop', 'thumb', 'auto', 'pad', 'lpad', 'mpad'].map(
			(mode) => `c_${mode}`,
		),
	),
	gravity.map((value) => `g_${value}`),
	colour.map((value) => `b_${value}`),
	fc.tuple(number, number).map(([width, height]) => `ar_${width}:${height}`),
	fc.constantFrom(
		'e_trim',
		'e_blur:300',
		'e_hue',
		'e_pixelate',
		'fl_relative',
		'fl_layer_apply',
		'fl_lossy',
		'l_logo.png',
		'l_text:Arial_20:Hi',
		'f_auto',
		'bo_3px_solid_red',
	),
	fc.string().map((text) => encodeURIComponent(text)),
);
const components = fc.array(
	fc
		.uniqueArray(qualifier, { minLength: 1, maxLength: 5, selector: (text) => text.split('_')[0] })
		.map((one) => one.join(',')),
	{ maxLength: 6 },
);

describe('hostile URLs', () => {
	it('of nearly valid parts are planned or refused', () => {
		const seen = { plan: 0, refused: 0 };
		const runs = propertyRuns(3_000);
		fc.assert(
			fc.property(components, facts, (parts, facts) => {
				seen[check(['', 'demo', 'image', 'upload', ...parts, `${id}.jpg`].join('/'), facts)] += 1;
			}),
			runs,
		);
		// Both happen, or the test would say nothing.
		expect(Math.min(seen.plan, seen.refused)).toBeGreaterThan(runs.numRuns / 60);
	});

	it('of sizes only are planned for every picture', () => {
		const side = fc.integer({ min: 1, max: 16_384 });
		const mode = fc.constantFrom(
			'scale',
			'fit',
			'limit',
			'mfit',
			'fill',
			'lfill',
			'crop',
			'thumb',
			'auto',
			'pad',
			'lpad',
			'mpad',
		);
		fc.assert(
			fc.property(mode, side, side, facts, (mode, width, height, facts) => {
				expect(check(`/demo/image/upload/c_${mode},w_${width},h_${height}/${id}`, facts)).toBe('plan');
			}),
			propertyRuns(1_000),
		);
	});

	it('of random text are refused', () => {
		const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.webPath());
		fc.assert(
			fc.property(fc.array(text, { maxLength: 6 }), facts, fc.boolean(), (parts, facts, isInside) => {
				check(isInside ? `/demo/image/upload/${parts.join('/')}/${id}` : parts.join('/'), facts);
				check(`/demo/image/fetch/${parts.join('/')}/https://${parts.join('%2F')}`, facts);
			}),
			propertyRuns(2_000),
		);
	});

	it.each([
		`w_${'9'.repeat(3_000)}`,
		`${'w_1,'.repeat(900)}w_1`,
		'a/'.repeat(1_900),
		`e_${'blur:'.repeat(700)}`,
		`fl_${'a.'.repeat(1_900)}`,
		`l_text:Arial_40:${'%25'.repeat(1_200)}`,
		`b_rgb:${'f'.repeat(3_500)}`,
		`a_${'0.'.repeat(1_900)}0`,
		'w_1%00',
		'e___proto__/c_constructor,w_1/fl_hasOwnProperty',
		'%25%32%35'.repeat(300),
		'w_１００',
		'..%2f..%2fetc',
	])('are refused: %s', (transformation) => {
		const facts = { width: 10, height: 10, frames: 1, alpha: false, format: 'png' };
		expect(check(`/demo/image/upload/${transformation}/${id}`, facts)).toBe(
			/^a_0/.test(transformation) ? 'plan' : 'refused',
		);
	});
});

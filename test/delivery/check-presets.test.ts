import { describe, expect, it } from 'vitest';
import { problemsOfPresets } from '../../src/delivery/check-presets.ts';
import type { DialectPresets } from '../../src/pipeline/recipe/recipes.ts';

const none: DialectPresets = { imgproxy: new Map(), ipx: new Map(), cloudinary: new Map() };

describe('presets', () => {
	it('that are valid in their dialect are accepted, even those that refer to others', () => {
		expect(
			problemsOfPresets({
				imgproxy: new Map([
					['default', 'q:80'],
					['card', 'rs:fill:300:200/g:sm'],
					['small-card', 'preset:card/w:100'],
				]),
				ipx: new Map([['avatar', 's_80x80,fit_cover']]),
				cloudinary: new Map([['banner', 'c_fill,w_300,h_200/e_grayscale']]),
			}),
		).toEqual([]);
	});

	it.each([
		['imgproxy', 'card', 'rs:fill:wide', /^presets\.imgproxy\.card: Expected .*wide/],
		['imgproxy', 'card', 'nonsense:1', /^presets\.imgproxy\.card: .*nonsense/],
		['imgproxy', 'card', 'preset:other', /^presets\.imgproxy\.card: Expected a preset of this installation .*other/],
		['imgproxy', 'card', 'preset:card', /^presets\.imgproxy\.card: Expected presets without a circle/],
		['ipx', 'card', 'w_wide', /^presets\.ipx\.card: .*wide/],
		['cloudinary', 'card', 'w_wide', /^presets\.cloudinary\.card: .*wide/],
		['cloudinary', 'card', 't_card', /^presets\.cloudinary\.card: .*circle/],
	] as const)('of %s named %s with %s are reported', (dialect, name, text, problem) => {
		expect(problemsOfPresets({ ...none, [dialect]: new Map([[name, text]]) })).toEqual([
			expect.stringMatching(problem),
		]);
	});
});

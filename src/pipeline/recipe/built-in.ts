/**
 * The recipes that every installation has, as a person would write them. A recipes file may replace them. All of them ask for `phash`, so
 * that near-duplicates are found whichever of them a picture came with.
 */

const webp = [{ webp: {} }];
const jpeg = [{ jpeg: { quality: 85 } }];
const wide = (width: number) => ({ steps: [{ resize: { width, withoutEnlargement: true } }], encode: webp });

/** Cut to a shape around what draws the eye. */
const cut = (width: number, height: number) => ({ resize: { width, height, position: 'attention' } });
/** The same cut at another size: two variants of one picture must not show different parts of it. */
const smaller = (from: string, width: number, encode: unknown = webp) => ({
	from,
	steps: [{ resize: { width } }],
	encode,
});

export const builtInRecipes: Readonly<Record<string, unknown>> = {
	web: {
		doc: 'Three widths for a page, never enlarged, and a square thumbnail cut to what draws the eye.',
		analyse: ['thumbhash', 'phash'],
		variants: {
			large: wide(1600),
			medium: wide(800),
			small: wide(400),
			thumb: { steps: [cut(300, 300)], encode: webp },
		},
	},
	avatar: {
		doc: 'A square around what draws the eye, in three sizes that all show the same part of the picture.',
		analyse: ['thumbhash', 'phash'],
		variants: {
			large: { steps: [cut(512, 512)], encode: webp },
			medium: smaller('large', 192),
			small: smaller('large', 64),
		},
	},
	product: {
		doc: 'The whole article, never cut and never enlarged, in the middle of a white square; and larger as it is, to zoom in.',
		analyse: ['thumbhash', 'phash'],
		variants: {
			zoom: {
				steps: [{ resize: { width: 2400, height: 2400, fit: 'inside', withoutEnlargement: true } }],
				encode: [{ webp: { quality: 85 } }],
			},
			main: {
				steps: [
					{
						resize: { width: 1000, height: 1000, fit: 'contain', withoutEnlargement: true, background: '#ffffff' },
					},
				],
				// Market places and mail want JPEG.
				encode: [{ webp: {} }, ...jpeg],
			},
			card: smaller('main', 480),
			thumb: smaller('main', 160),
		},
	},
	social: {
		doc: 'The shapes that social networks show, as JPEG, which all of them take: Open Graph (1200 × 630), square (1080 × 1080) and story (1080 × 1920).',
		analyse: ['phash'],
		variants: {
			og: { steps: [cut(1200, 630)], encode: jpeg },
			square: { steps: [cut(1080, 1080)], encode: jpeg },
			story: { steps: [cut(1080, 1920)], encode: jpeg },
		},
	},
	archive: {
		doc: 'One copy that loses nothing of what is seen: full size, upright, in its own colours, 8 bits a channel; as the smallest PNG, an animation as lossless WebP.',
		analyse: ['phash'],
		variants: { lossless: { colour: 'keep', encode: [{ auto: { formats: ['png', 'webp'], lossless: true } }] } },
	},
};

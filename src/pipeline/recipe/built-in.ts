/**
 * The built-in recipes, in the form that a user would write. A recipes file may replace them. All of them request `phash`, so that
 * near-duplicates are found whichever recipe a picture has.
 */

const webp = [{ webp: {} }];
const jpeg = [{ jpeg: { quality: 85 } }];
const wide = (width: number) => ({ steps: [{ resize: { width, withoutEnlargement: true } }], encode: webp });

/** Cropped to an aspect ratio around the most eye-catching part. */
const cut = (width: number, height: number) => ({ resize: { width, height, position: 'attention' } });
/** The same crop at another size: two variants of one picture must not show different parts of it. */
const smaller = (from: string, width: number, encode: unknown = webp) => ({
	from,
	steps: [{ resize: { width } }],
	encode,
});

export const builtInRecipes: Readonly<Record<string, unknown>> = {
	web: {
		doc: 'Three widths for a page, never enlarged, and a square thumbnail of the most eye-catching part.',
		analyse: ['thumbhash', 'phash'],
		variants: {
			large: wide(1600),
			medium: wide(800),
			small: wide(400),
			thumb: { steps: [cut(300, 300)], encode: webp },
		},
	},
	avatar: {
		doc: 'A square of the most eye-catching part in three sizes, which all show the same part of the picture.',
		analyse: ['thumbhash', 'phash'],
		variants: {
			large: { steps: [cut(512, 512)], encode: webp },
			medium: smaller('large', 192),
			small: smaller('large', 64),
		},
	},
	product: {
		doc: 'The whole product on a white square, never cropped and never enlarged, and a larger version to zoom in.',
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
				// Marketplaces and mail require JPEG.
				encode: [{ webp: {} }, ...jpeg],
			},
			card: smaller('main', 480),
			thumb: smaller('main', 160),
		},
	},
	social: {
		doc: 'JPEGs for social networks: Open Graph (1200 × 630), square (1080 × 1080) and story (1080 × 1920).',
		analyse: ['phash'],
		variants: {
			og: { steps: [cut(1200, 630)], encode: jpeg },
			square: { steps: [cut(1080, 1080)], encode: jpeg },
			story: { steps: [cut(1080, 1920)], encode: jpeg },
		},
	},
	archive: {
		doc: 'A visually lossless copy: full size, upright, original colours, 8 bits per channel; PNG at best compression, animations as lossless WebP.',
		analyse: ['phash'],
		variants: { lossless: { colour: 'keep', encode: [{ auto: { formats: ['png', 'webp'], lossless: true } }] } },
	},
};

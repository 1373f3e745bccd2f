import { manifestVersion, type Picture, pictureIdTime } from '../../src/domain/picture.ts';
import { encodersOf } from '../../src/pipeline/encoders/index.ts';
import { parseRecipe, planVariants } from '../../src/pipeline/recipe/parse-recipe.ts';
import { variantDigest } from '../../src/pipeline/recipe/variant-digest.ts';
import { originalKey, pictureFolder, variantKey } from '../../src/storage/keys.ts';

/** A finished picture of a small recipe, for the pages. Digests and ids are created like real ones. */

const id = 'pic_01kbpx5c9ye8kr5pm3v1kxkq0a';
const folder = pictureFolder(id, pictureIdTime(id));
const sha256 = '9f0c3d0c4cf1b7fd7a2e8a6f9e0f5a3c1d2b4e6f8091a2b3c4d5e6f708192a3b';
const recipe = parseRecipe('card', {
	analyse: ['thumbhash'],
	variants: { card: { steps: [{ resize: { width: 640, height: 480 } }], encode: [{ webp: {} }] } },
});
const [variant] = planVariants(recipe.definition);
const [encoding] = variant?.encodings ?? [];
const [encoder] = encoding ? encodersOf(encoding.encoder, encoding.options) : [];
if (!variant || !encoding || !encoder) throw new Error('The recipe of the sample has no variant.');
const digest = variantDigest(sha256, variant, encoding);

const createdAt = new Date(pictureIdTime(id)).toISOString();

export const samplePicture: Picture = {
	version: manifestVersion,
	id,
	state: 'ready',
	revision: 2,
	createdAt,
	updatedAt: new Date(pictureIdTime(id) + 412).toISOString(),
	owner: 'shop',
	source: { key: originalKey(folder, 'jpg'), type: 'image/jpeg', bytes: 2_841_006, sha256, filename: 'lighthouse.jpg' },
	facts: { format: 'jpeg', width: 4_000, height: 3_000, frames: 1, alpha: false, orientation: 6, colourSpace: 'srgb' },
	recipe,
	priority: 0,
	tags: ['holiday', '2026'],
	meta: { caption: 'The lighthouse' },
	variants: [
		{
			name: variant.name,
			key: variantKey(folder, variant.name, digest, encoder.extension),
			format: encoder.name,
			type: encoder.type,
			width: 640,
			height: 480,
			bytes: 41_870,
			digest,
			sha256: '4b8f1f0e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2',
			milliseconds: 63.2,
		},
	],
	analysis: { thumbhash: '1QcSHQRnh493V4dIh4eXh1h4kJUI' },
};

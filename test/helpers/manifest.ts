import { folderOf } from '../../src/catalog/manifest.ts';
import {
	type AwaitedPicture,
	manifestVersion,
	newPictureId,
	pictureIdTime,
	type ReceivedPicture,
} from '../../src/domain/picture.ts';
import type { NamedRecipe } from '../../src/domain/recipe.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { originalKey, pictureFolder } from '../../src/storage/keys.ts';

/** A recipe of one variant. A different width makes a different recipe. */
export function makeRecipe(name = 'small', width = 400): NamedRecipe {
	return parseRecipe(name, { variants: { small: { steps: [{ resize: { width } }], encode: [{ webp: {} }] } } });
}

/** The manifest of a picture that was just accepted. Nothing of it is stored. */
export function makePicture(change: Partial<ReceivedPicture> = {}): ReceivedPicture {
	const id = change.id ?? newPictureId();
	const createdAt = new Date(pictureIdTime(id)).toISOString();
	return {
		version: manifestVersion,
		id,
		state: 'queued',
		revision: 1,
		createdAt,
		updatedAt: createdAt,
		source: {
			key: originalKey(pictureFolder(id, pictureIdTime(id)), 'jpg'),
			type: 'image/jpeg',
			bytes: 3,
			sha256: 'ab'.repeat(32),
			filename: 'holiday.jpg',
		},
		recipe: makeRecipe(),
		priority: 0,
		tags: [],
		variants: [],
		analysis: {},
		...change,
	};
}

/** A picture that was just accepted by URL. Nothing of it is stored. */
export function makeAwaited(url = 'https://example.org/a/holiday.jpg?signature=secret'): AwaitedPicture {
	const picture = makePicture();
	return {
		...picture,
		source: { key: originalKey(folderOf(picture.id), 'url'), url, filename: 'holiday.jpg' },
	};
}

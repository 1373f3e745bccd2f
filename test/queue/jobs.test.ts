import { describe, expect, it } from 'vitest';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import {
	fetchJob,
	fetchJobIdOf,
	fetchJobSchema,
	jobOf,
	pictureIdOfJob,
	processJob,
	processJobId,
	processJobIdOf,
	processJobSchema,
	processReasons,
	queueNames,
	sweepJobSchema,
} from '../../src/queue/jobs.ts';
import { makeAwaited, makePicture, makeRecipe } from '../helpers/manifest.ts';

const picture = makePicture({ owner: 'shop', requestId: 'request-1' });

describe('the id of a job', () => {
	it('is the same for the same picture, bytes and recipe, whatever else changes', () => {
		const later = { ...picture, state: 'failed' as const, revision: 9, tags: ['x'], priority: 5, requestId: 'other' };
		expect(processJobId(later)).toBe(processJobId(picture));
	});

	it.each([
		['picture', makePicture({ source: picture.source, recipe: picture.recipe })],
		['original', { ...picture, source: { ...picture.source, sha256: 'cd'.repeat(32) } }],
		['recipe', { ...picture, recipe: makeRecipe('small', 401) }],
	])('is different for another %s', (_what, other) => {
		expect(processJobId(other)).not.toBe(processJobId(picture));
	});

	it('does not depend on the name of a recipe, only on its result', () => {
		expect(processJobId({ ...picture, recipe: makeRecipe('other') })).toBe(processJobId(picture));
	});

	it('is valid in BullMQ: no colon, no bare number; and it names the picture', () => {
		const id = processJobId(picture);
		expect(id).toMatch(/^pic_[0-9a-z]{26}-[0-9a-f]{12}$/);
		expect(pictureIdOfJob(id)).toBe(picture.id);
	});

	it('follows from the job’s data alone', () => {
		for (const reason of processReasons) {
			expect(processJobIdOf(processJob(picture, reason))).toBe(processJobId(picture));
		}
	});
});

describe('the data of a job', () => {
	const data = processJob(picture, 'upload');

	it('contains what people want to see', () => {
		expect(data).toEqual({
			version: 1,
			pictureId: picture.id,
			reason: 'upload',
			recipe: { name: 'small', digest: picture.recipe.digest, variants: ['small'] },
			source: { type: 'image/jpeg', bytes: 3, sha256: 'ab'.repeat(32), filename: 'holiday.jpg' },
			owner: 'shop',
			requestId: 'request-1',
		});
	});

	it('is small even for the largest recipe, and contains no storage key', () => {
		const names = Array.from({ length: 50 }, (_, index) => `variant_number_${index}`.padEnd(32, 'x'));
		const recipe = parseRecipe('large', {
			variants: Object.fromEntries(names.map((name) => [name, { encode: [{ webp: {} }] }])),
		});
		const json = JSON.stringify(processJob({ ...picture, recipe }, 'upload'));
		expect(json.length).toBeLessThan(4_000);
		expect(json).not.toContain(picture.source.key);
	});

	it('survives Redis, as JSON', () => {
		expect(processJobSchema.parse(JSON.parse(JSON.stringify(data)))).toEqual(data);
		const { requestId: _requestId, ...without } = picture;
		const job = processJob(without, 'sweep');
		expect(processJobSchema.parse(JSON.parse(JSON.stringify(job)))).toEqual(job);
	});

	it.each<[string, unknown]>([
		['nothing', undefined],
		['no version', { ...data, version: undefined }],
		['a newer version', { ...data, version: 2 }],
		['a version as text', { ...data, version: '1' }],
		['no picture', { ...data, pictureId: undefined }],
		['half a byte', { ...data, source: { ...data.source, bytes: 0.5 } }],
		['variants that are no list', { ...data, recipe: { ...data.recipe, variants: 'small' } }],
	])('is refused with %s', (_what, bad) => {
		expect(processJobSchema.safeParse(bad).success).toBe(false);
	});

	it.each<[string, object]>([
		['an unknown field', { ...data, priority: 1 }],
		['an unknown field inside', { ...data, source: { ...data.source, key: 'pictures/x' } }],
		['an unknown reason', { ...data, reason: 'fun' }],
	])('is read, and kept, with %s: a newer version may have added it', (_what, newer) => {
		expect(processJobSchema.parse(newer)).toEqual(newer);
	});

	it('contains no picture fields of a newer version', () => {
		const source = { ...picture.source, colour: 'red' };
		expect(processJob({ ...picture, source }, 'upload')).toEqual(data);
	});

	it('of a sweep contains its version, and fields of a newer one', () => {
		expect(sweepJobSchema.safeParse({ version: 1 }).success).toBe(true);
		expect(sweepJobSchema.safeParse({ version: 2 }).success).toBe(false);
		expect(sweepJobSchema.parse({ version: 1, all: true })).toEqual({ version: 1, all: true });
	});
});

describe('the job of a picture that is still to be fetched', () => {
	const awaited = { ...makeAwaited(), owner: 'shop', requestId: 'request-1' };

	it('is a fetch with an id from the picture and its URL; afterwards it is a process job', () => {
		const { queue, id } = jobOf(awaited);
		expect(queue).toBe('fetches');
		expect(id).toMatch(/^pic_[0-9a-z]{26}-[0-9a-f]{12}$/);
		expect(pictureIdOfJob(id)).toBe(awaited.id);
		expect(jobOf({ ...awaited, state: 'failed', revision: 9, recipe: makeRecipe('other') })).toEqual({ queue, id });
		expect(jobOf({ ...awaited, source: { ...awaited.source, url: `${awaited.source.url}2` } }).id).not.toBe(id);
		expect(jobOf(picture)).toEqual({ queue: 'pictures', id: processJobId(picture) });
	});

	it('contains what people want to see, and leaves the rest of the URL to the manifest', () => {
		const data = fetchJob(awaited, 'upload');
		expect(data).toEqual({
			version: 1,
			pictureId: awaited.id,
			reason: 'upload',
			recipe: { name: 'small', digest: awaited.recipe.digest },
			source: {
				url: 'https://example.org/a/holiday.jpg?…',
				digest: expect.stringMatching(/^[0-9a-f]{12}$/),
				filename: 'holiday.jpg',
			},
			owner: 'shop',
			requestId: 'request-1',
		});
		expect(fetchJobSchema.parse(JSON.parse(JSON.stringify(data)))).toEqual(data);
		expect(fetchJobIdOf(data)).toBe(jobOf(awaited).id);
	});

	it('does not contain the URL once the picture is fetched', () => {
		const fetched = makePicture({ source: { ...picture.source, url: awaited.source.url } });
		expect(JSON.stringify(processJob(fetched, 'upload'))).not.toContain('example.org');
	});
});

it('queue names are valid in BullMQ and in a URL', () => {
	expect(new Set(queueNames).size).toBe(queueNames.length);
	for (const name of queueNames) expect(name).toMatch(/^[a-z]+$/);
});

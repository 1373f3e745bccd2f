import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../../src/catalog/catalog.ts';
import { writeManifest } from '../../../src/catalog/manifest.ts';
import { form, json, startTestApi, type TestApi } from '../../helpers/api.ts';
import { connected } from '../../helpers/connection.ts';
import { makePicture } from '../../helpers/manifest.ts';
import { photograph } from '../../helpers/pictures.ts';
import { shared } from '../../helpers/shared.ts';

const started = shared(async () => {
	const api = await startTestApi();
	const bytes = await photograph({ width: 64, height: 48 });
	for (const [name, tags] of [
		['IMG_1.jpg', 'red,all'],
		['img_2.jpg', 'blue,all'],
		['other.jpg', 'all'],
	] as const) {
		const response = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			body: form([[name, bytes]], ['tags', tags]),
		});
		expect(response.status).toBe(202);
	}
	return api;
});

const list = async (api: TestApi, query: string) => {
	const response = await fetch(`${api.url}/v1/${query}`);
	return { status: response.status, body: await json(response) };
};
const namesOf = (body: { pictures: { source: { filename: string } }[] }) =>
	body.pictures.map(({ source }) => source.filename);

describe('GET /v1/pictures', () => {
	it('lists summaries with their total, and whole pictures when asked', async () => {
		const api = started();
		const { body } = await list(api, 'pictures?tag=all');
		expect(body.total).toEqual({ count: 3, exact: true });
		const [summary] = body.pictures;
		expect(summary).toMatchObject({
			state: 'queued',
			tags: ['all'],
			variantCount: 0,
			links: { self: expect.any(String) },
		});
		expect(summary.links.variants).toHaveProperty('large');
		const full = await list(api, 'pictures?tag=all&view=full&limit=2');
		expect(full.body.pictures).toHaveLength(2);
		const one = await list(api, `pictures/${summary.id}`);
		expect(full.body.pictures[0]).toEqual(one.body);
		expect(await list(api, 'pictures?view=full&limit=51')).toMatchObject({
			status: 400,
			body: { code: 'invalid-field' },
		});
		// The next page is not counted again.
		expect((await list(api, `pictures?tag=all&cursor=${full.body.next}`)).body).not.toHaveProperty('total');
	});

	it('finds file names by their beginning, and times', async () => {
		const api = started();
		const { body } = await list(api, 'pictures?filename=img_&limit=1');
		expect(namesOf(body)).toEqual(['IMG_1.jpg']);
		expect(namesOf((await list(api, `pictures?filename=img_&cursor=${body.next}`)).body)).toEqual(['img_2.jpg']);
		expect(namesOf((await list(api, 'pictures?filename=img_&tag=blue')).body)).toEqual(['img_2.jpg']);
		const hour = (hours: number) => encodeURIComponent(new Date(Date.now() + hours * 3_600_000).toISOString());
		expect((await list(api, `pictures?since=${hour(-1)}&until=${hour(1)}`)).body.pictures).toHaveLength(3);
		expect((await list(api, `pictures?since=${hour(1)}`)).body).toMatchObject({
			pictures: [],
			total: { count: 0, exact: true },
		});
		expect((await list(api, `pictures?until=${hour(-1)}&tag=all`)).body.pictures).toEqual([]);
		expect(await list(api, 'pictures?since=yesterday')).toMatchObject({ status: 400, body: { code: 'invalid-field' } });
	});

	it('and one picture show the state that only the index knows', async () => {
		const api = await startTestApi();
		const catalog = openCatalog(await connected(), api.config.redisPrefix);
		const picture = makePicture();
		await writeManifest(api.storage, picture);
		await catalog.markProcessing(picture);
		expect((await list(api, `pictures/${picture.id}`)).body.state).toBe('processing');
		expect((await list(api, 'pictures?view=full')).body.pictures).toMatchObject([{ state: 'processing' }]);
		// What is no longer in storage is no longer there, whatever the index says.
		const gone = makePicture();
		await catalog.put(gone);
		expect((await list(api, `pictures/${gone.id}`)).status).toBe(404);
	});
});

describe('GET /v1/tags', () => {
	it('counts the pictures of each tag', async () => {
		const api = started();
		const { body } = await list(api, 'tags?limit=1');
		expect(body).toEqual({ tags: [{ tag: 'all', count: 3 }], next: '1' });
		const rest = (await list(api, `tags?cursor=${body.next}`)).body;
		expect(rest.tags.map(({ tag }: { tag: string }) => tag).sort()).toEqual(['blue', 'red']);
		expect(rest).not.toHaveProperty('next');
		expect((await list(api, 'tags?prefix=re')).body).toEqual({ tags: [{ tag: 'red', count: 1 }] });
	});
});

describe('GET /v1/index', () => {
	it('tells whether the index is whole', async () => {
		const api = await startTestApi();
		expect((await list(api, 'index')).body).toMatchObject({ complete: false, pictures: { queued: 0 } });
		await api.reindex();
		expect((await list(api, 'index')).body).toMatchObject({ complete: true });
	});
});

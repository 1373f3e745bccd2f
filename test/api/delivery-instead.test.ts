import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { json, startTestApi } from '../helpers/api.ts';
import { bytesOf, ready, signed, upload } from '../helpers/delivery.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { photograph } from '../helpers/pictures.ts';
import { fetchesFromHere, says, sends, startRemote } from '../helpers/remote.ts';

describe('what stands in', () => {
	it('for a picture that is being made is its placeholder', async () => {
		const photo = await photograph({ width: 300, height: 200 });
		const recipe = { analyse: ['thumbhash'], variants: { a: { encode: [{ webp: {} }] } } };
		const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true' });
		const worker = await api.startWorker();
		const id = await upload(api, photo, { recipe });
		await worker.stop();
		const answer = await fetch(`${api.url}/img/unsafe/w:50/plain/${id}@webp?placeholder`);
		expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
		expect((await sharp(await bytesOf(answer)).metadata()).format).toBe('png');
	});

	it('is the picture of the setting where another one cannot be made', async () => {
		const storage = await temporaryFolder();
		const first = await ready({ PICPIPE_STORAGE: `file:${storage}` }, await photograph({ width: 800, height: 100 }));
		const { api, id } = await ready({
			PICPIPE_STORAGE: `file:${storage}`,
			PICPIPE_DELIVERY_FALLBACK: first.id,
			PICPIPE_RENDER_FROM: 'original',
		});
		const manifest = await json(await fetch(`${api.url}/v1/pictures/${id}`));
		expect(manifest.state).toBe('ready');
		const original = (await api.keys()).find((key) => key.includes(`${id}/original`)) ?? '';
		await api.storage.put(original, Buffer.from('no picture any more'));
		const answer = await fetch(api.url + signed(`/w:80/plain/${id}@webp`));
		expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'public, max-age=30']);
		expect(await sharp(await bytesOf(answer)).metadata()).toMatchObject({ width: 80, height: 10 });
	});

	it('is the picture of the setting where the source has failed, and nothing where the address is wrong', async () => {
		const storage = await temporaryFolder();
		const first = await ready({ PICPIPE_STORAGE: `file:${storage}` }, await photograph({ width: 800, height: 100 }));
		const remote = await startRemote((request, response) =>
			request.url === '/page.jpg'
				? sends(Buffer.from('<!doctype html>'), { 'content-type': 'text/html' })(request, response)
				: says(404)(request, response),
		);
		const { api, id: broken } = await ready(
			{
				...fetchesFromHere,
				PICPIPE_STORAGE: `file:${storage}`,
				PICPIPE_DELIVERY_FALLBACK: first.id,
				PICPIPE_DELIVERY_HOSTS: '127.0.0.1',
				PICPIPE_FETCH_SCHEMES: 'http',
			},
			Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex'),
		);
		const get = (source: string) => fetch(api.url + signed(`/w:80/plain/${encodeURIComponent(source)}@webp`));
		for (const source of [`${remote.url}/gone.jpg`, `${remote.url}/page.jpg`, broken]) {
			const answer = await get(source);
			expect([source, answer.status, answer.headers.get('cache-control')]).toEqual([source, 200, 'public, max-age=30']);
			expect(await sharp(await bytesOf(answer)).metadata()).toMatchObject({ width: 80, height: 10 });
		}
		for (const [source, status, code] of [
			['http://example.org/a.jpg', 422, 'url-not-allowed'],
			['pic_01jzkwp9nbe0tvahm2q4c8s6rd', 404, 'picture-not-found'],
		] as const) {
			const answer = await get(source);
			expect([source, answer.status, (await json(answer)).code]).toEqual([source, status, code]);
		}
	});
});

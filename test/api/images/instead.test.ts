import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { addKey } from '../../../src/access/key-store.ts';
import { json, startTestApi } from '../../helpers/api.ts';
import { bytesOf, ready, signed, upload } from '../../helpers/delivery.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { colourDifference, photograph } from '../../helpers/pictures.ts';
import { fetchesFromHere, says, sends, startRemote } from '../../helpers/remote.ts';

describe('a stand-in', () => {
	it('for a picture in progress is its best known preview, in its aspect ratio', async () => {
		const photo = await photograph({ width: 300, height: 200 });
		const api = await startTestApi({
			...fetchesFromHere,
			PICPIPE_INLINE_RECIPES: 'true',
			PICPIPE_DELIVERY_HOSTS: '127.0.0.1',
			PICPIPE_FETCH_SCHEMES: 'http',
		});
		const worker = await api.startWorker();
		const kinds = ['thumbhash', 'placeholder', 'blurhash', 'dominant'];
		const analyses = [...kinds.map((kind) => [kind]), [], kinds];
		const ids = await Promise.all(
			analyses.map((analyse) =>
				upload(api, photo, { recipe: { analyse, variants: { a: { encode: [{ webp: {} }] } } } }),
			),
		);
		await worker.stop();
		const get = async (source: string) => {
			const answer = await fetch(`${api.url}/img/unsafe/w:50/plain/${encodeURIComponent(source)}@webp?placeholder`);
			const data = await bytesOf(answer);
			const { format, width = 0, height = 0 } = await sharp(data).metadata();
			expect([source, answer.status, answer.headers.get('cache-control')]).toEqual([source, 200, 'no-store']);
			expect(answer.headers.get('content-type')).toBe(`image/${format}`);
			return { data, format, shape: width / height, red: (await sharp(data).stats()).channels[0]?.mean ?? 0 };
		};
		const shown = await Promise.all(ids.map(get));
		expect(shown.map(({ format }) => format)).toEqual(['png', 'webp', 'png', 'png', 'png', 'png']);
		for (const { shape } of shown) expect(Math.abs(shape - 1.5)).toBeLessThan(0.2);
		expect(shown[5]?.data.equals(shown[0]?.data ?? Buffer.alloc(0))).toBe(true);
		const coarse = (data: Buffer) => sharp(data).resize(6, 4, { fit: 'fill' }).png().toBuffer();
		const differences = await Promise.all(
			shown.map(async ({ data }) => colourDifference(await coarse(data), await coarse(photo))),
		);
		for (const difference of differences.slice(0, 3)) expect(difference).toBeLessThan(20);
		expect(differences[4]).toBeGreaterThan(40);
		const { analysis } = await json(await fetch(`${api.url}/v1/pictures/${ids[3]}`));
		expect(shown[3]?.red).toBe(Number.parseInt(analysis.dominant.slice(1, 3), 16));
		expect([shown[4]?.red, shown[4]?.shape]).toEqual([0xcc, 1.5]);
		// Of one that is still to be fetched not even the shape is known.
		expect(await get('http://127.0.0.1/a.jpg')).toMatchObject({ format: 'png', shape: 1 });
		const whole = await fetch(`${api.url}/img/unsafe/w:50/plain/${ids[4]}@webp`, {
			headers: { prefer: 'respond-async' },
		});
		expect([whole.status, (await json(whole)).pictureId]).toEqual([202, ids[4]]);
	});

	it('is the configured picture if a picture cannot be rendered', async () => {
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

	it('is not the original of the configured picture for an unsigned URL', async () => {
		const storage = await temporaryFolder();
		const photo = await photograph({ width: 80, height: 10, gps: true });
		const first = await ready({ PICPIPE_STORAGE: `file:${storage}` }, photo);
		const { api, id } = await ready(
			{ PICPIPE_STORAGE: `file:${storage}`, PICPIPE_DELIVERY_FALLBACK: first.id, PICPIPE_DELIVERY_UNSIGNED: 'true' },
			Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex'),
		);
		await addKey(api.storage, { name: 'first', scopes: ['read'], limits: {} });
		await expect.poll(async () => (await fetch(`${api.url}/v1/recipes`)).status, { timeout: 15_000 }).toBe(401);
		for (const path of ['raw:1', 'skp:jpg']) {
			const answer = await fetch(`${api.url}/img/unsafe/${path}/plain/${id}`);
			expect([path, answer.status, (await json(answer)).code]).toEqual([path, 422, 'corrupt-picture']);
			const bySignature = await fetch(api.url + signed(`/${path}/plain/${id}`));
			expect([path, (await bytesOf(bySignature)).equals(photo)]).toEqual([path, true]);
		}
		expect((await fetch(`${api.url}/img/unsafe/w:20/plain/${id}`)).status).toBe(200);
	});

	it('is the configured picture if the source failed, and nothing if the URL is invalid', async () => {
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

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { form, json, startTestApi, type TestApi, untilFinished } from '../helpers/api.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { photograph, similarity } from '../helpers/pictures.ts';

const key = 'ab'.repeat(32);
const salt = 'cd'.repeat(32);

function signed(path: string, keyHex = key): string {
	const hmac = createHmac('sha256', Buffer.from(keyHex, 'hex')).update(Buffer.from(salt, 'hex')).update(path);
	return `/img/${hmac.digest('base64url')}${path}`;
}

async function ready(
	environment: Record<string, string> = {},
	picture?: Buffer,
): Promise<{ api: TestApi; id: string }> {
	const api = await startTestApi({ PICPIPE_DELIVERY_KEYS: `${key}:${salt}`, ...environment });
	await api.startWorker();
	const body = picture ?? (await photograph({ width: 900, height: 600 }));
	const created = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		headers: { 'content-type': 'image/jpeg' },
		body: new Uint8Array(body),
	});
	const { id } = await json(created);
	await untilFinished(api, id);
	return { api, id };
}

const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
const renderJobs = async (api: TestApi) => {
	const { queues } = await json(await fetch(`${api.url}/v1/queues`));
	const { counts } = queues.find((queue: { name: string }) => queue.name === 'renders');
	return counts.completed + counts.failed + counts.active + counts.waiting + counts.prioritized;
};

describe('a signed address', () => {
	it('is made once, kept, and served with what caches need', async () => {
		const { api, id } = await ready();
		const path = signed(`/rs:fill:300:200/plain/${id}@webp`);
		const first = await fetch(api.url + path);
		expect(first.status).toBe(200);
		const bytes = await bytesOf(first);
		expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 300, height: 200 });
		expect(Object.fromEntries(first.headers)).toMatchObject({
			'content-type': 'image/webp',
			'content-length': String(bytes.length),
			'cache-control': 'public, max-age=31536000, immutable',
			'accept-ranges': 'bytes',
			'access-control-allow-origin': '*',
			'cross-origin-resource-policy': 'cross-origin',
			'timing-allow-origin': '*',
			'x-content-type-options': 'nosniff',
		});
		expect(first.headers.get('vary') ?? '').not.toMatch(/accept\b/i);
		const etag = first.headers.get('etag') ?? '';
		expect(etag).toMatch(/^"[0-9a-f]{12}-/);
		expect(
			(await fetch(api.url + path, { headers: { 'if-none-match': etag, 'cache-control': 'max-age=0' } })).status,
		).toBe(304);
		const part = await fetch(api.url + path, { headers: { range: 'bytes=10-19' } });
		expect([part.status, await bytesOf(part)]).toEqual([206, bytes.subarray(10, 20)]);
		const head = await fetch(api.url + path, { method: 'HEAD' });
		expect([head.status, head.headers.get('content-length')]).toEqual([200, String(bytes.length)]);
		expect(await renderJobs(api)).toBe(1);
		expect((await api.keys()).filter((one) => one.includes('/render-'))).toHaveLength(1);
	});

	it.each([
		['of another key', (path: string) => signed(path, 'ef'.repeat(32))],
		['cut short', (path: string) => signed(path).replace(/(\/img\/.{20})[^/]*/, '$1')],
		['missing', (path: string) => `/img/unsafe${path}`],
		['of another path', (path: string) => signed(path).replace('rs:fill:300:200', 'rs:fill:3000:2000')],
		['of the path in another encoding', (path: string) => signed(path).replace('/rs:', '/%72s:')],
	])('whose signature is %s is refused', async (_what, address) => {
		const api = await startTestApi({ PICPIPE_DELIVERY_KEYS: `${key}:${salt}`, PICPIPE_DELIVERY_UNSIGNED: 'false' });
		const path = address('/rs:fill:300:200/plain/pic_01jzkwp9nbe0tvahm2q4c8s6rd@webp');
		const answer = await fetch(api.url + path);
		expect([answer.status, (await json(answer)).code]).toEqual([403, 'invalid-signature']);
	});

	it('that skips what is in its format already gives the original', async () => {
		const photo = await photograph({ width: 900, height: 600 });
		const { api, id } = await ready({}, photo);
		const skipped = await fetch(api.url + signed(`/skp:jpg/w:100/plain/${id}`));
		expect([skipped.status, skipped.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
		expect((await bytesOf(skipped)).equals(photo)).toBe(true);
		const made = await fetch(api.url + signed(`/skp:jpg/w:100/plain/${id}@webp`));
		expect(await sharp(await bytesOf(made)).metadata()).toMatchObject({ format: 'webp', width: 100 });
	});

	it('that has expired, or asks for what is not there or cannot be, says so', async () => {
		const { api, id } = await ready();
		const codeOf = async (path: string) => {
			const answer = await fetch(api.url + signed(path));
			return [answer.status, (await json(answer)).code];
		};
		expect(await codeOf(`/exp:1000000000/plain/${id}`)).toEqual([410, 'url-expired']);
		expect(await codeOf('/w:10/plain/pic_01jzkwp9nbe0tvahm2q4c8s6rd')).toEqual([404, 'picture-not-found']);
		expect(await codeOf(`/q:0.5/plain/${id}`)).toEqual([400, 'invalid-delivery-url']);
		expect(await codeOf(`/w:99999/plain/${id}`)).toEqual([400, 'invalid-delivery-url']);
		expect(await codeOf(`/nonsense:1/plain/${id}`)).toEqual([400, 'option-unsupported']);
		expect(await codeOf(`/w:10/plain/${'x'.repeat(5_000)}`)).toEqual([400, 'invalid-delivery-url']);
		expect(await codeOf(`/w:10/plain/https:%2F%2Fexample.org%2Fa.jpg`)).toEqual([403, 'source-not-allowed']);
		expect(await renderJobs(api)).toBe(0);
	});

	it('of the same steps as a variant gives the variant, and of a variant that is gone makes it again', async () => {
		const { api, id } = await ready();
		const { variants } = await json(await fetch(`${api.url}/v1/pictures/${id}`));
		const [{ name, format, bytes, key: stored }] = variants;
		const path = signed(`/variant:${name}:${format}/plain/${id}`);
		const kept = await fetch(api.url + path);
		expect([kept.status, (await bytesOf(kept)).length]).toEqual([200, bytes]);
		expect(await renderJobs(api)).toBe(0);
		const file = stored ?? (await api.keys()).find((one) => one.includes(`/${name}-`) && one.endsWith(`.${format}`));
		await api.storage.delete(file);
		const again = await fetch(`${api.url}${path}?now`);
		expect([again.status, (await bytesOf(again)).length > 0]).toEqual([200, true]);
	});

	it('goes with its picture', async () => {
		const { api, id } = await ready();
		const path = signed(`/w:50/plain/${id}@png`);
		expect((await fetch(api.url + path)).status).toBe(200);
		expect((await fetch(`${api.url}/v1/pictures/${id}`, { method: 'DELETE' })).status).toBe(204);
		expect((await fetch(api.url + path)).status).toBe(404);
		expect(await api.keys()).toEqual([]);
	});
});

describe('the best format', () => {
	it('follows Accept, with AVIF made after WebP', async () => {
		const { api, id } = await ready();
		const path = signed(`/w:120/plain/${id}@auto`);
		const get = (accept: string) => fetch(api.url + path, { headers: { accept } });
		const plain = await get('image/*');
		expect([plain.headers.get('content-type'), plain.headers.get('vary')]).toEqual([
			'image/jpeg',
			expect.stringMatching(/accept/i),
		]);
		const webp = await get('image/webp,*/*;q=0.8');
		expect(webp.headers.get('content-type')).toBe('image/webp');
		const first = await get('image/avif,image/webp,*/*;q=0.8');
		expect(first.headers.get('content-type')).toBe('image/webp');
		expect(first.headers.get('cache-control')).toBe('public, max-age=30');
		await expect
			.poll(async () => (await get(`image/avif,image/webp`)).headers.get('content-type'), {
				timeout: 20_000,
				interval: 200,
			})
			.toBe('image/avif');
	});
});

describe('what is not there yet', () => {
	it('is answered 202 where nobody wants to wait, and 404 nowhere', async () => {
		const { api, id } = await ready();
		const path = signed(`/w:77/plain/${id}@png`);
		const asked = await fetch(api.url + path, { headers: { prefer: 'respond-async' } });
		expect(asked.status).toBe(202);
		expect(asked.headers.get('retry-after')).toBe('1');
		expect(asked.headers.get('location')).toBe(path);
		expect((await fetch(api.url + path)).status).toBe(200);
		expect(await renderJobs(api)).toBe(1);
	});

	it('is made once for many requests at two apis', async () => {
		const { api, id } = await ready();
		const other = await startTestApi({
			PICPIPE_DELIVERY_KEYS: `${key}:${salt}`,
			PICPIPE_REDIS_PREFIX: api.config.redisPrefix,
			PICPIPE_STORAGE: api.config.storage,
		});
		const path = signed(`/rs:fit:444:444/plain/${id}@webp`);
		const answers = await Promise.all(
			Array.from({ length: 500 }, async (_, at) => {
				const answer = await fetch((at % 2 ? api : other).url + path);
				return `${answer.status} ${(await bytesOf(answer)).length}`;
			}),
		);
		expect(new Set(answers).size).toBe(1);
		expect(answers[0]).toMatch(/^200 /);
		expect(await renderJobs(api)).toBe(1);
	});

	it('does not keep uploads waiting, however many are asked for', async () => {
		const photo = await photograph({ width: 1600, height: 1200 });
		const { api, id } = await ready({}, photo);
		let answered = 0;
		const renders = Array.from({ length: 200 }, async (_, at) => {
			const answer = await fetch(api.url + signed(`/w:${at + 400}/plain/${id}@webp`));
			await answer.arrayBuffer();
			answered += 1;
			return answer.status;
		});
		await expect.poll(() => answered, { timeout: 20_000, interval: 20 }).toBeGreaterThan(0);
		const headers = { 'content-type': 'image/jpeg', prefer: 'wait=50' };
		const uploads = [1, 2, 3].map(async (seed) => {
			const body = new Uint8Array(await photograph({ width: 300, height: 200, seed }));
			return (await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', headers, body }))).state;
		});
		expect(await Promise.all(uploads)).toEqual(['ready', 'ready', 'ready']);
		// Had they waited for their turn behind all of these, none would be left.
		expect(answered).toBeLessThan(190);
		expect(new Set(await Promise.all(renders))).toEqual(new Set([200]));
	});

	it('is refused when too many wait already', async () => {
		const api = await startTestApi({
			PICPIPE_DELIVERY_KEYS: `${key}:${salt}`,
			PICPIPE_RENDER_QUEUE: '5',
			PICPIPE_RENDER_SECONDS: '2',
		});
		const worker = await api.startWorker();
		const created = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			headers: { 'content-type': 'image/jpeg' },
			body: new Uint8Array(await photograph({ width: 300, height: 200 })),
		});
		const { id } = await json(created);
		await untilFinished(api, id);
		await worker.stop();
		const statuses = await Promise.all(
			Array.from({ length: 20 }, async (_, at) => {
				const answer = await fetch(api.url + signed(`/w:${at + 10}/plain/${id}@webp`));
				return `${answer.status} ${answer.headers.get('retry-after')}`;
			}),
		);
		expect(statuses.filter((status) => status === '202 1')).toHaveLength(5);
		expect(statuses.filter((status) => status === '503 5')).toHaveLength(15);
	});
});

describe('a render that fails', () => {
	it('says why, and is not tried again at once', async () => {
		const { api, id } = await ready({ PICPIPE_MAX_OUTPUT_DIMENSION: '1000' });
		const path = signed(`/rs:force:3000:3000/el:1/plain/${id}@webp`);
		for (const _ of [1, 2]) {
			const answer = await fetch(api.url + path);
			expect([answer.status, (await json(answer)).code]).toEqual([422, 'output-too-large']);
		}
		expect(await renderJobs(api)).toBe(1);
	});
});

describe('a picture that lies elsewhere', () => {
	it('is fetched once, kept as a picture, and served like any other', async () => {
		const photo = await photograph({ width: 600, height: 400 });
		let asked = 0;
		const server = createServer((_request, response) => {
			asked += 1;
			response.setHeader('content-type', 'image/jpeg').end(photo);
		}).listen(0, '127.0.0.1');
		onTestFinished(() => void server.close());
		await once(server, 'listening');
		const { port } = server.address() as AddressInfo;
		const { api } = await ready({
			PICPIPE_DELIVERY_HOSTS: '127.0.0.1',
			PICPIPE_FETCH_SCHEMES: 'http',
			PICPIPE_FETCH_PORTS: String(port),
			PICPIPE_FETCH_NETWORKS: '127.0.0.1',
		});
		const path = (width: number) =>
			signed(`/w:${width}/plain/${encodeURIComponent(`http://127.0.0.1:${port}/a.jpg`)}@webp`);
		const answers = await Promise.all([60, 60, 80, 90].map((width) => fetch(api.url + path(width))));
		expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
		const widths = await Promise.all(answers.map(async (one) => (await sharp(await bytesOf(one)).metadata()).width));
		expect(widths).toEqual([60, 60, 80, 90]);
		expect(asked).toBe(1);
		const elsewhere = await fetch(api.url + signed(`/w:60/plain/${encodeURIComponent('http://example.org/a.jpg')}`));
		expect([elsewhere.status, (await json(elsewhere)).code]).toEqual([422, 'url-not-allowed']);
	});
});

describe('a stored result behind nginx', () => {
	it('is left to it, by the path of the setting and the storage key', async () => {
		const { api, id } = await ready({ PICPIPE_ACCEL_REDIRECT: '/stored/' });
		const answer = await fetch(api.url + signed(`/w:60/plain/${id}@webp`));
		expect(answer.headers.get('x-accel-redirect')).toMatch(
			new RegExp(`^/stored/pictures/\\d{4}/\\d\\d/\\d\\d/${id}/render-[0-9a-f]{12}\\.webp$`),
		);
		expect([answer.status, answer.headers.get('content-type'), (await bytesOf(answer)).length]).toEqual([
			200,
			'image/webp',
			0,
		]);
	});
});

describe('a render that can be made of a stored variant', () => {
	it('is, in the same size and nearly the same pixels, and no other is', async () => {
		const photo = await photograph({ width: 1600, height: 1067 });
		const recipe = JSON.stringify({
			variants: {
				big: { steps: [{ resize: { width: 1200 } }], encode: [{ webp: {} }] },
				poor: { steps: [{ resize: { width: 1000 } }], encode: [{ webp: { quality: 40 } }] },
			},
		});
		const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true' });
		await api.startWorker();
		const body = form([['a.jpg', photo]], ['recipe', recipe]);
		const created = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', body }));
		const { id } = created.pictures?.[0] ?? created;
		await untilFinished(api, id);
		// Whatever needs the original can't be made any more.
		const original = (await api.keys()).find((key) => key.includes(`${id}/original`)) ?? '';
		await api.storage.put(original, Buffer.from('no picture any more'));
		const get = (options: string, format = 'webp') => fetch(`${api.url}/img/unsafe/${options}/plain/${id}@${format}`);
		for (const [options, width, height] of [
			['w:300', 300, 200],
			['rs:fit:500:250', 375, 250],
			['rs:fill:200:200', 200, 200],
		] as const) {
			const answer = await get(options);
			const made = await bytesOf(answer);
			expect(await sharp(made).metadata()).toMatchObject({ width, height });
			const direct = await sharp(photo).resize(width, height).png().toBuffer();
			expect(await similarity(made, direct)).toBeGreaterThan(0.9);
		}
		for (const options of ['w:700', 'c:400:400/w:100', 'sm:0/w:100', 'w:300/q:95']) {
			expect([options, (await get(options)).status]).toEqual([options, 500]);
		}
		expect((await get('w:310', 'png')).status).toBe(500);
	});
});

describe('names', () => {
	it('of presets and files are taken', async () => {
		const folder = await temporaryFolder();
		await writeFile(`${folder}/recipes.yaml`, 'presets: { imgproxy: { small: "rs:fit:90:90/q:70" } }\n');
		const { api, id } = await ready({ PICPIPE_RECIPES: `${folder}/recipes.yaml` });
		const answer = await fetch(api.url + signed(`/pr:small/fn:my%20picture/att:1/plain/${id}@png`));
		expect(answer.headers.get('content-disposition')).toBe('attachment; filename="my picture.png"');
		expect(await sharp(await bytesOf(answer)).metadata()).toMatchObject({ format: 'png', width: 90, height: 60 });
	});
});

describe('what stands in', () => {
	it('for a picture that is being made is its placeholder, and for one that fails that of the setting', async () => {
		const photo = await photograph({ width: 300, height: 200 });
		const recipe = JSON.stringify({ analyse: ['thumbhash'], variants: { a: { encode: [{ webp: {} }] } } });
		const api = await startTestApi({ PICPIPE_INLINE_RECIPES: 'true' });
		const worker = await api.startWorker();
		const body = form([['a.jpg', photo]], ['recipe', recipe]);
		const created = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', body }));
		const { id } = created.pictures?.[0] ?? created;
		await untilFinished(api, id);
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
});

describe('addresses of others', () => {
	it('of IPX and Cloudinary are served where the settings say so', async () => {
		const { api, id } = await ready({ PICPIPE_IPX: 'true', PICPIPE_CLOUDINARY: 'true' });
		const ipx = await fetch(`${api.url}/ipx/s_200x100,f_webp/${id}`);
		expect(await sharp(await bytesOf(ipx)).metadata()).toMatchObject({ format: 'webp', width: 200, height: 100 });
		expect(ipx.headers.get('cache-control')).toBe('public, max-age=3600');
		const cloudinary = await fetch(`${api.url}/cld/demo/image/upload/c_fill,w_120,h_120/${id}.png?_a=xyz`);
		expect(await sharp(await bytesOf(cloudinary)).metadata()).toMatchObject({ format: 'png', width: 120, height: 120 });
	});

	it('are not served where they do not', async () => {
		const api = await startTestApi();
		for (const path of ['/ipx/_/x', '/cld/a/image/upload/x']) expect((await fetch(api.url + path)).status).toBe(404);
	});
});

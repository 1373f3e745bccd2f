import { writeFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { form, json, startTestApi, untilFinished } from '../../helpers/api.ts';
import { bytesOf, key, ready, renderJobs, salt, sharedReady, signed, upload } from '../../helpers/delivery.ts';
import { temporaryFolder } from '../../helpers/folder.ts';
import { photograph, similarity } from '../../helpers/pictures.ts';

/** For all tests whose api has no settings of its own. */
const anyReady = sharedReady();

describe('an unsigned URL', () => {
	const photo = () => photograph({ width: 300, height: 200, gps: true });
	const secret = 'k'.repeat(32);
	const open = { PICPIPE_DELIVERY_UNSIGNED: 'true', PICPIPE_API_KEYS: secret };
	const authorization = `Bearer ${secret}`;

	async function uploaded(environment: Record<string, string>) {
		const api = await startTestApi({ PICPIPE_DELIVERY_KEYS: `${key}:${salt}`, ...environment });
		await api.startWorker();
		const created = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			headers: { 'content-type': 'image/jpeg', prefer: 'wait=60', authorization },
			body: new Uint8Array(await photo()),
		});
		expect(created.status).toBe(201);
		const { id } = await json(created);
		return { api, id };
	}

	it('serves no originals once keys exist, in any spelling', async () => {
		const { api, id } = await uploaded(open);
		for (const options of ['raw:1', 'skp:jpg', 'skip_processing:jpeg', 'raw:1/att:1', 'skp:jpg/w:50']) {
			const answer = await fetch(`${api.url}/img/unsafe/${options}/plain/${id}`);
			const problem = await json(answer);
			expect([options, answer.status, problem.code]).toEqual([options, 403, 'invalid-signature']);
			expect(problem.detail).toContain('PICPIPE_DELIVERY_UNSIGNED_ORIGINALS');
			const bySignature = await fetch(api.url + signed(`/${options}/plain/${id}`));
			expect([options, (await bytesOf(bySignature)).equals(await photo())]).toEqual([options, true]);
		}
		// What is made of it has neither the place nor the bytes of the original.
		const made = await bytesOf(await fetch(`${api.url}/img/unsafe/sm:0/f:jpg/plain/${id}`));
		const { exif } = await sharp(made).metadata();
		expect(exif?.length).toBeGreaterThan(0);
		expect(exif?.includes(Buffer.from([0x25, 0x88]))).toBe(false);
	});

	it('serves originals if the configuration allows it', async () => {
		const { api, id } = await uploaded({ ...open, PICPIPE_DELIVERY_UNSIGNED_ORIGINALS: 'true' });
		const answer = await fetch(`${api.url}/img/unsafe/raw:1/plain/${id}`);
		expect((await bytesOf(answer)).equals(await photo())).toBe(true);
	});
});

describe('a signed URL', () => {
	it('is rendered once, stored, and served with cache headers', async () => {
		const { api, id, renders } = await anyReady();
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
		const modified = first.headers.get('last-modified') ?? '';
		const since = (time: string) =>
			fetch(api.url + path, { headers: { 'if-modified-since': time, 'cache-control': 'max-age=0' } });
		expect((await since(modified)).status).toBe(304);
		const changed = await since(new Date(Date.parse(modified) - 1_000).toUTCString());
		expect([changed.status, await bytesOf(changed)]).toEqual([200, bytes]);
		const part = await fetch(api.url + path, { headers: { range: 'bytes=10-19' } });
		expect([part.status, await bytesOf(part)]).toEqual([206, bytes.subarray(10, 20)]);
		const head = await fetch(api.url + path, { method: 'HEAD' });
		expect([head.status, head.headers.get('content-length')]).toEqual([200, String(bytes.length)]);
		expect(await renders()).toBe(1);
		expect((await api.keys()).filter((one) => one.includes(id) && one.includes('/render-'))).toHaveLength(1);
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

	it('returns the original for a skipped format', async () => {
		const photo = await photograph({ width: 900, height: 600 });
		const { api, id } = await anyReady(photo);
		const skipped = await fetch(api.url + signed(`/skp:jpg/w:100/plain/${id}`));
		expect([skipped.status, skipped.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
		expect((await bytesOf(skipped)).equals(photo)).toBe(true);
		const made = await fetch(api.url + signed(`/skp:jpg/w:100/plain/${id}@webp`));
		expect(await sharp(await bytesOf(made)).metadata()).toMatchObject({ format: 'webp', width: 100 });
	});

	it('reports expiry, missing pictures and invalid options', async () => {
		const { api, id, renders } = await anyReady();
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
		expect(await renders()).toBe(0);
	});

	it('with an expiry is cached until then and no longer, also from memory', async () => {
		const { api, id } = await anyReady();
		const end = Math.floor(Date.now() / 1_000) + 300;
		const get = (path: string) => fetch(api.url + signed(path));
		let last = Number.POSITIVE_INFINITY;
		for (const path of [`/w:50/exp:${end}/plain/${id}@webp`, `/exp:${end}/raw:1/plain/${id}`]) {
			for (const _ of ['made', 'remembered']) {
				const before = Date.now();
				const answer = await get(path);
				const [, maxAge] = /^public, max-age=(\d+)$/.exec(answer.headers.get('cache-control') ?? '') ?? [];
				expect([path, answer.status, maxAge]).toEqual([path, 200, expect.any(String)]);
				last = Number(maxAge);
				expect(last).toBeLessThanOrEqual(Math.floor(end - before / 1_000));
				expect(last).toBeGreaterThanOrEqual(Math.floor(end - Date.now() / 1_000));
			}
		}
		// Of one answer in memory each request gets what is left at its time.
		const maxAgeNow = async () =>
			Number(/\d+/.exec((await get(`/w:50/exp:${end}/plain/${id}@webp`)).headers.get('cache-control') ?? '')?.[0]);
		await expect.poll(maxAgeNow, { timeout: 10_000 }).toBeLessThan(last);
		const far = await get(`/w:50/exp:${end + 100_000_000}/plain/${id}@webp`);
		expect(far.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
	});

	it('with the steps of a variant returns that variant, and makes it again if its file is gone', async () => {
		const { api, id, renders } = await anyReady();
		const { variants } = await json(await fetch(`${api.url}/v1/pictures/${id}`));
		const [{ name, format, bytes, key: stored }] = variants;
		const path = signed(`/variant:${name}:${format}/plain/${id}`);
		const kept = await fetch(api.url + path);
		expect([kept.status, (await bytesOf(kept)).length]).toEqual([200, bytes]);
		expect(await renders()).toBe(0);
		const file =
			stored ?? (await api.keys()).find((one) => one.includes(`${id}/${name}-`) && one.endsWith(`.${format}`));
		await api.storage.delete(file);
		const again = await fetch(`${api.url}${path}?now`);
		expect([again.status, (await bytesOf(again)).length > 0]).toEqual([200, true]);
	});

	it('ends with its picture', async () => {
		const { api, id } = await anyReady();
		const path = signed(`/w:50/plain/${id}@png`);
		expect((await fetch(api.url + path)).status).toBe(200);
		expect((await fetch(`${api.url}/v1/pictures/${id}`, { method: 'DELETE' })).status).toBe(204);
		expect((await fetch(api.url + path)).status).toBe(404);
		expect((await api.keys()).filter((one) => one.includes(id))).toEqual([]);
	});
});

describe('the best format', () => {
	it('follows Accept, and makes AVIF after WebP', async () => {
		const { api, id } = await anyReady();
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

describe('the best format without a deferred AVIF', () => {
	it.each([
		['now', 'image/avif'],
		['never', 'image/webp'],
	])('for %s is %s from the first response on', async (avif, type) => {
		const { api, id } = await ready({ PICPIPE_RENDER_AVIF: avif, PICPIPE_DELIVERY_MEGABYTES: '0' });
		for (const _ of ['made', 'stored']) {
			const answer = await fetch(api.url + signed(`/w:120/plain/${id}@auto`), {
				headers: { accept: 'image/avif,image/webp,*/*;q=0.8' },
			});
			expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type]);
			expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
			expect(answer.headers.get('vary')).toMatch(/accept/i);
		}
		expect(await renderJobs(api)).toBe(1);
	});
});

describe('an original that could run scripts', () => {
	it('is a download and never shown, in any spelling of the URL', async () => {
		const api = await startTestApi({ PICPIPE_SVG: 'true' });
		await api.startWorker();
		const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 40" onload="alert(1)"/>');
		const id = await upload(api, svg, { type: 'image/svg+xml' });
		for (const options of ['raw:1', 'skp:svg/w:20', 'raw:1/att:0', 'raw:1/fn:logo.png/att:0']) {
			for (const _ of ['read', 'remembered']) {
				const answer = await fetch(`${api.url}/img/unsafe/${options}/plain/${id}`);
				expect([options, answer.status, (await bytesOf(answer)).equals(svg)]).toEqual([options, 200, true]);
				expect(Object.fromEntries(answer.headers)).toMatchObject({
					'content-type': 'image/svg+xml',
					'content-disposition': expect.stringMatching(/^attachment\b/),
					'content-security-policy': "default-src 'none'; sandbox",
					'x-content-type-options': 'nosniff',
				});
			}
		}
	});
});

describe('a stored result behind nginx', () => {
	it('is sent by nginx, by the configured path and the storage key', async () => {
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

describe('a render that can use a stored variant', () => {
	it('uses it for the same size and nearly the same pixels, and only then', async () => {
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
	it('of presets and assets work', async () => {
		const folder = await temporaryFolder();
		await writeFile(`${folder}/recipes.yaml`, 'presets: { imgproxy: { small: "rs:fit:90:90/q:70" } }\n');
		const { api, id } = await ready({ PICPIPE_RECIPES: `${folder}/recipes.yaml` });
		const answer = await fetch(api.url + signed(`/pr:small/fn:my%20picture/att:1/plain/${id}@png`));
		expect(answer.headers.get('content-disposition')).toBe('attachment; filename="my picture.png"');
		expect(await sharp(await bytesOf(answer)).metadata()).toMatchObject({ format: 'png', width: 90, height: 60 });
	});
});

describe('URLs of other dialects', () => {
	it('of IPX and Cloudinary are served if enabled', async () => {
		const { api, id } = await ready({ PICPIPE_IPX: 'true', PICPIPE_CLOUDINARY: 'true' });
		const ipx = await fetch(`${api.url}/ipx/s_200x100,f_webp/${id}`);
		expect(await sharp(await bytesOf(ipx)).metadata()).toMatchObject({ format: 'webp', width: 200, height: 100 });
		expect(ipx.headers.get('cache-control')).toBe('public, max-age=3600');
		const cloudinary = await fetch(`${api.url}/cld/demo/image/upload/c_fill,w_120,h_120/${id}.png?_a=xyz`);
		expect(await sharp(await bytesOf(cloudinary)).metadata()).toMatchObject({ format: 'png', width: 120, height: 120 });
	});

	it('are not served otherwise', async () => {
		const api = await startTestApi();
		for (const path of ['/ipx/_/x', '/cld/a/image/upload/x']) expect((await fetch(api.url + path)).status).toBe(404);
	});
});

import { describe, expect, it } from 'vitest';
import { isSignedBy } from '../../../src/delivery/dialects/imgproxy.ts';
import { json } from '../../helpers/api.ts';
import { startKeyedApi } from '../../helpers/keys.ts';

const id = 'pic_01jzkwp9nbe0tvahm2q4c8s6rd';
const pairs = { PICPIPE_DELIVERY_KEYS: `${'aa'.repeat(16)}:${'0b'.repeat(16)},${'cc'.repeat(16)}:${'0d'.repeat(16)}` };

async function open(environment: Record<string, string> = pairs) {
	const { api, ask } = await startKeyedApi({ admin: {}, reader: { scopes: ['read'] } }, environment);
	return {
		api,
		async sign(body: object, key: 'admin' | 'reader' = 'admin') {
			const headers = { 'content-type': 'application/json' };
			const response = await ask(key, '/v1/sign', { method: 'POST', headers, body: JSON.stringify(body) });
			return { status: response.status, body: await json(response) };
		},
	};
}

describe('POST /v1/sign', () => {
	it('signs a URL that is served until it expires', async () => {
		const { api, sign } = await open();
		const { status, body } = await sign({ options: 'rs:fit:300:200', id, format: 'webp', expires: 60 });
		expect(status).toBe(200);
		expect(body.url).toBe(api.url + body.path);
		const [, signature = '', rest = ''] = /^\/img\/([^/]*)(\/.*)$/.exec(body.path) ?? [];
		expect(isSignedBy(rest, signature, api.config.deliveryKeys?.slice(0, 1) ?? [])).toBe(true);
		expect(rest).toMatch(new RegExp(`^/rs:fit:300:200/exp:\\d{10}/plain/${id}@webp$`));
		// The signature is good; only the picture is not there.
		expect(await json(await fetch(body.url))).toMatchObject({ code: 'picture-not-found' });
		const changed = await fetch(body.url.replace('300', '301'));
		expect(await json(changed)).toMatchObject({ code: 'invalid-signature' });
	});

	it('accepts a remote URL as the source', async () => {
		const { sign } = await open();
		const { body } = await sign({ options: 'q:80', url: 'https://example.org/a.jpg' });
		expect(body.path).toContain(`/q:80/${Buffer.from('https://example.org/a.jpg').toString('base64url')}`);
	});

	it('refuses invalid options, missing scopes, and signing without a key', async () => {
		const { sign } = await open();
		expect(await sign({ options: 'nothing:1', id })).toMatchObject({
			status: 400,
			body: { code: 'option-unsupported' },
		});
		expect(await sign({ options: 'q:80' })).toMatchObject({ status: 400, body: { code: 'invalid-field' } });
		expect(await sign({ options: 'q:80', id, url: 'https://example.org/' })).toMatchObject({ status: 400 });
		expect(await sign({ options: 'q:80', id, expires: 0 })).toMatchObject({ body: { code: 'invalid-field' } });
		expect(await sign({ options: 'q:80', id }, 'reader')).toMatchObject({ status: 403 });
		const without = await open({});
		expect(await without.sign({ options: 'q:80', id })).toMatchObject({
			status: 422,
			body: { code: 'delivery-keys-missing', detail: expect.stringContaining('PICPIPE_DELIVERY_KEYS') },
		});
	});
});

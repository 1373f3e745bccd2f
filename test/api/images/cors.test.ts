import { describe, expect, it } from 'vitest';
import { ask } from '../../arena/fixture.ts';
import { startTestApi } from '../../helpers/api.ts';
import { ready, signed } from '../../helpers/delivery.ts';
import { startKeyedApi } from '../../helpers/keys.ts';

const origin = 'https://app.example';
const listOf = (field: unknown) =>
	String(field)
		.split(',')
		.map((one) => one.trim().toLowerCase());

describe('a page of any other site', () => {
	it.each(['/img', '/ipx', '/cld'])(
		'may request pictures below %s from scripts, with and without API keys',
		async (root) => {
			const { api: keyed } = await startKeyedApi({ one: {} });
			for (const { url } of [await startTestApi(), keyed]) {
				const answer = await ask(url, `${root}/unsafe/w:80/plain/x`, {
					method: 'OPTIONS',
					headers: { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'prefer,range' },
				});
				expect([answer.status, answer.body]).toEqual([204, '']);
				expect(answer.headers).toMatchObject({
					'access-control-allow-origin': '*',
					'access-control-max-age': '86400',
					'content-length': '0',
				});
				expect(answer.headers['access-control-allow-credentials']).toBeUndefined();
				expect(listOf(answer.headers['access-control-allow-methods'])).toEqual(['get', 'head']);
				const allowed = listOf(answer.headers['access-control-allow-headers']);
				for (const name of ['prefer', 'range', 'if-none-match', 'if-modified-since']) expect(allowed).toContain(name);
				const plain = await ask(url, `${root}/unsafe/w:80/plain/x`, { method: 'OPTIONS' });
				expect([plain.status, plain.headers.allow]).toEqual([405, 'GET, HEAD']);
			}
		},
	);

	it('may read the required headers of a stored image, a render, a preflight and a refusal', async () => {
		const { api, id } = await ready();
		const path = signed(`/w:80/plain/${id}@webp`);
		for (const [address, headers, status] of [
			[path, { prefer: 'respond-async' }, 202],
			[path, {}, 200],
			[path, {}, 200],
			[path, { range: 'bytes=0-9' }, 206],
			[signed(`/w:80/plain/${id}@bmp`), {}, 400],
		] as const) {
			const answer = await fetch(api.url + address, { headers: { origin, ...headers } });
			await answer.arrayBuffer();
			expect([address, answer.status]).toEqual([address, status]);
			expect(answer.headers.get('access-control-allow-origin')).toBe('*');
			const exposed = listOf(answer.headers.get('access-control-expose-headers'));
			for (const name of ['retry-after', 'location', 'etag', 'content-range']) expect(exposed).toContain(name);
		}
	});
});

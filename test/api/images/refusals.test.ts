import { describe, expect, it } from 'vitest';
import { json, startTestApi } from '../../helpers/api.ts';
import { key, salt, signed, upload } from '../../helpers/delivery.ts';
import { bearer, startKeyedApi } from '../../helpers/keys.ts';
import { photograph } from '../../helpers/pictures.ts';

describe('a refusal', () => {
	it('is not cached, because the picture may exist a moment later', async () => {
		const { api, keys } = await startKeyedApi({ one: {} }, { PICPIPE_DELIVERY_KEYS: `${key}:${salt}` });
		const unknown = 'pic_01jzkwp9nbe0tvahm2q4c8s6rd';
		for (const [path, status] of [
			[signed(`/w:80/plain/${unknown}@webp`), 404],
			[signed(`/exp:1000000000/plain/${unknown}`), 410],
			[signed(`/nonsense:1/plain/${unknown}`), 400],
			[`/img/unsafe/w:80/plain/${unknown}`, 403],
			['/ipx/_/x', 404],
			[`/v1/pictures/${unknown}`, 404],
		] as const) {
			const answer = await fetch(api.url + path, { headers: bearer(keys.one) });
			expect([path, answer.status, answer.headers.get('cache-control')]).toEqual([path, status, 'no-store']);
		}
	});

	it('of a failed render is not cached either', async () => {
		const api = await startTestApi({ PICPIPE_MAX_OUTPUT_DIMENSION: '1000' });
		await api.startWorker();
		const id = await upload(api, await photograph({ width: 300, height: 200 }));
		const answer = await fetch(`${api.url}/img/unsafe/rs:force:3000:3000/el:1/plain/${id}@webp`);
		expect([answer.status, (await json(answer)).code, answer.headers.get('cache-control')]).toEqual([
			422,
			'output-too-large',
			'no-store',
		]);
	});
});

import sharp from 'sharp';
import { expect, it } from 'vitest';
import { json } from '../../helpers/api.ts';
import { bytesOf, key, ready, salt, signatureOf, signed } from '../../helpers/delivery.ts';

const second = '12'.repeat(32);
const unknown = 'ef'.repeat(32);

it('signatures of each configured pair are accepted in imgproxy and IPX URLs, and no others', async () => {
	const { api, id } = await ready({
		PICPIPE_DELIVERY_KEYS: `${key}:${salt},${second}:${salt}`,
		PICPIPE_DELIVERY_UNSIGNED: 'false',
		PICPIPE_IPX: 'true',
	});
	const path = `/w_80,f_webp/${id}`;
	const ipx = (signature: string) => `/ipx${path}?s=${signature}`;
	for (const pair of [key, second]) {
		for (const address of [signed(`/w:80/plain/${id}@webp`, pair), ipx(signatureOf(path, pair))]) {
			const answer = await fetch(api.url + address);
			expect([address, answer.status]).toEqual([address, 200]);
			expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
			expect(await sharp(await bytesOf(answer)).metadata()).toMatchObject({ format: 'webp', width: 80 });
		}
	}
	const good = signatureOf(path);
	for (const address of [
		signed(`/w:80/plain/${id}@webp`, unknown),
		ipx(signatureOf(path, unknown)),
		ipx(good.slice(0, 20)),
		ipx(''),
		`/ipx${path}`,
		`${ipx(good)}&s=${good}`,
		// Good for another address, that of a moment ago among them.
		ipx(good).replace('w_80', 'w_81'),
		ipx(signatureOf(`/w:80/plain/${id}@webp`)),
	]) {
		const answer = await fetch(api.url + address);
		expect([address, answer.status, (await json(answer)).code]).toEqual([address, 403, 'invalid-signature']);
	}
});

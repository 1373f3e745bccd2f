import buildPath, { ResizeType } from '@bitpatty/imgproxy-url-builder';
import { generateUrl } from '@imgproxy/imgproxy-js-core';
import { generateImageUrl } from '@imgproxy/imgproxy-node';
import { v2 as cloudinary } from 'cloudinary';
import sharp from 'sharp';
import { expect, it } from 'vitest';
import { signPath } from '../../../src/delivery/sign-path.ts';
import { imageUrl } from '../../../src/url.ts';
import { json, startTestApi, untilFinished } from '../../helpers/api.ts';
import { photograph } from '../../helpers/pictures.ts';

/** Addresses that programs of today make with keys of their own, asked for as a browser would. */

const key = '0123456789abcdef'.repeat(4);
const salt = 'fedcba9876543210'.repeat(4);
const secret = 'a-secret-of-cloudinary';

it('accepts URLs signed by other clients and refuses those signed with another key', async () => {
	const api = await startTestApi({
		PICPIPE_DELIVERY_KEYS: `${key}:${salt}`,
		PICPIPE_DELIVERY_UNSIGNED: 'false',
		PICPIPE_CLOUDINARY: 'true',
		PICPIPE_CLOUDINARY_SECRETS: secret,
	});
	await api.startWorker();
	const body = new Uint8Array(await photograph({ width: 900, height: 600 }));
	const headers = { 'content-type': 'image/jpeg' };
	const { id } = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', headers, body }));
	await untilFinished(api, id);

	const signedBy = (pair: { key: string; salt: string }, apiSecret: string) => ({
		'imgproxy-node': generateImageUrl({
			endpoint: `${api.url}/img/`,
			url: { value: id, displayAs: 'plain' },
			options: { resizing_type: 'fill', width: 200, height: 100, format: 'webp' },
			...pair,
		}),
		// It makes what is signed, and leaves signing to others.
		'imgproxy-js-core':
			api.url +
			signPath(
				generateUrl({ value: id, type: 'plain' }, { resizing_type: 'fill', width: 200, height: 100, format: 'webp' }),
				{ key: Buffer.from(pair.key, 'hex'), salt: Buffer.from(pair.salt, 'hex') },
			),
		'imgproxy-url-builder':
			api.url +
			'/img' +
			buildPath()
				.resize({ type: ResizeType.FILL, width: 200, height: 100 })
				.format('webp')
				.build({ path: id, signature: pair }),
		'picpipe/url': imageUrl({ base: api.url, ...pair }, id, { rs: 'fill:200:100' }, 'webp'),
		cloudinary: cloudinary
			.url(`${id}.webp`, {
				cloud_name: 'demo',
				api_secret: apiSecret,
				secure: true,
				secure_distribution: 'pictures.test',
				sign_url: true,
				width: 200,
				height: 100,
				crop: 'fill',
			})
			.replace('https://pictures.test', `${api.url}/cld`),
	});

	for (const [client, url] of Object.entries(signedBy({ key, salt }, secret))) {
		const answer = await fetch(url);
		const made = answer.status === 200 ? await sharp(await answer.arrayBuffer()).metadata() : await json(answer);
		expect([client, made]).toMatchObject([client, { format: 'webp', width: 200, height: 100 }]);
		expect(answer.headers.get('cache-control')).toContain('immutable');
	}
	for (const [client, url] of Object.entries(signedBy({ key: salt, salt: key }, 'another-secret-of-theirs'))) {
		const answer = await fetch(url);
		expect([client, answer.status, (await json(answer)).code]).toEqual([client, 403, 'invalid-signature']);
	}
	// However it was asked for, the same picture was made once.
	const { queues } = await json(await fetch(`${api.url}/v1/queues`));
	expect(queues.find((queue: { name: string }) => queue.name === 'renders').counts.completed).toBe(1);
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import sharp from 'sharp';
import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../helpers/api.ts';
import { bytesOf, ready, signed } from '../helpers/delivery.ts';
import { photograph } from '../helpers/pictures.ts';

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

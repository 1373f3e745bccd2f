import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { form, json, startTestApi, type TestApi } from '../../helpers/api.ts';

const svg = Buffer.from(
	'<?xml version="1.0"?><!-- a logo --><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 40" onload="alert(1)"><script>alert(2)</script><rect width="60" height="40" fill="#f00"/></svg>',
);

async function post(api: TestApi, body: Buffer, headers: Record<string, string> = {}) {
	const response = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		body: new Uint8Array(body),
		headers: { 'content-type': 'image/svg+xml', prefer: 'wait=30', ...headers },
	});
	return json(response);
}

describe('an SVG', () => {
	it('is refused unless a setting allows it, which the error names', async () => {
		const api = await startTestApi();
		expect(await post(api, svg)).toMatchObject({
			status: 415,
			code: 'unsupported-type',
			class: 'unsupported',
			detail:
				'Expected a picture (jpeg, png, webp, avif, heic, gif, tiff) but the bytes are image/svg+xml, which requires PICPIPE_SVG to be true.',
		});
		expect(await api.keys()).toEqual([]);
	});

	it('is rasterised if enabled, and never served as a page', async () => {
		const api = await startTestApi({ PICPIPE_SVG: 'true' });
		await api.startWorker();
		for (const [picture, saved] of [
			[await post(api, svg), 'attachment; filename=original.svg'],
			[
				await json(
					await fetch(`${api.url}/v1/pictures`, {
						method: 'POST',
						body: form([['logo.html', svg]]),
						headers: { prefer: 'wait=30' },
					}),
				),
				'attachment; filename=logo.html',
			],
		] as const) {
			expect(picture).toMatchObject({
				state: 'ready',
				source: { type: 'image/svg+xml' },
				facts: { format: 'svg', width: 60, height: 40, frames: 1 },
			});
			for (const variant of picture.variants) {
				const made = await fetch(api.url + variant.url);
				expect(made.headers.get('content-type')).toBe('image/webp');
				const { channels } = await sharp(await made.arrayBuffer()).stats();
				expect(channels[0]?.mean).toBeGreaterThan(250);
			}
			for (const method of ['GET', 'HEAD']) {
				const original = await fetch(api.url + picture.links.original, { method });
				expect(original.headers.get('content-type')).toBe('image/svg+xml');
				expect(original.headers.get('content-disposition')).toBe(saved);
				expect(original.headers.get('x-content-type-options')).toBe('nosniff');
				expect(original.headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
				if (method === 'GET') expect(Buffer.from(await original.arrayBuffer()).equals(svg)).toBe(true);
			}
		}
	});

	it('with external references is refused with the reason', async () => {
		const api = await startTestApi({ PICPIPE_SVG: 'true' });
		await api.startWorker();
		const reaching = svg.toString().replace('<rect', '<image href="file:///etc/hosts"/><rect');
		const picture = await post(api, Buffer.from(reaching));
		expect(picture).toMatchObject({
			state: 'failed',
			failure: { code: 'unsupported-feature', class: 'unsupported', step: 'inspect', attempt: 1 },
		});
		expect(picture.failure.message).toContain('<image> refers to "file:///etc/hosts"');
	});

	it('has its own limits, and is refused if compressed', async () => {
		const api = await startTestApi({ PICPIPE_SVG: 'true', PICPIPE_MAX_SVG_BYTES: '1000' });
		const large = Buffer.concat([svg, Buffer.from(`<!--${'x'.repeat(1_000)}-->`)]);
		expect(await post(api, large)).toMatchObject({
			status: 413,
			code: 'file-too-large',
			detail: 'Expected at most 1000 bytes for an SVG (PICPIPE_MAX_SVG_BYTES) but received more.',
		});
		expect(await post(api, gzipSync(svg))).toMatchObject({
			status: 415,
			code: 'unsupported-type',
			detail: expect.stringContaining('the bytes are application/gzip'),
		});
		expect(await api.keys()).toEqual([]);
	});
});

import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { routes } from '../../src/api/routes.ts';
import { form, json, untilFinished } from '../helpers/api.ts';
import { quickRecipe, smallDisk, startForFaults } from '../helpers/faults.ts';
import { photograph } from '../helpers/pictures.ts';
import { shared } from '../helpers/shared.ts';
import { bytesAt, tus } from '../helpers/tus.ts';

/** Only root may mount; everywhere else the title says that nothing was tested, and in CI that is a failure. */
const isRoot = process.getuid?.() === 0;
const title = isRoot ? 'a storage' : 'a storage: NOT TESTED, because only root may mount a small file system';

/** Bytes that the disk cannot hold when it is full, so that every write fails. */
const megabytes = 16;

/** What exists before the fault, so that every route finds its resource. */
async function prepare() {
	const disk = await smallDisk(megabytes);
	const picpipe = await startForFaults({ ...quickRecipe, PICPIPE_STORAGE: `file:${disk}`, PICPIPE_MIN_DISK_FREE: '0' });
	const { api } = await picpipe.ready();
	const bytes = await photograph({ width: 320, height: 240 });
	const post = async (path: string, body: object = {}) =>
		json(
			await fetch(api + path, {
				method: 'POST',
				headers: { 'content-type': 'application/json' },
				body: JSON.stringify(body),
			}),
		);
	const uploaded = await json(await fetch(`${api}/v1/pictures`, { method: 'POST', body: form([['a.jpg', bytes]]) }));
	await untilFinished({ url: api }, uploaded.id, 60_000);
	const created = await tus(`${api}/v1/uploads`, 'POST', { 'upload-length': String(bytes.length) });
	const partial = await tus(`${api}/v1/uploads`, 'POST', { 'upload-length': '9', 'upload-concat': 'partial' });
	const [batch, webhook] = [await post('/v1/batches'), await post('/v1/webhooks', { url: 'https://example.org/hook' })];
	const paths: Readonly<Record<string, string>> = {
		pictures: uploaded.id,
		uploads: created.headers.get('location')?.split('/').at(-1) ?? '',
		batches: batch.id,
		webhooks: webhook.id,
	};
	return { disk, api, bytes, paths, partial: partial.headers.get('location') ?? '' };
}

type Prepared = Awaited<ReturnType<typeof prepare>>;

/** Requests of a route that writes; what is not listed is sent with an empty JSON object. */
const requests: Readonly<Record<string, (at: Prepared) => readonly [path: string, init: RequestInit][]>> = {
	'POST /v1/pictures': ({ bytes }) => [
		['', { headers: { 'content-type': 'image/jpeg' }, body: new Uint8Array(bytes) }],
		['', { body: form([['a.jpg', bytes]]) }],
		['', { headers: { 'idempotency-key': '"a key"' }, body: form([['a.jpg', bytes]]) }],
		['', jsonBody({ url: 'https://example.org/a.jpg' })],
		['', { headers: { 'idempotency-key': '"other"' }, ...jsonBody({ urls: ['https://example.org/a.jpg'] }) }],
	],
	'POST /v1/uploads': ({ bytes }) => [
		['', { headers: { 'tus-resumable': '1.0.0', 'upload-length': '1000' } }],
		['', { headers: { 'tus-resumable': '1.0.0', 'upload-defer-length': '1' } }],
		['', { headers: { 'tus-resumable': '1.0.0', 'upload-length': '1000', 'upload-concat': 'partial' } }],
		[
			'',
			{
				headers: {
					'tus-resumable': '1.0.0',
					'upload-length': String(bytes.length),
					'content-type': 'application/offset+octet-stream',
				},
				body: new Uint8Array(bytes),
			},
		],
	],
	'PATCH /v1/uploads/:id': ({ bytes }) => [
		['', { headers: { 'tus-resumable': '1.0.0', ...bytesAt(0) }, body: new Uint8Array(bytes) }],
	],
	'DELETE /v1/uploads/:id': () => [['', { headers: { 'tus-resumable': '1.0.0' } }]],
	'POST /v1/batches': () => [
		['', jsonBody({})],
		['', jsonBody({ urls: ['https://example.org/a.jpg'] })],
	],
	'POST /v1/webhooks': () => [['', jsonBody({ url: 'https://example.org/other' })]],
	'POST /v1/pictures/:id/process': () => [['', jsonBody({ force: true })]],
};

function jsonBody(body: object): RequestInit {
	return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

interface Answer {
	readonly request: string;
	readonly status: number;
	readonly code: unknown;
	readonly retryAfter: string | null;
}

/** Sends something to every route that may write. Resources are deleted last. */
async function sendToAll(at: Prepared): Promise<Answer[]> {
	const writing = routes.filter(({ method }) => /^(POST|PATCH|DELETE)$/.test(method));
	const answers: Answer[] = [];
	for (const { method, path } of writing.toSorted((one, other) => rank(one) - rank(other))) {
		const where = path.replace(/:id/, at.paths[path.split('/')[2] ?? ''] ?? '').replace(/:\w+/, 'pictures');
		for (const [query, init] of requests[`${method} ${path}`]?.(at) ?? [
			['', method === 'DELETE' ? {} : jsonBody({})],
		]) {
			const response = await fetch(at.api + where + query, { method, ...init });
			const text = await response.text();
			const code = text.startsWith('{') ? JSON.parse(text).code : undefined;
			const { status, headers } = response;
			answers.push({ request: `${method} ${path}`, status, code, retryAfter: headers.get('retry-after') });
		}
	}
	return answers;
}

function rank({ method }: { readonly method: string }): number {
	return method === 'DELETE' ? 1 : 0;
}

/** Routes that must have written to the storage before they may answer. */
const storing =
	/^(POST \/v1\/(pictures|uploads|batches|webhooks)|PATCH \/v1\/uploads\/:id|POST \/v1\/pictures\/:id\/process|POST \/v1\/batches\/:id\/close)$/;

describe(title, () => {
	it('that can be mounted is available for the test', () => {
		if (process.env.CI) expect(isRoot, 'CI runs as root').toBe(true);
	});

	describe.runIf(isRoot).each([
		{
			fault: 'read-only',
			code: 'storage-unavailable',
			status: 503,
			begin: (disk: string) => void execFileSync('mount', ['-o', 'remount,ro', disk]),
		},
		{
			fault: 'full',
			code: 'storage-full',
			status: 507,
			begin: async (disk: string) => {
				await writeFile(join(disk, 'filler'), Buffer.alloc(megabytes * 1_000_000 * 2)).catch(() => {});
			},
		},
	])('that is $fault', ({ code, status, begin }) => {
		const running = shared(prepare);

		it(`answers every request that writes with ${status} and a reason, never with 500; reading goes on`, {
			timeout: 120_000,
		}, async () => {
			const at = running();
			await begin(at.disk);
			const answers = await sendToAll(at);
			for (const answer of answers) expect([500, 502], JSON.stringify(answer)).not.toContain(answer.status);
			const stored = answers.filter(({ request }) => storing.test(request));
			expect(stored.length).toBeGreaterThanOrEqual(14);
			for (const answer of stored) {
				expect(answer, JSON.stringify(answer)).toMatchObject({ status, code });
				if (status === 503) expect(answer.retryAfter).toMatch(/^\d+$/);
			}
			const picture = await fetch(`${at.api}/v1/pictures/${at.paths.pictures}/original`);
			// A full disk may let it be deleted.
			expect(code === 'storage-full' ? [200, 404] : [200]).toContain(picture.status);
			await picture.arrayBuffer();
		});
	});
});

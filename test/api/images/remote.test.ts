import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { json, startTestApi, type TestApi } from '../../helpers/api.ts';
import { bytesOf, key, ready, salt, signed } from '../../helpers/delivery.ts';
import { photograph } from '../../helpers/pictures.ts';
import { fetchesFromHere, type Remote, says, sends, startRemote } from '../../helpers/remote.ts';

const fromHere = { ...fetchesFromHere, PICPIPE_DELIVERY_HOSTS: '127.0.0.1', PICPIPE_FETCH_SCHEMES: 'http' };

const addressOf = ({ url }: Remote, width: number, name = 'a.jpg') =>
	signed(`/w:${width}/plain/${encodeURIComponent(`${url}/${name}`)}@webp`);

describe('a remote picture', () => {
	it('is fetched once, stored as a picture, and served like any other', async () => {
		const remote = await startRemote(sends(await photograph({ width: 600, height: 400 })));
		const { api } = await ready(fromHere);
		const answers = await Promise.all([60, 60, 80, 90].map((width) => fetch(api.url + addressOf(remote, width))));
		expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
		const widths = await Promise.all(answers.map(async (one) => (await sharp(await bytesOf(one)).metadata()).width));
		expect(widths).toEqual([60, 60, 80, 90]);
		expect(remote.requests).toHaveLength(1);
		const elsewhere = await fetch(api.url + signed(`/w:60/plain/${encodeURIComponent('http://example.org/a.jpg')}`));
		expect([elsewhere.status, (await json(elsewhere)).code]).toEqual([422, 'url-not-allowed']);
	});
});

describe('a host that redirects', () => {
	it('is followed to allowed hosts only, also in later attempts', async () => {
		const photo = await photograph({ width: 600, height: 400 });
		const remote = await startRemote((request, response) => {
			const { pathname, searchParams } = new URL(request.url ?? '', 'http://here');
			const to = searchParams.get('to');
			if (to === null) return sends(photo)(request, response);
			says(302, { location: `http://${to}:${remote.port}${pathname}` })(request, response);
		});
		const { api } = await ready({
			...fromHere,
			PICPIPE_RENDER_FAILURE_SECONDS: '0',
		});
		const get = (to: string) => fetch(api.url + addressOf(remote, 60, `a.jpg?to=${to}`));
		expect((await get('127.0.0.1')).status).toBe(200);
		for (const _ of ['first', 'again']) {
			const answer = await get('localhost');
			expect([answer.status, await json(answer)]).toMatchObject([
				422,
				{ code: 'url-not-allowed', detail: expect.stringContaining('PICPIPE_DELIVERY_HOSTS but received localhost') },
			]);
		}
		const asked = remote.requests.map(({ url }) => url);
		expect(asked).toEqual(['/a.jpg?to=127.0.0.1', '/a.jpg', '/a.jpg?to=localhost', '/a.jpg?to=localhost']);
	});
});

describe('a remote picture that could not be fetched', () => {
	it.each([
		['is missing there', says(404), 'remote-missing'],
		[
			'is a page',
			sends(Buffer.from('<!doctype html><title>Sorry</title>'), { 'content-type': 'text/html' }),
			'unsupported-type',
		],
		['is broken', sends(Buffer.from('ffd8ffe000104a46494600010100000100010000ffd9', 'hex')), 'corrupt-picture'],
	])(
		'because it %s is not fetched again at once, and then once for all who ask, and shown',
		async (_what, broken, code) => {
			const photo = await photograph({ width: 600, height: 400 });
			const remote = await startRemote(broken);
			const { api, id } = await ready({ ...fromHere, PICPIPE_RENDER_FAILURE_SECONDS: '5' });
			const other = await apiBeside(api);
			const codeOf = async () => (await json(await fetch(api.url + addressOf(remote, 60)))).code;
			expect([await codeOf(), await codeOf()]).toEqual([code, code]);
			expect(remote.requests).toHaveLength(1);

			remote.answer(sends(photo));
			// It is this time that is waited for.
			await sleep(5_100);
			const answers = await Promise.all(
				Array.from({ length: 40 }, async (_, at) => {
					const answer = await fetch((at % 2 ? api : other).url + addressOf(remote, 60));
					return `${answer.status} ${(await sharp(await bytesOf(answer)).metadata()).width}`;
				}),
			);
			expect(new Set(answers)).toEqual(new Set(['200 60']));
			expect(remote.requests).toHaveLength(2);
			const { pictures } = await json(await fetch(`${api.url}/v1/pictures`));
			expect(pictures.map(({ state }: { state: string }) => state)).toEqual(['ready', 'ready']);
			// Nothing of the attempt that failed is left, neither file nor job.
			const [{ id: fetchedId }] = pictures.filter((one: { id: string }) => one.id !== id);
			const originals = (await api.keys()).filter((one) => one.includes(`${fetchedId}/original`));
			expect(originals).toEqual([expect.stringMatching(/original\.\w+\.jpg$/)]);
			const { queues } = await json(await fetch(`${api.url}/v1/queues`));
			for (const { name, counts } of queues) expect([name, counts.failed]).toEqual([name, 0]);
		},
	);
});

/** Another api on the same storage and Redis. */
async function apiBeside({ config }: TestApi): Promise<TestApi> {
	return startTestApi({
		...fromHere,
		PICPIPE_DELIVERY_KEYS: `${key}:${salt}`,
		PICPIPE_REDIS_PREFIX: config.redisPrefix,
		PICPIPE_STORAGE: config.storage,
		PICPIPE_RENDER_FAILURE_SECONDS: String(config.renderFailureSeconds),
	});
}

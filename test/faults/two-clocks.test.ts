import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { pictureIdTime } from '../../src/domain/picture.ts';
import { json, untilFinished } from '../helpers/api.ts';
import { openClock } from '../helpers/clock.ts';
import { quickRecipe, until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { PicpipeProcess } from '../helpers/processes.ts';
import { startRedis } from '../helpers/redis.ts';
import { fetchesFromHere, says, sends, startRemote } from '../helpers/remote.ts';
import { endWithTest } from '../helpers/shared.ts';

const hour = 3_600_000;

/** One installation, of which each process may have another clock. The servers that pictures are fetched from count their requests. */
async function startInstallation(hours: number) {
	const redis = await startRedis();
	endWithTest(() => redis.stop());
	const folder = await temporaryFolder();
	const clock = await openClock();
	clock.jump(hours);
	const run = (command: 'api' | 'worker', isWrong = false) => {
		const environment = {
			...quickRecipe,
			...fetchesFromHere,
			REDIS_URL: redis.url,
			PICPIPE_SWEEP_SECONDS: '1',
			PICPIPE_RETRY_DELAY: '200',
			...(isWrong && clock.environment),
		};
		const one = new PicpipeProcess({ folder, command, environment });
		endWithTest(() => one.destroy());
		return one;
	};
	const asked = new Redis(redis.url.slice('unix://'.length));
	asked.on('error', () => {});
	endWithTest(() => asked.disconnect());
	return { redis, folder, run, asked };
}

async function listens(api: PicpipeProcess): Promise<string> {
	return String((await api.waitFor(({ msg }) => msg === 'API is listening')).address);
}

describe.each([
	['ahead', 24],
	['behind', -24],
] as const)('a process whose clock is a day %s', (_how, hours) => {
	it('starts no attempt early or late, loses nothing, and its pictures are as good as others', {
		timeout: 240_000,
	}, async () => {
		const { redis, folder, run, asked } = await startInstallation(hours);
		const ledger = new Ledger();

		// An api that has not heard Redis yet goes by its own clock, and so does the id of a picture.
		await redis.kill9();
		const wrongApi = run('api', true);
		const wrongUrl = await listens(wrongApi);
		await ledger.upload(wrongUrl, await photograph({ width: 320, height: 240 }));
		const [early = ''] = ledger.accepted.keys();
		expect(Math.round((pictureIdTime(early) - Date.now()) / hour)).toBe(hours);
		await redis.restart();

		const url = await listens(run('api'));
		await until('the api sees Redis', async () => (await fetch(`${url}/readyz`)).status === 200);
		await until('the wrong api sees Redis', async () => (await fetch(`${wrongUrl}/readyz`)).status === 200);
		const patient = await startRemote(says(503, { 'retry-after': '3600' }));
		const fetchFrom = async (remote: { readonly url: string }, name: string, api = url): Promise<string> => {
			const response = await fetch(`${api}/v1/pictures`, {
				method: 'POST',
				body: JSON.stringify({ url: `${remote.url}/${name}` }),
				headers: { 'content-type': 'application/json' },
			});
			return (await json(response)).id;
		};
		const requestsOf = (name: string) => patient.requests.filter((request) => request.url === `/${name}`).length;
		const delayed = async () => {
			const rows = await asked.zrange('picpipe:fetches:delayed', 0, -1, 'WITHSCORES');
			const [seconds] = (await asked.time()).map(Number) as [number, number];
			return rows.filter((_, at) => at % 2 === 1).map((score) => Number(score) / 0x1000 - seconds * 1_000);
		};
		const load = async (api: string, from: number) => {
			for (let at = from; at < from + 6; at++)
				await ledger.upload(api, withComment(await photograph({ width: 320, height: 240 }), `number ${at}`));
			await ledger.untilFinished(`file:${folder}`, 60_000);
		};

		// What waits for an hour by the right clock is not started by the wrong one,
		const right = run('worker');
		await fetchFrom(patient, 'first');
		await until('the first attempt has failed', async () => (await delayed()).length === 1);
		await right.stop();
		const wrong = run('worker', true);
		const { secondsAhead } = await wrong.waitFor(({ msg }) => msg?.startsWith('the clock of this machine') === true);
		expect(Math.round((Number(secondsAhead) * 1_000) / hour)).toBe(hours);
		await load(wrongUrl, 0);
		// nor the other way around,
		await fetchFrom(patient, 'second', wrongUrl);
		await until('another first attempt has failed', async () => (await delayed()).length === 2);
		run('worker');
		await load(url, 6);
		await load(wrongUrl, 12);
		expect([requestsOf('first'), requestsOf('second')]).toEqual([1, 1]);
		for (const wait of await delayed()) {
			expect(wait).toBeGreaterThan(hour / 2);
			expect(wait).toBeLessThanOrEqual(hour + 5_000);
		}

		// and what is due is started.
		let answers = 0;
		const bytes = await photograph({ width: 320, height: 240 });
		const brief = await startRemote((request, response) =>
			(answers++ % 2 === 0 ? says(503, { 'retry-after': '1' }) : sends(bytes))(request, response),
		);
		const soon = await fetchFrom(brief, 'third');
		expect(await untilFinished({ url }, soon, 60_000)).toMatchObject({ state: 'ready' });
		expect(brief.requests).toHaveLength(2);

		// The same by all APIs and in storage, whatever the time in their ids says.
		expect(await json(await fetch(`${url}/v1/pictures/${early}`))).toMatchObject({ id: early, state: 'ready' });
		for (const id of ledger.accepted.keys()) {
			const { state } = await json(await fetch(`${wrongUrl}/v1/pictures/${id}`));
			expect(state).toBe('ready');
		}
	});
});

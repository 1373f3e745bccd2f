import { request } from 'node:http';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openStorage } from '../../src/storage/index.ts';
import { listed } from '../contract/storage.ts';
import { loadSize, mixedPhotographs, momentOf, quickRecipe, rounds, startForFaults, until } from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import { twelveMegapixels } from '../helpers/pictures.ts';
import { startRedis } from '../helpers/redis.ts';
import { endWithTest, shared } from '../helpers/shared.ts';

describe.each(rounds)('kill -9 of the API, round %i', (round) => {
	const running = shared(async () => {
		const redis = await startRedis();
		endWithTest(() => redis.stop());
		const picpipe = await startForFaults({
			...quickRecipe,
			REDIS_URL: redis.url,
			PICPIPE_UPLOAD_SECONDS: '3',
			PICPIPE_ABANDONED_SECONDS: '4',
		});
		const { api, data } = await picpipe.ready();
		const storage = openStorage(`file:${data}`);
		const manifests = async () => (await listed(storage, 'pictures/')).filter((key) => key.endsWith('/picture.json'));
		return { redis, picpipe, api, data, storage, manifests };
	});

	it('during uploads keeps acknowledged pictures and nothing of the others', {
		timeout: 180_000,
	}, async () => {
		const { picpipe, api, data, storage, manifests } = running();
		const ledger = new Ledger();
		const bytes = await twelveMegapixels();
		const stalled = request(`${api}/v1/pictures`, {
			method: 'POST',
			headers: { 'content-type': 'image/jpeg', 'content-length': bytes.length },
		});
		stalled.on('error', () => {});
		stalled.write(bytes.subarray(0, bytes.length / 2));
		const uploads = ledger.uploadUntilAccepted(api, await mixedPhotographs());
		await until('half an original lies in storage', async () =>
			(await listed(storage, 'pictures/', { temporary: true })).some((key) => key.endsWith('.tmp')),
		);
		await until('some uploads are acknowledged', () => ledger.accepted.size >= momentOf(round));
		process.kill(picpipe.pidOf('api'), 'SIGKILL');
		await uploads;
		// Its connections broke; had none been under way, nothing would have been tested.
		expect(ledger.refused.length).toBeGreaterThan(0);
		await ledger.untilFinished(`file:${data}`, 90_000);
		// The sweep removes what has no manifest once it is old enough; then nothing is left without an owner.
		await until(
			'the abandoned uploads are removed',
			async () => (await listed(storage, 'pending/')).length === 0,
			60_000,
		);
		await ledger.expectWhole(`file:${data}`);
		await ledger.expectTold(picpipe.sink);
		expect(await manifests()).toHaveLength(loadSize);
	});

	it('between storing and queueing still ends with finished pictures', { timeout: 120_000 }, async () => {
		const { redis, picpipe, api, data, storage, manifests } = running();
		const earlier = (await manifests()).length;
		// Whoever wants to queue something now waits.
		process.kill(redis.pid, 'SIGSTOP');
		onTestFinished(() => void process.kill(redis.pid, 'SIGCONT'));
		const ledger = new Ledger();
		const files = await mixedPhotographs(12);
		const uploads = ledger.uploadAll(api, files, files.length);
		await until('one is stored', async () => (await manifests()).length > earlier);
		process.kill(picpipe.pidOf('api'), 'SIGKILL');
		await uploads;
		const stored = await manifests();
		// They were told nothing, and are in the storage.
		expect(stored.length - earlier).toBeGreaterThan(ledger.accepted.size);
		process.kill(redis.pid, 'SIGCONT');
		await until('all are finished', async () => (await listed(storage, 'pending/')).length === 0, 60_000);
		expect(await manifests()).toEqual(stored);
		await ledger.expectWhole(`file:${data}`);
	});
});

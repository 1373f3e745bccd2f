import { describe, expect, it, onTestFinished } from 'vitest';
import { json } from '../helpers/api.ts';
import { mixedPhotographs, momentOf, quickRecipe, rounds, startForFaults, until } from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph } from '../helpers/pictures.ts';
import { startRedis } from '../helpers/redis.ts';

describe.each(rounds)('SIGTERM under load, round %i', (round) => {
	it('finishes the work in progress, exits with 0 in time, leaves no process, and continues after the next start', {
		timeout: 240_000,
	}, async () => {
		const first = await startForFaults({ ...quickRecipe, PICPIPE_STOP_SECONDS: '20' });
		const { api, data } = await first.ready();
		const ledger = new Ledger();
		const uploads = ledger.uploadAll(api, await mixedPhotographs());
		await until('some are accepted', () => ledger.accepted.size >= momentOf(round));
		const started = performance.now();
		const { code } = await first.stop();
		expect(code).toBe(0);
		// Api, worker, Arena and Redis one after the other, each within its time.
		expect(performance.now() - started).toBeLessThan(60_000);
		await first.expectNoSurvivors(1_000);
		await uploads;
		// What was being received was finished and acknowledged; only later connections were refused.
		expect(ledger.refused.filter((answer) => /^\d/.test(answer))).toEqual([]);
		expect(first.lines.filter((line) => line.level === 'fatal')).toEqual([]);

		const second = await startForFaults(quickRecipe, first);
		expect((await second.ready()).data).toBe(data);
		await ledger.untilFinished(`file:${data}`, 120_000);
		await ledger.expectWhole(`file:${data}`);
		await ledger.expectTold(first.sink);
		expect((await second.stop()).code).toBe(0);
	});

	it('is not ready before it refuses connections, if it is configured to drain', { timeout: 120_000 }, async () => {
		const picpipe = await startForFaults({ ...quickRecipe, PICPIPE_DRAIN_SECONDS: '3' });
		const { api, data } = await picpipe.ready();
		const ledger = new Ledger();
		const uploads = ledger.uploadAll(api, await mixedPhotographs());
		await until('some are accepted', () => ledger.accepted.size >= 8);
		expect((await fetch(`${api}/readyz`)).status).toBe(200);
		picpipe.kill('SIGTERM');
		await until('it is not ready', async () => (await fetch(`${api}/readyz`)).status === 503, 2_000);
		expect(await json(await fetch(`${api}/readyz`))).toMatchObject({ status: 'stopping' });
		const during = new Ledger();
		expect(await during.upload(api, await photograph({ width: 320, height: 240 }))).toBe(true);
		expect((await picpipe.exited).code).toBe(0);
		await uploads;
		expect(ledger.refused.filter((answer) => /^\d/.test(answer))).toEqual([]);

		await startForFaults(quickRecipe, picpipe);
		for (const [id, one] of during.accepted) ledger.accepted.set(id, one);
		await ledger.untilFinished(`file:${data}`, 120_000);
		await ledger.expectWhole(`file:${data}`);
		await ledger.expectTold(picpipe.sink);
	});

	it('ends in time while Redis is away, and continues after the next start', { timeout: 180_000 }, async () => {
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		const environment = { ...quickRecipe, REDIS_URL: redis.url, PICPIPE_STOP_SECONDS: '60' };
		const first = await startForFaults(environment);
		const { api, data } = await first.ready();
		const ledger = new Ledger();
		const uploads = ledger.uploadAll(api, await mixedPhotographs());
		await until('some are accepted', () => ledger.accepted.size >= momentOf(round));
		await redis.kill9();
		const { code } = await first.stop();
		// No process waited for Redis until its time limit.
		expect(code).toBe(0);
		expect(first.lines.filter(({ msg = '' }) => /not finished after|did not stop in time/.test(msg))).toEqual([]);
		await first.expectNoSurvivors(1_000);
		await uploads;
		expect(ledger.refused.filter((answer) => /^\d/.test(answer))).toEqual([]);

		await redis.restart();
		await startForFaults(environment, first);
		await ledger.untilFinished(`file:${data}`, 120_000);
		await ledger.expectWhole(`file:${data}`);
		await ledger.expectTold(first.sink);
	});
});

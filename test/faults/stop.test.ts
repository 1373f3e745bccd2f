import { describe, expect, it } from 'vitest';
import { mixedPhotographs, momentOf, quickRecipe, rounds, startForFaults, until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { Ledger } from '../helpers/ledger.ts';

describe.each(rounds)('SIGTERM under load, round %i', (round) => {
	it('finishes what is under way, ends with 0 in time, leaves no process, and goes on after the next start', {
		timeout: 240_000,
	}, async () => {
		const folder = await temporaryFolder();
		const first = await startForFaults({ ...quickRecipe, PICPIPE_STOP_SECONDS: '20' }, folder);
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

		const second = await startForFaults(quickRecipe, folder);
		expect((await second.ready()).data).toBe(data);
		await ledger.untilFinished(`file:${data}`, 120_000);
		await ledger.expectWhole(`file:${data}`);
		expect((await second.stop()).code).toBe(0);
	});
});

import { request } from 'node:http';
import { describe, expect, it } from 'vitest';
import { openStorage } from '../../src/storage/index.ts';
import { listed } from '../contract/storage.ts';
import { mixedPhotographs, startForFaults, until } from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import { twelveMegapixels } from '../helpers/pictures.ts';

describe('kill -9 of the api', () => {
	it('in the middle of uploads keeps what was acknowledged and leaves nothing of the rest', {
		timeout: 180_000,
	}, async () => {
		const picpipe = await startForFaults({ PICPIPE_UPLOAD_SECONDS: '3', PICPIPE_ABANDONED_SECONDS: '4' });
		const { api, data } = await picpipe.ready();
		const storage = openStorage(`file:${data}`);
		const ledger = new Ledger();
		const bytes = await twelveMegapixels();
		const stalled = request(`${api}/v1/pictures`, {
			method: 'POST',
			headers: { 'content-type': 'image/jpeg', 'content-length': bytes.length },
		});
		stalled.on('error', () => {});
		stalled.write(bytes.subarray(0, bytes.length / 2));
		const uploads = (await mixedPhotographs(40)).map((file) => ledger.upload(api, file));
		await until('half an original lies in storage', async () =>
			(await listed(storage, 'pictures/', { temporary: true })).some((key) => key.endsWith('.tmp')),
		);
		await until('some uploads are acknowledged', () => ledger.accepted.size >= 5);
		process.kill(picpipe.pidOf('api'), 'SIGKILL');
		await Promise.all(uploads);
		await ledger.untilFinished(`file:${data}`, 90_000);
		// The sweep removes what has no manifest once it is old enough; then nothing is left without an owner.
		await until(
			'the abandoned uploads are removed',
			async () => (await listed(storage, 'pending/')).length === 0,
			60_000,
		);
		await ledger.expectWhole(`file:${data}`);
		expect(ledger.accepted.size).toBeGreaterThanOrEqual(5);
	});
});

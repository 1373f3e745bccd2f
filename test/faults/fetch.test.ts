import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { json } from '../helpers/api.ts';
import { selfSigned } from '../helpers/certificate.ts';
import { startForFaults, until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph } from '../helpers/pictures.ts';
import { startRedis } from '../helpers/redis.ts';
import { fetchesFromHere, sends, sendsHalf, startRemote } from '../helpers/remote.ts';
import { endWithTest, shared } from '../helpers/shared.ts';

/** As in `worker.test.ts`: from the death of a worker until its jobs begin again, milliseconds. */
const recovery = 40_000;

/** Accepted by address, and held to what the bytes will be. */
async function accept(api: string, ledger: Ledger, url: string, bytes: Buffer): Promise<string> {
	const response = await fetch(`${api}/v1/pictures`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ url }),
	});
	expect(response.status).toBe(202);
	const { id } = await json(response);
	ledger.accepted.set(id, { sha256: createHash('sha256').update(bytes).digest('hex') });
	return id;
}

describe('a picture that is being fetched', () => {
	const running = shared(async () => {
		const certificate = join(await temporaryFolder(), 'cert.pem');
		await writeFile(certificate, selfSigned.cert);
		const redis = await startRedis();
		endWithTest(() => redis.stop());
		const picpipe = await startForFaults({
			...fetchesFromHere,
			REDIS_URL: redis.url,
			PICPIPE_ATTEMPTS: '1',
			NODE_EXTRA_CA_CERTS: certificate,
		});
		const { api, data } = await picpipe.ready();
		return { redis, picpipe, api, data };
	});

	it('survives kill -9 of its worker without spending an attempt', { timeout: 120_000 }, async () => {
		const { picpipe, api, data } = running();
		const bytes = await photograph({ width: 640, height: 480 });
		const remote = await startRemote(sendsHalf(bytes), selfSigned);
		const ledger = new Ledger();
		await accept(api, ledger, `${remote.url}/photo.jpg`, bytes);
		await until('half of it has come', () => remote.open === 1);
		const from = picpipe.lines.length;
		process.kill(picpipe.pidOf('worker'), 'SIGKILL');
		await until('its connection is gone', () => remote.open === 0);
		remote.answer(sends(bytes));
		await picpipe.waitFor((line) => line.msg === 'worker is taking jobs', from);
		await ledger.untilFinished(`file:${data}`, recovery);
		await ledger.expectWhole(`file:${data}`);
		expect(remote.requests).toHaveLength(2);
	});

	it('is restored when Redis loses all its data between the 202 and the fetch', { timeout: 120_000 }, async () => {
		const { redis, api, data } = running();
		const bytes = await photograph({ width: 640, height: 480 });
		const remote = await startRemote(sends(bytes));
		const list = async () => (await json(await fetch(`${api}/v1/pictures`))).pictures;
		const earlier = (await list()).length;
		const pause = await fetch(`${api}/v1/queues/fetches/pause`, { method: 'POST' });
		expect(pause.status).toBe(200);
		const ledger = new Ledger();
		await accept(api, ledger, `${remote.url}/1.jpg`, bytes);
		await redis.wipe();
		// Accepted while there is no Redis at all.
		await accept(api, ledger, `${remote.url}/2.jpg`, bytes);
		expect(remote.requests).toEqual([]);
		await redis.restart();
		await ledger.untilFinished(`file:${data}`, 60_000);
		await ledger.expectWhole(`file:${data}`);
		expect(remote.requests.map(({ url }) => url).sort()).toEqual(['/1.jpg', '/2.jpg']);
		await until('the index is whole', async () => (await list()).length === earlier + 2);
	});
});

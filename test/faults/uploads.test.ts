import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { randomNumbers } from '../../scripts/random-numbers.ts';
import { json } from '../helpers/api.ts';
import { startForFaults, until } from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph } from '../helpers/pictures.ts';
import { shared } from '../helpers/shared.ts';
import { bytesAt, sendByTus, tus } from '../helpers/tus.ts';

describe('kill -9 of the API during resumable uploads', () => {
	const running = shared(() => startForFaults());

	it('loses and doubles none: every client resumes and gets its one picture', {
		timeout: 180_000,
	}, async () => {
		const picpipe = running();
		const { api, data } = await picpipe.ready();
		const random = randomNumbers(7);
		const base = await photograph({ width: 1000, height: 700, format: 'png' });
		const files = Array.from({ length: 8 }, (_, number) => Buffer.concat([base, Buffer.from(`number ${number}`)]));
		let open = files.length;
		const uploads = files.map(async (file) => {
			const chunkSize = Math.ceil(file.length / (3 + Math.floor(random() * 20)));
			const sent = await sendByTus(api, file, { chunkSize, retryDelays: Array(600).fill(100) });
			open--;
			return sent;
		});
		for (let kills = 0; kills < 3 && open > 0; kills++) {
			await sleep(50 + random() * 300);
			const pid = picpipe.pidOf('api');
			process.kill(pid, 'SIGKILL');
			await until('the api is there again', async () => {
				if (picpipe.pidOf('api') === pid) return false;
				return fetch(`${api}/healthz`).then(
					({ ok }) => ok,
					() => false,
				);
			});
		}
		const ledger = new Ledger();
		for (const [at, sent] of (await Promise.all(uploads)).entries()) {
			expect(sent, JSON.stringify(sent)).toMatchObject({ picture: expect.stringMatching(/^pic_/) });
			const sha256 = createHash('sha256')
				.update(files[at] ?? '')
				.digest('hex');
			ledger.accepted.set(sent.picture ?? '', { sha256 });
		}
		expect(ledger.accepted.size).toBe(files.length);
		await ledger.untilFinished(`file:${data}`, 60_000);
		expect((await json(await fetch(`${api}/v1/pictures`))).pictures).toHaveLength(files.length);
	});

	it('costs at most the bytes that were not stored, and a stop costs nothing', { timeout: 120_000 }, async () => {
		const picpipe = running();
		const { api } = await picpipe.ready();
		const bytes = await photograph({ width: 640, height: 480 });
		const created = await tus(`${api}/v1/uploads`, 'POST', { 'upload-length': String(bytes.length) });
		const url = `${api}${created.headers.get('location')}`;
		await tus(url, 'PATCH', bytesAt(0), bytes.subarray(0, 10_000));
		const stalled = async (from: number, signal: NodeJS.Signals) => {
			const pid = picpipe.pidOf('api');
			const send = () => {
				const body = new ReadableStream({
					start(controller) {
						controller.enqueue(new Uint8Array(bytes.subarray(from, from + 5_000)));
					},
				});
				const headers = { 'tus-resumable': '1.0.0', ...bytesAt(from) };
				return fetch(url, { method: 'PATCH', headers, body, duplex: 'half' } as RequestInit).catch(() => {});
			};
			let patch = send();
			// Until it holds the upload, so that its bytes are being taken. An api that was killed has held it for a while more.
			while ((await Promise.race([patch, sleep(1_000, 'held')])) !== 'held') patch = send();
			process.kill(pid, signal);
			await patch;
			await until('the api is there again', async () => picpipe.pidOf('api') !== pid);
			let offset: string | null = null;
			await until('the upload can be asked about', async () => {
				const answer = await tus(url, 'HEAD').catch(() => undefined);
				offset = answer?.headers.get('upload-offset') ?? null;
				return answer?.status === 200;
			});
			return Number(offset);
		};
		expect(await stalled(10_000, 'SIGKILL')).toBe(10_000);
		expect(await stalled(10_000, 'SIGTERM')).toBe(15_000);
		const last = await tus(url, 'PATCH', bytesAt(15_000), bytes.subarray(15_000));
		expect(last.headers.get('picpipe-picture')).toMatch(/^pic_/);
	});
});

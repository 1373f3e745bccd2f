import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { form, json } from '../helpers/api.ts';
import { startForFaults } from '../helpers/faults.ts';
import { photograph } from '../helpers/pictures.ts';

/** Far more than buffers and an untidied heap take, far less than the files. */
const growth = 50e6;

function residentBytes(pid: number): number {
	return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

it('large uploads stream through the API, which never holds a whole file', async () => {
	const picpipe = await startForFaults({ PICPIPE_SWEEP_SECONDS: '3600' });
	const { api } = await picpipe.ready();
	const pid = picpipe.pidOf('api');
	await fetch(`${api}/v1/queues/pictures/pause`, { method: 'POST' });
	// Anything may follow a picture's last byte; the api looks at the first ones only.
	const head = await photograph({ width: 640, height: 480 });
	const file = Buffer.concat([head, Buffer.alloc(60e6 - head.length)]);
	// V8 takes its room for young objects with the first one.
	await fetch(`${api}/v1/pictures`, { method: 'POST', body: form([['first.jpg', file]]) });
	const before = residentBytes(pid);
	let peak = before;
	const watch = setInterval(() => {
		peak = Math.max(peak, residentBytes(pid));
	}, 20);
	const uploads = ['a.jpg', 'b.jpg'].map(async (name) => {
		const response = await fetch(`${api}/v1/pictures`, { method: 'POST', body: form([[name, file]]) });
		return { status: response.status, bytes: (await json(response)).source.bytes };
	});
	const answers = await Promise.all(uploads);
	clearInterval(watch);
	expect(answers).toEqual(Array(2).fill({ status: 202, bytes: file.length }));
	expect(peak - before).toBeLessThan(growth);
});

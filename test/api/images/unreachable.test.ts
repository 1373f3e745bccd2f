import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { json, type TestApi, untilFinished } from '../../helpers/api.ts';
import { sharedReady, signed } from '../../helpers/delivery.ts';
import { photograph } from '../../helpers/pictures.ts';
import { fetchesFromHere, says, sends, startRemote } from '../../helpers/remote.ts';

/** Waits are for ten minutes and the next attempt is an hour away: an answer that arrives has not waited for either. */
const patient = sharedReady({
	...fetchesFromHere,
	PICPIPE_DELIVERY_HOSTS: '127.0.0.1,nothing.invalid',
	PICPIPE_FETCH_CONNECT_SECONDS: '1',
	PICPIPE_RETRY_DELAY: '3600000',
	PICPIPE_RENDER_SECONDS: '600',
});

/** A port that refuses connections. */
async function closedPort(): Promise<string> {
	const remote = await startRemote(says(200));
	await remote.stop();
	return remote.url;
}

/** A port that neither accepts nor refuses: its process is stopped and its queue of connections is full. */
async function silentPort(): Promise<string> {
	const listen =
		"require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, function () { console.log(this.address().port) })";
	const server = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
	onTestFinished(async () => {
		server.kill('SIGKILL');
		await once(server, 'exit');
	});
	const port = Number(String((await once(server.stdout, 'data'))[0]));
	server.kill('SIGSTOP');
	for (let isFull = false, asked = 0; !isFull; asked++) {
		if (asked === 20) throw new Error('Expected a full queue of connections but 20 were accepted.');
		const socket = connect(port, '127.0.0.1').on('error', () => {});
		onTestFinished(() => void socket.destroy());
		isFull = !(await Promise.race([once(socket, 'connect').then(() => true), sleep(300, false)]));
	}
	return `http://127.0.0.1:${port}`;
}

async function delayedFetches(api: Pick<TestApi, 'url'>): Promise<number> {
	const { queues } = await json(await fetch(`${api.url}/v1/queues`));
	return queues.find(({ name }: { name: string }) => name === 'fetches').counts.delayed;
}

const cases = [
	['refuses connections', closedPort, 'remote-unavailable', 'ECONNREFUSED'],
	['accepts no connection', silentPort, 'remote-timeout', 'within 1 s'],
	['has no IP address', async () => 'http://nothing.invalid', 'remote-unavailable', 'nothing.invalid'],
	['answers with an error', async () => (await startRemote(says(502))).url, 'remote-unavailable', '502'],
] as const;

it.each(cases)(
	'an image URL whose remote server %s is answered with the reason',
	async (_what, start, code, reason) => {
		const { api } = await patient();
		const source = encodeURIComponent(`${await start()}/a.jpg`);
		const before = await delayedFetches(api);
		// The second finds the fetch failed already, and all of them share one attempt.
		for (const path of [`/w:60/plain/${source}`, `/w:70/plain/${source}`]) {
			const answer = await fetch(api.url + signed(path));
			const { detail, ...problem } = await json(answer);
			expect([answer.status, problem]).toMatchObject([503, { code, class: 'transient' }]);
			expect(detail).toContain(reason);
			expect(answer.headers.get('cache-control')).toBe('no-store');
			// The jitter halves the delay at most.
			expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(1_790);
		}
		expect(await delayedFetches(api)).toBe(before + 1);
		// Who does not wait gets what there is.
		const placeholder = await fetch(`${api.url}${signed(`/w:60/plain/${source}`)}?placeholder`);
		expect([placeholder.status, placeholder.headers.get('content-type')]).toEqual([200, 'image/png']);
	},
);

it.each(cases)(
	'an upload by URL whose remote server %s is accepted with the reason',
	async (_what, start, code, reason) => {
		const { api } = await patient();
		const answer = await fetch(`${api.url}/v1/pictures`, {
			method: 'POST',
			headers: { 'content-type': 'application/json', prefer: 'wait=120' },
			body: JSON.stringify({ url: `${await start()}/a.jpg` }),
		});
		const picture = await json(answer);
		expect(answer.status).toBe(202);
		expect(picture).toMatchObject({ state: 'queued', retrying: { class: 'transient', code, step: 'fetch' } });
		expect(picture.retrying.message).toContain(reason);
		expect(Date.parse(picture.retrying.at)).toBeGreaterThan(Date.now() + 1_790_000);
	},
);

it('the fetch goes on after the answer', async () => {
	const { api } = await soon();
	const remote = await startRemote(says(503));
	const answer = await fetch(`${api.url}/v1/pictures`, {
		method: 'POST',
		headers: { 'content-type': 'application/json', prefer: 'wait=120' },
		body: JSON.stringify({ url: `${remote.url}/a.jpg` }),
	});
	const { id, retrying } = await json(answer);
	expect([answer.status, retrying.code]).toEqual([202, 'remote-unavailable']);
	remote.answer(sends(await photograph({ width: 60, height: 40 })));
	expect(await untilFinished(api, id)).toMatchObject({ state: 'ready' });
	expect(remote.requests.length).toBeGreaterThan(1);
});

const soon = sharedReady({ ...fetchesFromHere, PICPIPE_RETRY_DELAY: '500' });

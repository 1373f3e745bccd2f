import { afterEach, describe, expect, it } from 'vitest';
import { ConfigError } from '../../src/config/index.ts';
import { type Listening, listen } from '../../src/http/listen.ts';
import { ask } from '../arena/fixture.ts';

const variable = 'PICPIPE_PORT';
const opened: Listening[] = [];

async function open(host: string, port = 0): Promise<Listening> {
	const listening = await listen((_request, response) => response.end('here'), { host, port, variable });
	opened.push(listening);
	return listening;
}

async function problemsOf(host: string, port = 0): Promise<readonly string[]> {
	const error = await open(host, port).catch((thrown) => thrown);
	expect(error).toBeInstanceOf(ConfigError);
	return error.problems;
}

afterEach(() => {
	for (const { server } of opened.splice(0)) server.close();
});

describe('listen', () => {
	it.each(['127.0.0.1', 'localhost', '::1'])('returns its URL on %s', async (host) => {
		const { address } = await open(host);
		expect(address).toMatch(host === '::1' ? /^http:\/\/\[::1\]:\d+$/ : new RegExp(`^http://${host}:\\d+$`));
		expect((await ask(address, '/')).body).toBe('here');
	});

	it('names the setting of a used port, and the port', async () => {
		const { address } = await open('127.0.0.1');
		const { port } = new URL(address);
		expect(await problemsOf('127.0.0.1', Number(port))).toEqual([
			expect.stringMatching(new RegExp(`^PICPIPE_PORT: .*${port} on 127\\.0\\.0\\.1 is taken`)),
		]);
	});

	it.each(['192.0.2.1', 'no-such-host.invalid'])('names the setting of a foreign host: %s', async (host) => {
		expect(await problemsOf(host)).toEqual([expect.stringMatching(/^PICPIPE_HOST: /)]);
	});
});

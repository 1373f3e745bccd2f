import { once } from 'node:events';
import { stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { PicpipeProcess, type ProcessOptions, runPicpipe } from '../helpers/processes.ts';
import { freshPrefix, startRedis } from '../helpers/redis.ts';
import { temporaryFolder } from './folder.ts';

const running: PicpipeProcess[] = [];

function startPicpipe(options: ProcessOptions): PicpipeProcess {
	const picpipe = new PicpipeProcess(options);
	running.push(picpipe);
	return picpipe;
}

/** picpipe in a working folder of its own. */
function commandLine(cwd: string, ...command: string[]) {
	const cli = fileURLToPath(new URL('../../dist/bin/cli.js', import.meta.url));
	return { program: process.execPath, arguments: [cli, ...command], cwd };
}

afterEach(async () => {
	for (const one of running.splice(0)) await one.destroy();
});

async function takePort(server: Server): Promise<string> {
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	onTestFinished(() => void server.close());
	return String((server.address() as AddressInfo).port);
}

/** Speaks as much of Redis's protocol as it takes to ask for its version. */
const ancientRedis = () =>
	createServer((connection) => {
		connection.on('error', () => {});
		connection.on('data', (chunk) => {
			const info = 'redis_version:5.0.14\r\nloading:0\r\n';
			for (const command of chunk.toString().split(/(?=\*\d+\r\n)/)) {
				connection.write(/\r\ninfo\r\n/i.test(command) ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n');
			}
		});
	});

describe('problems for a person to solve', { timeout: 120_000 }, () => {
	test('are all reported at once, with exit code 2', async () => {
		const folder = await temporaryFolder();
		for (const command of ['start', 'api', 'worker', 'arena', 'reindex'] as const) {
			const { code, output } = await runPicpipe({
				command,
				folder,
				environment: { PICPIPE_PORT: 'none', PICPIPE_ARENA_PORT: '99999', PICPIPE_PROT: '1', REDIS_URL: 'http://x' },
			});
			expect(code, output).toBe(2);
			expect(output).toContain('The configuration has 4 problems:');
			expect(output).toContain('PICPIPE_PORT: expected');
			expect(output).toContain('PICPIPE_ARENA_PORT: expected');
			expect(output).toContain('PICPIPE_PROT: there is no such setting');
			expect(output).toContain('REDIS_URL: expected');
		}
	});

	test('are one block before any process starts: settings, the file .env, recipes and ports', async () => {
		const folder = await temporaryFolder();
		const port = await takePort(createServer());
		const recipes = join(folder, 'recipes.yaml');
		await writeFile(
			recipes,
			[
				'recipes:',
				'  shop:',
				'    variants:',
				'      large: { steps: [{ resize: { widht: 100, height: 5 } }], encode: [{ wepb: {} }] }',
				'presets:',
				'  imgproxy: { card: "rs:nonsense:3" }',
			].join('\n'),
		);
		await writeFile(
			join(folder, '.env'),
			`PICPIPE_PRT=4\nOTHER_PROGRAM=1\nPICPIPE_ARENA_PORT=${port}\nPICPIPE_RECIPES=none.yaml\n`,
		);
		// The environment goes before the file.
		const { code, output } = await runPicpipe({
			folder,
			run: commandLine(folder, 'start'),
			environment: { PICPIPE_RECIPES: recipes, PICPIPE_ARENA_PORT: undefined },
		});
		expect(code, output).toBe(2);
		expect(output.trim().split('\n')).toEqual([
			'The configuration has 5 problems:',
			'  - PICPIPE_PRT: there is no such setting (did you mean PICPIPE_PORT?)',
			`  - PICPIPE_RECIPES: ${recipes}:4:36: recipe "shop": variants.large.steps[0].resize.widht: expected no such key (did you mean width?)`,
			expect.stringMatching(
				/^ {2}- PICPIPE_RECIPES: .*recipes\.yaml:4:73: recipe "shop": variants\.large\.encode\[0\]: .* \(did you mean webp\?\)$/,
			),
			expect.stringMatching(
				/^ {2}- PICPIPE_RECIPES: .*recipes\.yaml:6:15: presets\.imgproxy\.card: Expected .* "nonsense"/,
			),
			expect.stringMatching(new RegExp(`^ {2}- PICPIPE_ARENA_PORT: expected a free port but ${port} `)),
		]);
	});

	test('include a command that does not exist; without one, help is printed and nothing starts', async () => {
		const folder = await temporaryFolder();
		const unknown = await runPicpipe({ folder, run: commandLine(folder, 'strat') });
		expect([unknown.code, unknown.output.trim()]).toEqual([1, "error: unknown command 'strat'\n(Did you mean start?)"]);
		const bare = await runPicpipe({ folder, run: commandLine(folder) });
		expect([bare.code, bare.output]).toEqual([0, expect.stringMatching(/^Usage: picpipe \[options\] \[command\]/)]);
	});

	test('name the setting of a used port, and nothing keeps running', async () => {
		const folder = await temporaryFolder();
		for (const name of ['PICPIPE_PORT', 'PICPIPE_ARENA_PORT']) {
			const port = await takePort(createServer());
			const picpipe = startPicpipe({ folder, environment: { [name]: port } });
			expect((await picpipe.exited).code, picpipe.output).toBe(2);
			expect(picpipe.output).toMatch(new RegExp(`^\\s*- ${name}: .*${port}`, 'm'));
			expect(picpipe.survivors()).toEqual([]);
		}
	});

	test('explain what to do without a Redis server on the PATH', async () => {
		const folder = await temporaryFolder();
		const { code, output } = await runPicpipe({ folder, environment: { PATH: folder } });
		expect(code, output).toBe(2);
		expect(output).toContain('REDIS_URL: expected the URL of a Redis, or redis-server or valkey-server on the PATH');
	});

	test('include a single role without REDIS_URL', async () => {
		const { code, output } = await runPicpipe({ command: 'worker', folder: await temporaryFolder() });
		expect(code, output).toBe(2);
		expect(output).toContain('REDIS_URL: expected the URL of a Redis because `picpipe worker` does not start one');
	});

	test('include a Redis older than 6.2', async () => {
		const folder = await temporaryFolder();
		const environment = { REDIS_URL: `redis://:secret@127.0.0.1:${await takePort(ancientRedis())}` };
		for (const command of ['start', 'api'] as const) {
			const { code, output } = await runPicpipe({ command, folder, environment });
			expect(code, output).toBe(2);
			expect(output).toContain('Expected Redis 6.2 or newer but this server is 5.0.14');
			expect(output).not.toContain('secret');
		}
	});

	test('include a Redis that requires a password', async () => {
		const folder = await temporaryFolder();
		const redis = await startRedis({ settings: ['--requirepass', 'right'] });
		onTestFinished(() => redis.stop());
		const { code, output } = await runPicpipe({ folder, environment: { REDIS_URL: redis.url } });
		expect(code, output).toBe(2);
		expect(output).toMatch(/REDIS_URL: .*NOAUTH/);
	});
});

describe('a configured Redis', { timeout: 120_000 }, () => {
	test('is used, and no other is started', async () => {
		const folder = await temporaryFolder();
		const redis = await startRedis({ settings: ['--maxmemory-policy', 'allkeys-lru'] });
		onTestFinished(() => redis.stop());
		const picpipe = startPicpipe({ folder, environment: { REDIS_URL: redis.url } });
		expect(await picpipe.ready()).toMatchObject({ redis: redis.url });
		await expect(stat(join(folder, 'redis'))).rejects.toMatchObject({ code: 'ENOENT' });
		await picpipe.waitFor((line) => /maxmemory-policy/.test(line.msg ?? '') && /warn|error/.test(line.level));
		expect(await picpipe.stop()).toMatchObject({ code: 0 });
	});

	test('may be away at the start', async () => {
		const folder = await temporaryFolder();
		const redis = await startRedis();
		onTestFinished(() => redis.stop());
		await redis.kill9();
		const picpipe = startPicpipe({ folder, environment: { REDIS_URL: redis.url, PICPIPE_STOP_SECONDS: '5' } });
		await picpipe.waitFor((line) => /is not responding; uploads are accepted/.test(line.msg ?? ''));
		await picpipe.waitFor((line) => line.msg === 'api is ready');
		await redis.restart();
		await picpipe.waitFor((line) => line.role === 'start' && line.msg === 'Redis is responding');
		await picpipe.ready();
		expect(await picpipe.stop()).toMatchObject({ code: 0 });
	});

	test('lets each role run alone', async () => {
		const folder = await temporaryFolder();
		const environment = { REDIS_URL: inject('redisUrl'), PICPIPE_REDIS_PREFIX: freshPrefix() };
		const all = (['api', 'worker', 'arena'] as const).map((command) => startPicpipe({ command, folder, environment }));
		for (const one of all) await one.waitFor((line) => / is ready$/.test(line.msg ?? ''));
		for (const one of all) {
			expect(await one.stop()).toEqual({ code: 0, signal: null });
			expect(one.survivors()).toEqual([]);
		}
	});
});

describe('picpipe reindex', { timeout: 120_000 }, () => {
	const result = (line: { role: string; pictures?: unknown }) => line.role === 'reindex' && line.pictures === 0;

	test('runs its own Redis while it runs, or uses the running one', async () => {
		const folder = await temporaryFolder();
		const alone = startPicpipe({ command: 'reindex', folder });
		expect((await alone.exited).code, alone.output).toBe(0);
		expect(alone.lines.some(result), alone.output).toBe(true);
		expect(alone.survivors()).toEqual([]);

		const picpipe = startPicpipe({ folder });
		await picpipe.ready();
		const beside = startPicpipe({ command: 'reindex', folder });
		expect((await beside.exited).code, beside.output).toBe(0);
		expect(beside.lines.some(result), beside.output).toBe(true);
		expect(picpipe.lines.filter((line) => line.level === 'error')).toEqual([]);
		expect(await picpipe.stop()).toMatchObject({ code: 0 });
	});

	test('uses REDIS_URL', async () => {
		const environment = { REDIS_URL: inject('redisUrl'), PICPIPE_REDIS_PREFIX: freshPrefix() };
		const { code, lines, output } = await runPicpipe({
			command: 'reindex',
			folder: await temporaryFolder(),
			environment,
		});
		expect(code, output).toBe(0);
		expect(lines.some(result), output).toBe(true);
	});
});

import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ConfigError, isLoopback, readConfig, settings } from '../../src/config/index.ts';
import { memory } from '../../src/config/memory.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { runPicpipe } from '../helpers/processes.ts';

function problemsOf(environment: NodeJS.ProcessEnv): readonly string[] {
	try {
		readConfig(environment);
		return [];
	} catch (error) {
		if (error instanceof ConfigError) return error.problems;
		throw error;
	}
}

const key = 'k3y-k3y-k3y-k3y-k3y';

describe('readConfig', () => {
	it('has safe defaults for everything required', () => {
		expect(readConfig({})).toMatchObject({
			host: '127.0.0.1',
			port: 3000,
			arenaHost: '127.0.0.1',
			arenaPort: 9000,
			dataFolder: './data',
			storage: 'file:data',
			redisPrefix: 'picpipe',
			defaultRecipe: 'web',
			maxBytes: 100 * 1024 * 1024,
			maxMegapixels: 50,
			imagingProcesses: memory.imagingProcesses,
			sharpThreads: 1,
			attempts: 5,
			logLevel: 'info',
		});
		expect(readConfig({}).redisUrl).toBeUndefined();
		expect(readConfig({}).apiKeys).toBeUndefined();
		expect(readConfig({}).megapixelsInFlight).toBeGreaterThanOrEqual(1);
	});

	it('has defaults that are valid values', () => {
		for (const one of Object.values(settings)) {
			if (one.default !== undefined) expect(one.parse(one.default), one.variable).toBeDefined();
		}
	});

	it('reads the given values', () => {
		const config = readConfig({
			PICPIPE_HOST: '0.0.0.0',
			PICPIPE_PORT: '0',
			PICPIPE_API_KEYS: `${key}, another-key-of-16`,
			PICPIPE_ARENA_HOST: '::',
			PICPIPE_ARENA_PASSWORD: 'correct horse',
			PICPIPE_DATA: '/srv/picpipe',
			REDIS_URL: 'rediss://user:secret@redis.example:6380/2',
			PICPIPE_UPLOAD_SECONDS: '10',
			PICPIPE_ABANDONED_SECONDS: '11',
			PICPIPE_LOG_LEVEL: 'trace',
		});
		expect(config).toMatchObject({
			host: '0.0.0.0',
			port: 0,
			apiKeys: [key, 'another-key-of-16'],
			arenaHost: '::',
			arenaPassword: 'correct horse',
			storage: 'file:/srv/picpipe',
			redisUrl: 'rediss://user:secret@redis.example:6380/2',
			uploadSeconds: 10,
			abandonedSeconds: 11,
			logLevel: 'trace',
		});
	});

	it('stores pictures at the storage URL, whatever the data folder', () => {
		expect(readConfig({ PICPIPE_DATA: '/a', PICPIPE_STORAGE: 'file:/b' }).storage).toBe('file:/b');
	});

	it('treats an empty variable as unset', () => {
		expect(readConfig({ PICPIPE_PORT: '', PICPIPE_API_KEYS: '', REDIS_URL: '' })).toEqual(readConfig({}));
	});

	it('reports every problem at once', () => {
		expect(
			problemsOf({
				PICPIPE_PORT: '65536',
				PICPIPE_MAX_BYTES: '100MB',
				PICPIPE_STORAGE: 'ftp://host',
				PICPIPE_LOG_LEVEL: 'loud',
				PICPIPE_PROT: '3000',
			}),
		).toEqual([
			'PICPIPE_PORT: expected an integer from 0 to 65535 (port; 0 takes a free one) but received "65536"',
			'PICPIPE_STORAGE: expected a storage URL such as file:./data but received "ftp://host"',
			'PICPIPE_MAX_BYTES: expected an integer from 1 to 1099511627776 (bytes) but received "100MB"',
			'PICPIPE_LOG_LEVEL: expected one of trace, debug, info, warn, error, fatal, silent but received "loud"',
			'PICPIPE_PROT: there is no such setting (did you mean PICPIPE_PORT?)',
		]);
		expect(() => readConfig({ PICPIPE_PORT: 'x', PICPIPE_PROT: '1' })).toThrow(
			/^The configuration has 2 problems:\n {2}- PICPIPE_PORT: .*\n {2}- PICPIPE_PROT: /,
		);
	});

	it.each(['-1', '1.5', '1e3', '0x10', ' 1', '1 ', '٣', 'NaN', '99999999999999999999'])(
		'refuses %j as a number',
		(bad) => {
			expect(problemsOf({ PICPIPE_MAX_FILES: bad })).toEqual([
				`PICPIPE_MAX_FILES: expected an integer from 1 to 10000 (files) but received ${JSON.stringify(bad)}`,
			]);
		},
	);

	it('accepts only true and false for a switch', () => {
		expect(readConfig({}).inlineRecipes).toBe(false);
		expect(readConfig({ PICPIPE_INLINE_RECIPES: 'true' }).inlineRecipes).toBe(true);
		expect(readConfig({ PICPIPE_INLINE_RECIPES: 'false' }).inlineRecipes).toBe(false);
		for (const bad of ['yes', '1', 'True', 'on']) {
			expect(problemsOf({ PICPIPE_INLINE_RECIPES: bad })).toEqual([
				`PICPIPE_INLINE_RECIPES: expected true or false but received "${bad}"`,
			]);
		}
	});

	it('has schemes, ports and networks for fetching, and no private networks unless they are listed', () => {
		expect(readConfig({})).toMatchObject({
			fetchSchemes: ['https', 'http'],
			fetchHosts: '*',
			fetchPorts: [80, 443],
			fetchNetworks: undefined,
			fetchRedirects: 5,
		});
		expect(
			readConfig({
				PICPIPE_FETCH_SCHEMES: 'HTTPS',
				PICPIPE_FETCH_HOSTS: 'Images.example.org, *.bücher.example, [2606:4700::1], example.net.',
				PICPIPE_FETCH_PORTS: '443, 8443',
				PICPIPE_FETCH_NETWORKS: '10.1.0.0/16, 127.0.0.1, fd00:1::/32, ::1',
			}),
		).toMatchObject({
			fetchSchemes: ['https'],
			fetchHosts: ['images.example.org', '*.xn--bcher-kva.example', '[2606:4700::1]', 'example.net'],
			fetchPorts: [443, 8443],
			fetchNetworks: ['10.1.0.0/16', '127.0.0.1/32', 'fd00:1::/32', '::1/128'],
		});
		expect(readConfig({ PICPIPE_FETCH_SCHEMES: 'none', PICPIPE_FETCH_PORTS: '*' })).toMatchObject({
			fetchSchemes: [],
			fetchPorts: '*',
		});
	});

	it.each([
		['PICPIPE_FETCH_SCHEMES', 'ftp'],
		['PICPIPE_FETCH_SCHEMES', 'https,s3'],
		['PICPIPE_FETCH_SCHEMES', 'https,none'],
		['PICPIPE_FETCH_HOSTS', 'https://example.org'],
		['PICPIPE_FETCH_HOSTS', 'example.org/path'],
		['PICPIPE_FETCH_HOSTS', 'example.org:443'],
		['PICPIPE_FETCH_HOSTS', 'example.org:80'],
		['PICPIPE_FETCH_HOSTS', 'me@example.org'],
		['PICPIPE_FETCH_HOSTS', 'images.*.org'],
		['PICPIPE_FETCH_HOSTS', 'a,,b'],
		['PICPIPE_FETCH_PORTS', '0'],
		['PICPIPE_FETCH_PORTS', '65536'],
		['PICPIPE_FETCH_PORTS', '80-90'],
		['PICPIPE_FETCH_NETWORKS', '10.0.0.0/33'],
		['PICPIPE_FETCH_NETWORKS', '10.0.0'],
		['PICPIPE_FETCH_NETWORKS', '::1/129'],
		['PICPIPE_FETCH_NETWORKS', 'localhost'],
		['PICPIPE_FETCH_NETWORKS', '10.0.0.0/8/8'],
		['PICPIPE_FETCH_NETWORKS', '*'],
	])('refuses %s=%s', (variable, bad) => {
		expect(problemsOf({ [variable]: bad })).toEqual([expect.stringContaining(`${variable}: expected `)]);
	});

	it('limits recipes', () => {
		expect(readConfig({})).toMatchObject({ maxVariants: 50, maxSteps: 50, maxOutputDimension: 30_000 });
		expect(
			problemsOf({ PICPIPE_MAX_VARIANTS: '0', PICPIPE_MAX_STEPS: '1001', PICPIPE_MAX_OUTPUT_DIMENSION: 'big' }),
		).toEqual([
			'PICPIPE_MAX_VARIANTS: expected an integer from 1 to 1000 (variants) but received "0"',
			'PICPIPE_MAX_STEPS: expected an integer from 1 to 1000 (steps) but received "1001"',
			'PICPIPE_MAX_OUTPUT_DIMENSION: expected an integer from 1 to 1000000 (pixels) but received "big"',
		]);
	});

	it.each(['localhost:6379', 'http://localhost', 'redis', 'redis+sentinel://a'])('refuses %j as a Redis URL', (bad) => {
		expect(problemsOf({ REDIS_URL: bad })).toHaveLength(1);
	});

	it.each(['redis://localhost', 'redis://:secret@[::1]:6379/0', 'rediss://a', 'unix:///run/redis.sock'])(
		'accepts %j as a Redis URL',
		(good) => {
			expect(readConfig({ REDIS_URL: good }).redisUrl).toBe(good);
		},
	);

	it.each([
		['PICPIPE_API_KEYS', 'short', 'short'],
		['PICPIPE_API_KEYS', `${key},with a space in it`, 'with a space'],
		['PICPIPE_ARENA_PASSWORD', 'hunter2', 'hunter2'],
		['REDIS_URL', 'redis//user:hunter2@host', 'hunter2'],
	])('never repeats the secret %s', (variable, bad, secret) => {
		const [problem, ...others] = problemsOf({ [variable]: bad });
		expect(others).toEqual([]);
		expect(problem).toMatch(new RegExp(`^${variable}: expected .* but received something else$`));
		expect(problem).not.toContain(secret);
	});

	it.each([
		['500MB', { bytes: 500e6 }],
		['2 GB', { bytes: 2e9 }],
		['1.5kB', { bytes: 1_500 }],
		['4096', { bytes: 4_096 }],
		['0', { bytes: 0 }],
		['5%', { percent: 5 }],
		['0.5%', { percent: 0.5 }],
	])('parses disk space: %s', (text, expected) => {
		expect(readConfig({ PICPIPE_MIN_DISK_FREE: text }).minDiskFree).toEqual(expected);
	});

	it.each(['100%', '-1', '5 percent', '5 MiB', 'lots', '1e9'])('refuses %s as disk space', (text) => {
		expect(problemsOf({ PICPIPE_MIN_DISK_FREE: text })).toEqual([
			expect.stringMatching(/^PICPIPE_MIN_DISK_FREE: expected bytes such as 500MB/),
		]);
	});

	it('accepts an unlimited queue', () => {
		expect(readConfig({ PICPIPE_MAX_QUEUE: 'unlimited' }).maxQueue).toBe(Number.POSITIVE_INFINITY);
		expect(readConfig({ PICPIPE_MAX_QUEUE: '7' }).maxQueue).toBe(7);
		expect(problemsOf({ PICPIPE_MAX_QUEUE: '0' })).toEqual([
			expect.stringMatching(/^PICPIPE_MAX_QUEUE: expected an integer from 1 .* or unlimited but received "0"$/),
		]);
	});

	it('reads origins exactly as browsers send them', () => {
		expect(readConfig({}).corsOrigins).toBeUndefined();
		expect(readConfig({ PICPIPE_CORS_ORIGINS: '*' }).corsOrigins).toBe('*');
		expect(readConfig({ PICPIPE_CORS_ORIGINS: 'https://a.example, http://b.example:8080' }).corsOrigins).toEqual([
			'https://a.example',
			'http://b.example:8080',
		]);
	});

	it.each([
		'https://a.example/',
		'https://a.example/path',
		'a.example',
		'null',
		'https://*.example',
		'https://A.example',
		'https://a.example,*',
	])('refuses %s as origins', (text) => {
		expect(problemsOf({ PICPIPE_CORS_ORIGINS: text })).toEqual([
			expect.stringMatching(/^PICPIPE_CORS_ORIGINS: expected origins/),
		]);
	});

	it('refuses a clean-up of uploads that may be in progress', () => {
		expect(problemsOf({ PICPIPE_UPLOAD_SECONDS: '3600' })).toEqual([
			'PICPIPE_ABANDONED_SECONDS: expected more than PICPIPE_UPLOAD_SECONDS (3600) but received 3600',
		]);
	});

	it('ignores variables of other programs', () => {
		expect(problemsOf({ PATH: '/bin', PICPIPE: '1', picpipe_port: '1' })).toEqual([]);
	});
});

describe('isLoopback', () => {
	it.each(['localhost', '127.0.0.1', '127.255.0.9', '::1'])('accepts %s', (host) => {
		expect(isLoopback(host)).toBe(true);
	});

	it.each(['0.0.0.0', '::', '10.0.0.1', '128.0.0.1', 'localhost.example.com', '127.0.0.1.example.com', '::ffff:1'])(
		'does not accept %s',
		(host) => {
			expect(isLoopback(host)).toBe(false);
		},
	);
});

describe('a start with invalid settings', () => {
	it.each(['start', 'api', 'worker', 'arena', 'reindex', 'reprocess'] as const)(
		'of picpipe %s prints every problem, no secret and no stack, and exits with 2',
		async (command) => {
			const folder = await temporaryFolder();
			const { code, output } = await runPicpipe({
				folder: join(folder, 'data'),
				command,
				environment: { PICPIPE_PORT: 'http', PICPIPE_API_KEYS: 'hunter2', PICPIPE_COLOUR: 'red' },
			});
			expect(code).toBe(2);
			expect(output.trim().split('\n')).toEqual([
				'The configuration has 3 problems:',
				expect.stringContaining('- PICPIPE_PORT: expected an integer from 0 to 65535'),
				expect.stringContaining('- PICPIPE_API_KEYS: expected keys of at least 16 characters'),
				'  - PICPIPE_COLOUR: there is no such setting',
			]);
			expect(output).not.toContain('hunter2');
		},
	);
});

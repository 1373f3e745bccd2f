import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { PicpipeProcess } from '../helpers/processes.ts';
import { temporaryFolder } from '../supervisor/folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A copy of the project without its source and without its packages. */
async function bareProject(): Promise<string> {
	const folder = await temporaryFolder();
	const files = [
		'scripts/setup.mjs',
		'scripts/bundle.mjs',
		'package.json',
		'package-lock.json',
		'tsconfig.json',
		'tsconfig.build.json',
	];
	for (const file of files) await cp(join(root, file), join(folder, file));
	await mkdir(join(folder, 'src'));
	return folder;
}

async function setup(folder: string, goal: string, environment: NodeJS.ProcessEnv = {}) {
	const child = spawn(process.execPath, ['scripts/setup.mjs', goal], {
		cwd: folder,
		env: { ...process.env, ...environment },
		stdio: ['ignore', 'pipe', 'pipe'],
	});
	let output = '';
	for (const stream of [child.stdout, child.stderr]) {
		stream.on('data', (chunk) => {
			output += chunk;
		});
	}
	const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
	return { code, output };
}

async function writeProgram(file: string, script: string): Promise<void> {
	await writeFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe('set-up', () => {
	test('builds changed sources once, and leaves nothing stale', async () => {
		const folder = await bareProject();
		await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
		const source = (name: string) => join(folder, 'src', name);
		for (const program of ['supervisor/redis-keeper.ts', 'imaging/child-main.ts', 'cli/index.ts']) {
			await mkdir(dirname(source(program)));
			await writeFile(source(program), 'export {};\n');
		}
		await writeFile(source('cli/index.ts'), "import '../old.ts';\n");
		await writeFile(source('old.ts'), 'export const answer: number = 1;\nprocess.title = String(answer);\n');
		const built = async () => (await readdir(join(folder, 'dist'))).filter((name) => name.endsWith('.js')).sort();
		const program = () => readFile(join(folder, 'dist/bin/cli.js'), 'utf8');

		expect(await setup(folder, 'build')).toMatchObject({ code: 0, output: expect.stringContaining('Building: done') });
		expect(await built()).toEqual(['old.js']);
		expect(await program()).toContain('answer = 1');
		expect(await setup(folder, 'build')).toEqual({ code: 0, output: '' });

		await writeFile(source('cli/index.ts'), "import '../new.ts';\n");
		await rm(source('old.ts'));
		await writeFile(source('new.ts'), 'export const answer: number = 2;\nprocess.title = String(answer);\n');
		expect((await setup(folder, 'build')).code).toBe(0);
		expect(await built()).toEqual(['new.js']);
		expect(await program()).toContain('answer = 2');

		// A build that fails says why and changes nothing.
		await writeFile(source('new.ts'), "export const answer: number = 'two';\n");
		const failed = await setup(folder, 'build');
		expect(failed.code).toBe(2);
		expect(failed.output).toContain(
			"src/new.ts(1,14): error TS2322: Type 'string' is not assignable to type 'number'.",
		);
		expect(await readFile(join(folder, 'dist', 'new.js'), 'utf8')).toContain('answer = 2');
		expect((await readdir(folder)).filter((name) => name.startsWith('.dist'))).toEqual([]);
	});

	test('installs packages only if they are missing or stale', async () => {
		const folder = await bareProject();
		const lockFile = join(folder, 'package-lock.json');
		const machine = { os: [process.platform], cpu: [process.arch] };
		const lock = (version: string) => ({
			packages: {
				'': {},
				'node_modules/one': { version },
				'node_modules/native': { version: '1.0.0', optional: true, ...machine },
				'node_modules/elsewhere': { version: '1.0.0', optional: true, os: ['plan9'] },
			},
		});
		await writeFile(lockFile, JSON.stringify(lock('1.0.0')));
		// Stands in for npm: leaves what npm leaves, and a line for each call.
		const npm = join(folder, 'npm.js');
		const calls = join(folder, 'calls');
		await writeFile(
			npm,
			`const fs = require('node:fs');
			fs.appendFileSync('calls', process.argv.slice(2).join(' ') + '\\n');
			for (const name of ['one', 'native']) fs.mkdirSync('node_modules/' + name, { recursive: true });
			fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');`,
		);
		await writeFile(join(folder, 'package.json'), JSON.stringify({ engines: { node: '>=20.19' }, type: 'commonjs' }));
		const run = () => setup(folder, 'test', { npm_execpath: npm, CHROME_PATH: process.execPath });
		const numberOfCalls = async () => (await readFile(calls, 'utf8')).trim().split('\n').length;

		expect(await run()).toMatchObject({ code: 0, output: expect.stringContaining('Installing npm packages: done') });
		expect(await readFile(calls, 'utf8')).toMatch(/^ci .*--no-audit --no-fund/);
		expect(await run()).toEqual({ code: 0, output: '' });
		expect(await numberOfCalls()).toBe(1);

		await writeFile(lockFile, JSON.stringify(lock('1.0.1')));
		expect((await run()).code).toBe(0);
		expect(await numberOfCalls()).toBe(2);

		// A developer's own `npm install` has brought everything already.
		await writeFile(lockFile, JSON.stringify(lock('1.0.2')));
		await writeFile(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify(lock('1.0.2')));
		expect(await run()).toEqual({ code: 0, output: '' });

		// A folder copied from another machine lacks what this one needs.
		await rm(join(folder, 'node_modules', '.picpipe-setup'));
		await rm(join(folder, 'node_modules', 'native'), { recursive: true });
		expect((await run()).code).toBe(0);
		expect(await numberOfCalls()).toBe(3);
	});

	test('names the required Node.js version', async () => {
		const folder = await bareProject();
		await writeFile(join(folder, 'package.json'), JSON.stringify({ engines: { node: '>=99.1' } }));
		const { code, output } = await setup(folder, 'start');
		expect(code).toBe(2);
		expect(output).toContain(`picpipe needs Node.js 99.1 or newer but this is ${process.versions.node}`);
	});

	test('without a Redis server it prints the exact command for this system, and the alternative', async () => {
		const folder = await bareProject();
		await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
		const commands = { brew: 'brew install redis', dnf: 'sudo dnf install valkey', apk: 'sudo apk add valkey' };
		for (const [program, command] of Object.entries(commands)) {
			const programs = await temporaryFolder();
			await writeProgram(join(programs, program), 'exit 1');
			const { code, output } = await setup(folder, 'test', { PATH: programs });
			expect(code).toBe(2);
			expect(output).toContain(`\n  ${command}\n`);
			expect(output).toContain('docker run ');
			expect(output).toContain('REDIS_URL=redis://127.0.0.1:6379 npm start');
		}
	});

	test('without Chromium it explains how to name another one', async () => {
		const folder = await bareProject();
		await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
		const { code, output } = await setup(folder, 'test', { CHROME_PATH: '/nowhere/chromium' });
		expect(code).toBe(2);
		expect(output).toContain('there is none at /nowhere/chromium');
		expect(output).toContain('CHROME_PATH=');
	});

	// It is what set-up does for root on Debian and Ubuntu alone.
	test.runIf(process.getuid?.() === 0 && existsSync('/etc/debian_version'))(
		'installs redis-server with apt-get without starting its service',
		async () => {
			const folder = await bareProject();
			await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
			const programs = await temporaryFolder();
			const policy = '/usr/sbin/policy-rc.d';
			const hadPolicy = existsSync(policy);
			// Like the real one it knows no package before `apt-get update`, and asks for the policy when it installs a service.
			await writeProgram(
				join(programs, 'apt-get'),
				`echo "$@" >> ${programs}/calls
				if [ "$1" = update ]; then : > ${programs}/lists; exit 0; fi
				if [ ! -e ${programs}/lists ]; then echo 'E: Unable to locate package' >&2; exit 100; fi
				${policy} redis-server start; echo "policy $?" >> ${programs}/calls
				echo > ${programs}/redis-server; /bin/chmod +x ${programs}/redis-server`,
			);
			const { code, output } = await setup(folder, 'test', { PATH: programs, CHROME_PATH: process.execPath });
			expect(code, output).toBe(0);
			expect(output).toContain('Installing redis-server with apt-get: done');
			expect(output).not.toContain('Unable to locate');
			const calls = (await readFile(join(programs, 'calls'), 'utf8')).trim().split('\n');
			expect(calls.map((line) => line.split(' ')[0])).toEqual(['install', 'update', 'install', 'policy']);
			if (!hadPolicy) expect(calls.at(-1)).toBe('policy 101');
			expect(existsSync(policy)).toBe(hadPolicy);
		},
	);
});

describe('npm start', { timeout: 240_000 }, () => {
	test('sets up, runs, stops with npm, and is fast the second time', async () => {
		const folder = await bareProject();
		for (const part of ['src', 'web', 'examples']) await cp(join(root, part), join(folder, part), { recursive: true });
		await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
		const npmStart = () => {
			const picpipe = new PicpipeProcess({
				folder: join(folder, 'data'),
				run: { program: 'npm', arguments: ['start'], cwd: folder },
				environment: { PICPIPE_STOP_SECONDS: '10' },
			});
			onTestFinished(() => picpipe.destroy());
			return picpipe;
		};

		for (const signal of ['SIGTERM', 'SIGINT'] as const) {
			const picpipe = npmStart();
			const { api } = await picpipe.ready();
			expect((await fetch(`${api}/healthz`)).status).toBe(200);
			// Only the first run builds.
			expect(/Building/.test(picpipe.output), picpipe.output).toBe(signal === 'SIGTERM');
			picpipe.kill(signal);
			expect((await picpipe.exited).code, picpipe.output).toBe(0);
			expect(picpipe.output).toContain('everything has stopped');
			expect(picpipe.survivors()).toEqual([]);
		}

		const killed = npmStart();
		await killed.ready();
		killed.kill('SIGKILL');
		await killed.expectNoSurvivors(25_000);
	});
});

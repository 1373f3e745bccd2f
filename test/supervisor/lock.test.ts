import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { lockDataFolder } from '../../src/supervisor/lock.ts';
import { temporaryFolder } from './folder.ts';

/** A process that takes the lock, says what it got, and keeps it until it is killed. */
async function contender(folder: string) {
	const source = `
		import { lockDataFolder } from ${JSON.stringify(new URL('../../src/supervisor/lock.ts', import.meta.url).href)};
		const lock = await lockDataFolder(${JSON.stringify(folder)});
		console.log(typeof lock === 'function' ? 'got it' : 'refused by ' + lock.pid);
		setInterval(() => {}, 1_000);`;
	const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', source], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const [said] = (await once(child.stdout, 'data')) as [Buffer];
	const kill = async () => {
		child.kill('SIGKILL');
		await once(child, 'exit');
	};
	return { pid: child.pid, said: said.toString().trim(), kill };
}

test('one process at a time holds it; after the release it is free again', async () => {
	const folder = await temporaryFolder();
	const first = await contender(folder);
	expect(first.said).toBe('got it');
	expect(await lockDataFolder(folder)).toEqual({ pid: first.pid });
	await first.kill();

	const unlock = await lockDataFolder(folder);
	expect(unlock).toBeTypeOf('function');
	await (unlock as () => Promise<void>)();
	expect(await readdir(folder)).toEqual([]);
});

test('of several processes that find the lock of a dead one, one gets it', async () => {
	const folder = await temporaryFolder();
	await (await contender(folder)).kill();
	const all = await Promise.all([contender(folder), contender(folder), contender(folder)]);
	expect(all.filter(({ said }) => said === 'got it')).toHaveLength(1);
	for (const one of all) await one.kill();
});

test('an incomplete lock, and one of an earlier process with the same id, do not count', async () => {
	const folder = await temporaryFolder();
	const file = join(folder, 'start.lock');
	for (const left of ['', '{"pid":', JSON.stringify({ pid: process.ppid, started: '1' })]) {
		await writeFile(file, left);
		const unlock = await lockDataFolder(folder);
		expect(unlock, left).toBeTypeOf('function');
		expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ pid: process.pid });
		await (unlock as () => Promise<void>)();
	}
});

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openScratch, type Scratch } from '../../src/imaging/scratch.ts';
import { createLogger } from '../../src/observe/log.ts';
import { smallDisk } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { remoteStorage } from '../helpers/remote-storage.ts';
import { endWithTest } from '../helpers/shared.ts';
import { thrownBy } from '../helpers/thrown.ts';

const log = createLogger('worker', 'silent');
/** Bytes of an object; two fit into a megabyte. */
const size = 400_000;

async function open({ megabytes = 1, folder }: { megabytes?: number; folder?: string } = {}) {
	const { storage, gets } = remoteStorage(await temporaryFolder());
	const shared = folder ?? join(await temporaryFolder(), 'scratch');
	const scratch = await openScratch(storage, { folder: shared, megabytes, log });
	endWithTest(() => scratch.close());
	return {
		scratch,
		storage,
		gets,
		folder: shared,
		async place(name: string, bytes = size, picture = 'pic_a') {
			const key = `pictures/2026/01/31/${picture}/${name}`;
			await storage.put(key, randomBytes(bytes));
			return { key, bytes, sha256: name };
		},
	};
}

/** Copies in the folders of all processes. */
async function copiesIn(folder: string): Promise<number[]> {
	const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
	const sizes = files.map(({ parentPath, name }) => stat(join(parentPath, name)).catch(() => undefined));
	return (await Promise.all(sizes)).flatMap((stats) => stats?.size ?? []);
}

async function use(scratch: Scratch, ...places: Parameters<Scratch['hold']>[0]): Promise<void> {
	(await scratch.hold(places)).release();
}

describe('the scratch folder', () => {
	it('shares one copy among all who read an object, and keeps it while there is room', async () => {
		const { scratch, gets, place } = await open();
		const [a, b, c] = [await place('a'), await place('b'), await place('c')];
		await Promise.all([use(scratch, a), use(scratch, a, b), use(scratch, b, a)]);
		await use(scratch, a);
		expect(gets).toEqual([a.key, b.key]);
		expect([scratch.has(a), scratch.has(b), scratch.has(c)]).toEqual([true, true, false]);
		// The one that was not used for longest makes room.
		await use(scratch, c);
		expect([scratch.has(a), scratch.has(b), scratch.has(c)]).toEqual([true, false, true]);
		await use(scratch, a, c);
		expect(gets).toHaveLength(3);
	});

	it('never takes more room than it may; work waits for it, also for several files', async () => {
		const { scratch, folder, gets, place } = await open();
		const places = await Promise.all(Array.from({ length: 9 }, (_, at) => place(`p${at}`)));
		const most: number[] = [];
		const works = places.map(async (one, at) => {
			const held = await scratch.hold([one, places[(at + 1) % places.length] ?? one]);
			const sizes = await copiesIn(folder);
			most.push(sizes.reduce((sum, bytes) => sum + bytes, 0));
			expect(held.paths).toHaveLength(2);
			for (const path of held.paths) expect((await stat(path)).size).toBe(size);
			held.release();
		});
		await Promise.all(works);
		expect(Math.max(...most)).toBeLessThanOrEqual(1_000_000);
		expect(gets.length).toBeGreaterThanOrEqual(places.length);
		await expect.poll(async () => (await copiesIn(folder)).length).toBeLessThanOrEqual(2);
	});

	it('refuses what can never fit, by name of the setting', async () => {
		const { scratch, place } = await open();
		const error = await thrownBy(() => scratch.hold([{ key: 'a', bytes: 1_000_001, sha256: 'a' }]));
		expect(error).toMatchObject({ code: 'scratch-too-small', class: 'limit' });
		expect(error.message).toMatch(/at most 1000000 bytes .*PICPIPE_SCRATCH_MEGABYTES.* 1000001\./);
		await use(scratch, await place('b'));
	});

	it('has no file for an object that does not exist, and copies no more than was announced', async () => {
		const { scratch, place } = await open();
		const held = await scratch.hold([{ key: 'pictures/none', bytes: 5, sha256: 'x' }]);
		await expect(stat(held.paths[0] ?? '')).rejects.toThrow('ENOENT');
		held.distrust();
		held.release();
		expect(scratch.has({ key: 'pictures/none', bytes: 5, sha256: 'x' })).toBe(false);
		const large = await place('large', 5_000_000);
		const cut = await scratch.hold([{ ...large, bytes: 10 }]);
		const { size: copied } = await stat(cut.paths[0] ?? '');
		expect(copied).toBeGreaterThan(10);
		expect(copied).toBeLessThan(1_000_000);
	});

	it('deletes the copies of a deleted picture, at the latest when they are released', async () => {
		const { scratch, folder, place } = await open();
		const [a, b] = [await place('a', size, 'pic_a'), await place('b', size, 'pic_b')];
		await use(scratch, a);
		const held = await scratch.hold([b]);
		scratch.forget('pic_a');
		scratch.forget('pic_b');
		expect(scratch.has(a) || scratch.has(b)).toBe(false);
		await expect.poll(async () => (await copiesIn(folder)).length).toBe(1);
		expect((await stat(held.paths[0] ?? '')).size).toBe(size);
		held.release();
		await expect.poll(async () => (await copiesIn(folder)).length).toBe(0);
	});

	it('passes on what the storage says, and tries again for the next one', async () => {
		const { scratch, storage, place } = await open();
		const a = await place('a');
		const { get } = storage;
		storage.get = async () => {
			throw Object.assign(new Error('read failed'), { code: 'EIO' });
		};
		expect((await thrownBy(() => scratch.hold([a]))).code).toBe('storage-unavailable');
		storage.get = get;
		await use(scratch, a);
	});

	it('ends with its process: work that waits is told, and nothing is left', async () => {
		const { scratch, folder, place } = await open();
		await scratch.hold([await place('a'), await place('b')]);
		const waiting = thrownBy(async () => scratch.hold([await place('c')]));
		await expect.poll(async () => (await copiesIn(folder)).length).toBe(2);
		await scratch.close();
		expect((await waiting).code).toBe('stopping');
		expect(await readdir(folder)).toEqual([]);
	});
});

describe('folders of other processes', () => {
	it('are removed if their process was killed, or has shown no sign for a while', async () => {
		const { folder } = await open();
		const [own = ''] = await readdir(folder);
		const [, where, random] = /^worker-(.+)-\d+-(\w+)$/.exec(own) ?? [];
		// A process that has ended: nobody has its id any more.
		const ended = execFileSync(process.execPath, ['-p', 'process.pid']).toString().trim();
		const killed = `worker-${where}-${ended}-${random}`;
		const alive = `worker-${where}-${process.ppid}-${random}`;
		const [elsewhere, silent] = [`worker-00000000-1-1-${random}`, `worker-00000000-1-2-${random}`];
		for (const name of [killed, alive, elsewhere, silent, 'something else']) {
			await mkdir(join(folder, name));
			await writeFile(join(folder, name, '1'), 'bytes');
		}
		const longAgo = new Date(Date.now() - 3_600_000);
		await utimes(join(folder, silent), longAgo, longAgo);
		const next = await open({ folder });
		expect(await readdir(folder)).toEqual(expect.arrayContaining([own, alive, elsewhere, 'something else'].toSorted()));
		expect(await readdir(folder)).toHaveLength(5);
		expect(await readdir(folder)).not.toContain(killed);
		await next.scratch.close();
	});
});

/** Only root may mount; everywhere else the title says that nothing was tested, and in CI that is a failure. */
const isRoot = process.getuid?.() === 0;

describe(isRoot ? 'a full disk' : 'a full disk: NOT TESTED, because only root may mount a small file system', () => {
	it('a small disk is available for the test', () => {
		if (process.env.CI) expect(isRoot, 'CI runs as root').toBe(true);
	});

	it.runIf(isRoot)('is a transient error that says so; unused copies make room first', async () => {
		const disk = await smallDisk(1);
		const { scratch, place } = await open({ folder: join(disk, 'scratch'), megabytes: 100 });
		const [a, b] = [await place('a', 600_000), await place('b', 600_000)];
		await use(scratch, a);
		// Its disk is smaller than the setting says.
		const held = await scratch.hold([b]);
		expect(scratch.has(a)).toBe(false);
		const error = await thrownBy(() => scratch.hold([a]));
		expect(error).toMatchObject({ code: 'scratch-unavailable', class: 'transient', status: 503 });
		expect(error.message).toMatch(/scratch folder .*disk is full/);
		expect((await thrownBy(() => scratch.check())).code).toBe('scratch-unavailable');
		held.release();
		await use(scratch, a);
	});
});

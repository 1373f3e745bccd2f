import { rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openStorage } from '../../src/storage/index.ts';
import { listed } from '../contract/storage.ts';
import { json, untilFinished } from '../helpers/api.ts';
import { mixedPhotographs, quickRecipe, smallDisk, startForFaults, until } from '../helpers/faults.ts';
import { Ledger } from '../helpers/ledger.ts';
import { photograph, withComment } from '../helpers/pictures.ts';
import { shared } from '../helpers/shared.ts';
import { bytesAt, tus } from '../helpers/tus.ts';

/** Only root may mount; everywhere else the title says that nothing was tested, and in CI that is a failure. */
const isRoot = process.getuid?.() === 0;
const title = isRoot ? 'a full disk' : 'a full disk: NOT TESTED, because only root may mount a small file system';

async function startOnSmallDisk(environment: Record<string, string>, megabytes: number) {
	const disk = await smallDisk(megabytes);
	const picpipe = await startForFaults({ PICPIPE_STORAGE: `file:${disk}`, ...environment });
	const { api } = await picpipe.ready();
	return { disk, picpipe, api };
}

/** Fills what is left of a disk with one file. */
async function fill(folder: string, name = 'filler'): Promise<string> {
	const path = join(folder, name);
	const { bavail, bsize } = await statfs(folder);
	await writeFile(path, Buffer.alloc(bavail * bsize)).catch((error) => {
		// Others write at the same time; full is full.
		if (error.code !== 'ENOSPC') throw error;
	});
	return path;
}

describe(title, () => {
	it('a small disk is available for the test', () => {
		if (process.env.CI) expect(isRoot, 'CI runs as root').toBe(true);
	});

	describe.runIf(isRoot)('a full disk during uploads', () => {
		// Taken up to the last byte; by default uploads stop a little before it, with 503.
		const running = shared(() => startOnSmallDisk({ ...quickRecipe, PICPIPE_MIN_DISK_FREE: '0' }, 64));

		it('refuses uploads with 507, keeps nothing of them, and accepts again once there is space', {
			timeout: 120_000,
		}, async () => {
			const { disk, api } = running();
			const storage = openStorage(`file:${disk}`);
			const filler = await fill(disk);
			const ledger = new Ledger();
			for (const bytes of await mixedPhotographs(4)) await ledger.upload(api, bytes);
			expect(ledger.refused).toEqual(Array(4).fill('507 storage-full'));
			expect(await listed(storage, 'pictures/', { temporary: true })).toEqual([]);
			expect(await listed(storage, 'pending/', { temporary: true })).toEqual([]);
			const ready = await fetch(`${api}/readyz`);
			expect(await json(ready)).toMatchObject({ checks: { storage: { status: 'failed' } } });

			await rm(filler);
			for (const bytes of await mixedPhotographs(4)) await ledger.upload(api, bytes);
			expect(ledger.accepted.size).toBe(4);
			await ledger.untilFinished(`file:${disk}`, 60_000);
			await ledger.expectWhole(`file:${disk}`);
		});

		it('stops a resumable upload with 507 at its offset, and lets it continue once there is space', {
			timeout: 120_000,
		}, async () => {
			const { disk, api } = running();
			const bytes = await photograph({ width: 1400, height: 1000, format: 'png' });
			const created = await tus(`${api}/v1/uploads`, 'POST', { 'upload-length': String(bytes.length) });
			const url = `${api}${created.headers.get('location')}`;
			const half = Math.floor(bytes.length / 2);
			expect((await tus(url, 'PATCH', bytesAt(0), bytes.subarray(0, half))).status).toBe(204);
			const filler = await fill(disk);
			const refused = await tus(url, 'PATCH', bytesAt(half), bytes.subarray(half));
			expect([refused.status, (await json(refused)).code]).toEqual([507, 'storage-full']);
			expect((await tus(url, 'HEAD')).headers.get('upload-offset')).toBe(String(half));
			await rm(filler);
			const last = await tus(url, 'PATCH', bytesAt(half), bytes.subarray(half));
			const picture = await untilFinished({ url: api }, last.headers.get('picpipe-picture') ?? '', 60_000);
			expect(picture).toMatchObject({ state: 'ready', source: { bytes: bytes.length } });
		});

		it('under load refuses with 507 or 503, keeps no partial files, and continues once there is space', {
			timeout: 180_000,
		}, async () => {
			const { disk, api, picpipe } = running();
			const files = await mixedPhotographs();
			const [ledger, later] = [new Ledger(), new Ledger()];
			const uploads = ledger.uploadUntilAccepted(api, files.slice(0, files.length / 2));
			await until('some are accepted', () => ledger.accepted.size >= 20);
			const filler = await fill(disk);
			const laterUploads = later.uploadUntilAccepted(api, files.slice(files.length / 2));
			await until('some are refused', () => ledger.refused.length + later.refused.length >= 20);
			await rm(filler);
			await Promise.all([uploads, laterUploads]);
			for (const [id, one] of later.accepted) ledger.accepted.set(id, one);
			ledger.refused.push(...later.refused);
			for (const answer of ledger.refused) expect(answer).toMatch(/^(507 storage-full|503 |409 )/);
			await ledger.untilFinished(`file:${disk}`, 90_000);
			// Work that failed for want of room more often than it is tried.
			const failed = await json(await fetch(`${api}/v1/pictures?state=failed&limit=200`));
			for (const { id, failure } of failed.pictures) {
				expect(failure).toMatchObject({ class: 'transient', code: 'storage-full' });
				expect((await fetch(`${api}/v1/pictures/${id}/retry`, { method: 'POST' })).status).toBe(202);
				expect(await untilFinished({ url: api }, id, 60_000)).toMatchObject({ state: 'ready' });
			}
			await ledger.expectWhole(`file:${disk}`);
			await ledger.expectTold(picpipe.sink);
		});
	});

	describe.runIf(isRoot)('a full disk during processing', () => {
		const running = shared(() => startOnSmallDisk({ PICPIPE_ATTEMPTS: '2', PICPIPE_RETRY_DELAY: '5000' }, 24));

		it('fails attempts, leaves no truncated variant, and the picture is ready once there is space', {
			timeout: 120_000,
		}, async () => {
			const { disk, api, picpipe } = running();
			const storage = openStorage(`file:${disk}`);
			await fetch(`${api}/v1/queues/pictures/pause`, { method: 'POST' });
			const ledger = new Ledger();
			await ledger.upload(api, await photograph({ width: 2400, height: 1600 }));
			const filler = await fill(disk);
			await fetch(`${api}/v1/queues/pictures/resume`, { method: 'POST' });
			await picpipe.waitFor(
				(line) => line.msg === 'attempt failed' && line.code === 'storage-full' && line.again === true,
			);
			for (const key of await listed(storage, 'pictures/', { temporary: true })) {
				expect(key).toMatch(/\/(original\.jpg|picture\.json)$/);
			}
			await rm(filler);
			const [id] = ledger.accepted.keys();
			expect(await untilFinished({ url: api }, id ?? '', 60_000)).toMatchObject({ state: 'ready' });
			await ledger.expectWhole(`file:${disk}`);
		});

		it('for longer than all attempts ends the picture, and a retry makes it ready', {
			timeout: 120_000,
		}, async () => {
			const { disk, api, picpipe } = running();
			await fetch(`${api}/v1/queues/pictures/pause`, { method: 'POST' });
			const ledger = new Ledger();
			await ledger.upload(api, await photograph({ width: 2400, height: 1600 }));
			const filler = await fill(disk);
			const from = picpipe.lines.length;
			await fetch(`${api}/v1/queues/pictures/resume`, { method: 'POST' });
			await picpipe.waitFor((line) => line.msg === 'attempt failed' && line.again === false, from);
			await rm(filler);
			const [id = ''] = ledger.accepted.keys();
			// Not even the failure could be written down; so the sweep begins again.
			await until(
				'the picture is ready',
				async () => {
					const { state } = await untilFinished({ url: api }, id, 60_000);
					if (state === 'failed') await fetch(`${api}/v1/pictures/${id}/retry`, { method: 'POST' });
					return state === 'ready';
				},
				60_000,
			);
			await ledger.expectWhole(`file:${disk}`);
		});
	});

	describe.runIf(isRoot)('a full disk with the pictures and the built-in Redis', () => {
		it('lets pictures be deleted, which frees it, and is reported once', {
			timeout: 120_000,
		}, async () => {
			const disk = await smallDisk(24);
			const data = join(disk, 'data');
			const picpipe = await startForFaults({ ...quickRecipe, PICPIPE_DATA: data, PICPIPE_MIN_DISK_FREE: '0' });
			const { api } = await picpipe.ready();
			const ledger = new Ledger();
			for (let number = 0; number < 3; number++) {
				await ledger.upload(api, withComment(await photograph({ width: 2400, height: 1600 }), `number ${number}`));
			}
			await ledger.untilFinished(`file:${data}`, 60_000);
			const from = picpipe.lines.length;
			const ids = [...ledger.accepted.keys()];
			for (const [index, id] of ids.entries()) {
				await fill(disk, `filler-${index}`);
				if (index === 0) {
					await picpipe.waitFor((line) => line.role === 'worker' && /refusing to write/.test(String(line.msg)), from);
				}
				expect((await fetch(`${api}/v1/pictures/${id}`, { method: 'DELETE' })).status).toBe(204);
				expect((await fetch(`${api}/v1/pictures/${id}`)).status).toBe(404);
			}
			expect(await listed(openStorage(`file:${data}`), 'pictures/', { temporary: true })).toEqual([]);
			const reports = picpipe.lines.slice(from).filter(({ msg }) => /queue error/.test(String(msg)));
			expect(reports).toEqual([]);
			for (const index of ids.keys()) await rm(join(disk, `filler-${index}`));
			await until('uploads are accepted', async () => (await fetch(`${api}/readyz`)).ok);
		});
	});

	describe.runIf(isRoot)('a full temporary folder', () => {
		it('stops nothing: all files are written to the data folder', {
			timeout: 120_000,
		}, async () => {
			const disk = await smallDisk(1);
			await fill(disk);
			const picpipe = await startForFaults({ ...quickRecipe, TMPDIR: disk });
			const { api, data } = await picpipe.ready();
			const ledger = new Ledger();
			await ledger.uploadAll(api, await mixedPhotographs());
			expect(ledger.refused).toEqual([]);
			await ledger.untilFinished(`file:${data}`, 60_000);
			await ledger.expectWhole(`file:${data}`);
			await ledger.expectTold(picpipe.sink);
		});
	});
});

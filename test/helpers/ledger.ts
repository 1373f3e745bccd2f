import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { expect } from 'vitest';
import { folderOf } from '../../src/catalog/manifest.ts';
import { isReceived, type Picture, parsePicture } from '../../src/domain/picture.ts';
import { openStorage } from '../../src/storage/index.ts';
import { manifestId, manifestKey } from '../../src/storage/keys.ts';
import { readObject, type Storage } from '../../src/storage/storage.ts';
import { json } from './api.ts';
import type { Sink } from './sink.ts';

/** Records every accepted upload with its bytes. */
export class Ledger {
	readonly accepted = new Map<string, { sha256: string }>();
	/** Uploads with another response or none; nothing was promised. */
	readonly refused: string[] = [];

	/**
	 * Uploads once; a refusal or a lost connection is recorded, not thrown.
	 *
	 * @param key sent as `Idempotency-Key`
	 * @param query of the URL
	 * @returns whether it was accepted
	 */
	async upload(url: string, bytes: Buffer, key?: string, query = ''): Promise<boolean> {
		try {
			const response = await fetch(`${url}/v1/pictures?${query}`, {
				method: 'POST',
				body: new Uint8Array(bytes),
				headers: { 'content-type': 'image/jpeg', ...(key && { 'idempotency-key': `"${key}"` }) },
				signal: AbortSignal.timeout(60_000),
			});
			const body = await json(response);
			// 201 if it was repeated and is ready by now.
			if (response.status === 202 || response.status === 201) {
				this.accepted.set(body.id, { sha256: createHash('sha256').update(bytes).digest('hex') });
				return true;
			}
			this.refused.push(`${response.status} ${body.code}`);
		} catch (error) {
			this.refused.push(String(error));
		}
		return false;
	}

	/** Uploads all files with the concurrency of a busy site. */
	async uploadAll(url: string, files: readonly Buffer[], clients = 16): Promise<void> {
		await sideBySide(clients, files, (bytes) => this.upload(url, bytes));
	}

	/** As `uploadAll`, with clients that retry until they get a 202, with an idempotency key. */
	async uploadUntilAccepted(url: string, files: readonly Buffer[], clients = 16): Promise<void> {
		const run = randomUUID();
		await sideBySide(clients, [...files.entries()], async ([index, bytes]) => {
			for (const end = Date.now() + 60_000; !(await this.upload(url, bytes, `${run}-${index}`)); await sleep(200)) {
				if (Date.now() > end)
					throw new Error(`Not accepted within a minute; the last answers: ${this.refused.slice(-5)}`);
			}
		});
		// However often they had to retry.
		expect(this.accepted.size).toBe(files.length);
	}

	/** Waits until every accepted picture is finished, by the manifests. */
	async untilFinished(storageUrl: string, milliseconds: number): Promise<void> {
		const storage = openStorage(storageUrl);
		const open = new Set(this.accepted.keys());
		for (const end = Date.now() + milliseconds; ; await sleep(100)) {
			for (const id of open) {
				const manifest = await readObject(storage, manifestKey(folderOf(id)));
				// All have to finish in the end. Checking the others meanwhile would cost the CPU that they need.
				if (!manifest || !/"state": "(ready|failed)"/.test(manifest.toString())) break;
				open.delete(id);
			}
			if (open.size === 0) return;
			if (Date.now() > end) throw new Error(`${open.size} of ${this.accepted.size} not finished: ${[...open]}`);
		}
	}

	/** Asserts that a webhook receiver was notified of each picture's end, under one id. */
	async expectTold(sink: Pick<Sink, 'received'>): Promise<void> {
		const about = () => sink.received.filter(({ message }) => /^picture\.(ready|failed)$/.test(message.type));
		const untold = () => {
			const told = new Set(about().map(({ message }) => message.data.id));
			return [...this.accepted.keys()].filter((id) => !told.has(id));
		};
		await expect.poll(untold, { timeout: toldBy, interval: 100 }).toEqual([]);
		// A repeated message has the same id.
		const ids = new Map(about().map(({ id, body }) => [id, body]));
		for (const { id, body } of about()) expect(body).toBe(ids.get(id));
		expect(ids.size).toBe(new Set(about().map(({ body }) => body)).size);
	}

	/**
	 * Asserts that nothing was lost and nothing is left over: every accepted picture exists once in an expected state; every variant exists,
	 * decodes and matches the manifest; there is no marker, no temporary file, and no object without an owner.
	 */
	async expectWhole(storageUrl: string, expected: readonly Picture['state'][] = ['ready']): Promise<void> {
		const storage = openStorage(storageUrl);
		await expectNoMarkers(storage);
		const keys = new Set<string>();
		for await (const key of storage.list('pictures/', { temporary: true })) keys.add(key);
		const pictures: Picture[] = [];
		for (const key of keys) {
			if (manifestId(key) === undefined) continue;
			pictures.push(parsePicture(String(await readObject(storage, key))));
		}
		const byId = new Map(pictures.map((picture) => [picture.id, picture]));
		expect(byId.size).toBe(pictures.length);
		for (const [id, { sha256 }] of this.accepted) {
			expect(byId.get(id), `${id} was accepted and is gone`).toMatchObject({
				state: expect.toBeOneOf([...expected]),
				source: { sha256 },
			});
		}
		for (const picture of pictures) await expectSound(storage, picture);
		const owned = pictures.flatMap((picture) => [
			manifestKey(folderOf(picture.id)),
			picture.source.key,
			...picture.variants.map((variant) => variant.key),
		]);
		expect([...keys].sort()).toEqual(owned.sort());
	}
}

/** Time until the last of many webhooks has arrived, milliseconds. */
const toldBy = 60_000;

async function sideBySide<T>(count: number, list: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
	const left = [...list];
	const lane = async () => {
		for (let next = left.shift(); next !== undefined; next = left.shift()) await work(next);
	};
	await Promise.all(Array.from({ length: count }, lane));
}

async function expectSound(storage: Storage, picture: Picture): Promise<void> {
	const original = await readObject(storage, picture.source.key);
	expect(
		createHash('sha256')
			.update(original ?? '')
			.digest('hex'),
	).toBe(isReceived(picture) && picture.source.sha256);
	if (picture.state === 'ready') {
		const encodings = Object.values(picture.recipe.definition.variants).flatMap(({ encode }) => encode);
		expect(picture.variants).toHaveLength(encodings.length);
	}
	for (const variant of picture.variants) {
		const bytes = (await readObject(storage, variant.key)) ?? Buffer.alloc(0);
		expect(bytes.length).toBe(variant.bytes);
		expect(createHash('sha256').update(bytes).digest('hex')).toBe(variant.sha256);
		expect(await sizeOf(variant.sha256, bytes)).toEqual({ width: variant.width, height: variant.height });
	}
}

/** Sizes of decoded variants by SHA-256: the pictures of every load are equal, and so are their variants. */
const sizes = new Map<string, { readonly width: number; readonly height: number }>();

/** Decodes all pixels, unless equal bytes were decoded before. */
async function sizeOf(sha256: string, bytes: Buffer) {
	const known = sizes.get(sha256);
	if (known) return known;
	const { info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
	const size = { width: info.width, height: info.height };
	sizes.set(sha256, size);
	return size;
}

/** A marker is deleted last. A worker killed just before leaves it to the next run of its job, or to the next sweep. */
const markersGone = 40_000;

async function expectNoMarkers(storage: Storage): Promise<void> {
	const markers: string[] = [];
	for (const end = Date.now() + markersGone; Date.now() < end; await sleep(50)) {
		markers.length = 0;
		for await (const key of storage.list('pending/', { temporary: true })) markers.push(key);
		if (markers.length === 0) return;
	}
	expect(markers).toEqual([]);
}

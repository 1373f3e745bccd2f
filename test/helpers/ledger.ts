import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { expect } from 'vitest';
import { folderOf } from '../../src/catalog/manifest.ts';
import { isReceived, type Picture, parsePicture } from '../../src/domain/picture.ts';
import { openStorage } from '../../src/storage/index.ts';
import { manifestId, manifestKey } from '../../src/storage/keys.ts';
import { readObject, type Storage } from '../../src/storage/storage.ts';
import { json } from './api.ts';

/** Every upload that was answered with 202, and what its bytes were. */
export class Ledger {
	readonly accepted = new Map<string, { sha256: string }>();
	/** Uploads that got another answer or none; no promise was made. */
	readonly refused: string[] = [];

	/** Uploads once; a refusal or a lost connection is noted, not thrown. */
	async upload(url: string, bytes: Buffer): Promise<void> {
		try {
			const response = await fetch(`${url}/v1/pictures`, {
				method: 'POST',
				body: new Uint8Array(bytes),
				headers: { 'content-type': 'image/jpeg' },
				signal: AbortSignal.timeout(60_000),
			});
			const body = await json(response);
			if (response.status === 202) {
				this.accepted.set(body.id, { sha256: createHash('sha256').update(bytes).digest('hex') });
			} else this.refused.push(`${response.status} ${body.code}`);
		} catch (error) {
			this.refused.push(String(error));
		}
	}

	/** Waits until every accepted picture is finished, by the manifests. */
	async untilFinished(storageUrl: string, milliseconds: number): Promise<void> {
		const storage = openStorage(storageUrl);
		const open = new Set(this.accepted.keys());
		for (const end = Date.now() + milliseconds; ; await sleep(100)) {
			for (const id of open) {
				const manifest = await readObject(storage, manifestKey(folderOf(id)));
				if (manifest && /"state": "(ready|failed)"/.test(manifest.toString())) open.delete(id);
			}
			if (open.size === 0) return;
			if (Date.now() > end) throw new Error(`${open.size} of ${this.accepted.size} not finished: ${[...open]}`);
		}
	}

	/**
	 * Asserts that nothing was lost and nothing is left over: every accepted picture is there once and has the state expected;
	 * every variant exists, decodes and is what the manifest says; no marker, no temporary file, no object without an owner.
	 */
	async expectWhole(storageUrl: string, expectedState: Picture['state'] = 'ready'): Promise<void> {
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
				state: expectedState,
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

async function expectSound(storage: Storage, picture: Picture): Promise<void> {
	const original = await readObject(storage, picture.source.key);
	expect(
		createHash('sha256')
			.update(original ?? '')
			.digest('hex'),
	).toBe(isReceived(picture) && picture.source.sha256);
	if (picture.state === 'ready') {
		expect(picture.variants).toHaveLength(Object.keys(picture.recipe.definition.variants).length);
	}
	for (const variant of picture.variants) {
		const bytes = (await readObject(storage, variant.key)) ?? Buffer.alloc(0);
		expect(bytes.length).toBe(variant.bytes);
		expect(createHash('sha256').update(bytes).digest('hex')).toBe(variant.sha256);
		const { info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
		expect(info).toMatchObject({ width: variant.width, height: variant.height });
	}
}

/** A marker goes last of all. A worker killed just before leaves it to the next run of its job, or to the next sweep. */
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

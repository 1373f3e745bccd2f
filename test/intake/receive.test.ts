import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { folderOf } from '../../src/catalog/manifest.ts';
import { parsePictureId } from '../../src/domain/picture.ts';
import { discard, receive } from '../../src/intake/receive.ts';
import { readObject } from '../../src/storage/storage.ts';
import { photograph } from '../helpers/pictures.ts';
import { watchedStorage } from '../helpers/storage.ts';
import { thrownBy } from '../helpers/thrown.ts';

const limits = { maxBytes: 10_000_000 };

/** A body, and whether its reader has let it go. */
function bodyOf(bytes: Buffer, options: { chunk?: number; failAfter?: number } = {}) {
	const { chunk = 1_000, failAfter = Number.POSITIVE_INFINITY } = options;
	const state = { sent: 0, isReleased: false };
	async function* chunks() {
		try {
			for (let start = 0; start < bytes.length; start += chunk) {
				if (start >= failAfter) throw new Error('the client left');
				state.sent = Math.min(start + chunk, bytes.length);
				yield bytes.subarray(start, start + chunk);
			}
		} finally {
			state.isReleased = true;
		}
	}
	return { state, body: chunks() };
}

describe('receive', () => {
	it('stores every byte under a new id and returns its facts', async () => {
		const storage = await watchedStorage();
		const bytes = await photograph({ width: 320, height: 240 });
		const { body, state } = bodyOf(bytes);
		const { id, source } = await receive(storage, body, 'Holiday.PNG', limits);
		expect(parsePictureId(id)).toBe(id);
		expect(source).toEqual({
			key: `${folderOf(id)}original.jpg`,
			type: 'image/jpeg',
			bytes: bytes.length,
			sha256: createHash('sha256').update(bytes).digest('hex'),
			filename: 'Holiday.PNG',
		});
		expect((await readObject(storage, source.key))?.equals(bytes)).toBe(true);
		expect(state.isReleased).toBe(true);
	});

	it('writes the marker before the original, so that leftovers of a killed process have an owner', async () => {
		const storage = await watchedStorage();
		await receive(storage, bodyOf(await photograph({ width: 64, height: 48 })).body, undefined, limits);
		expect(storage.changes).toEqual(['put pending/*', 'put pictures/*/original.jpg']);
	});

	it('accepts a file of exactly the limit, and refuses one more byte', async () => {
		const bytes = await photograph({ width: 64, height: 48 });
		const exact = await watchedStorage();
		const { source } = await receive(exact, bodyOf(bytes).body, undefined, { maxBytes: bytes.length });
		expect(source.bytes).toBe(bytes.length);

		const storage = await watchedStorage();
		const { body, state } = bodyOf(bytes);
		const error = await thrownBy(() => receive(storage, body, undefined, { maxBytes: bytes.length - 1 }));
		expect(error.code).toBe('file-too-large');
		expect(error.message).toContain(`at most ${bytes.length - 1} bytes`);
		expect(await storage.keys()).toEqual([]);
		expect(state.isReleased).toBe(true);
	});

	it('stops reading at the limit', async () => {
		const storage = await watchedStorage();
		const picture = await photograph({ width: 64, height: 48 });
		const { body, state } = bodyOf(Buffer.concat([picture, Buffer.alloc(5_000_000)]));
		await thrownBy(() => receive(storage, body, undefined, { maxBytes: 100_000 }));
		expect(state.sent).toBeLessThan(300_000);
	});

	it('refuses an empty file and a file that is not a picture before anything is written', async () => {
		const storage = await watchedStorage();
		const empty = bodyOf(Buffer.alloc(0));
		expect((await thrownBy(() => receive(storage, empty.body, 'a.jpg', limits))).code).toBe('empty-file');
		const text = bodyOf(Buffer.from('Only a text. '.repeat(100_000)));
		expect((await thrownBy(() => receive(storage, text.body, 'a.jpg', limits))).code).toBe('unsupported-type');
		expect(text.state.sent).toBeLessThan(10_000);
		expect(text.state.isReleased).toBe(true);
		expect(storage.changes).toEqual([]);
	});

	it.each([0, 2_000, 50_000])('leaves nothing of a body that fails after %i bytes', async (failAfter) => {
		const storage = await watchedStorage();
		const { body } = bodyOf(await photograph({ width: 1_000, height: 800 }), { failAfter });
		await expect(receive(storage, body, undefined, limits)).rejects.toThrow('the client left');
		expect(await storage.keys()).toEqual([]);
	});

	it.each([/^put pending/, /^put .*original/])('leaves nothing if the storage fails at %s', async (failing) => {
		const storage = await watchedStorage();
		storage.failOn(failing);
		const { body, state } = bodyOf(await photograph({ width: 64, height: 48 }));
		await expect(receive(storage, body, undefined, limits)).rejects.toMatchObject({ code: 'ENOSPC' });
		expect(await storage.keys()).toEqual([]);
		expect(state.isReleased).toBe(true);
	});

	it('keeps the marker for the sweep if it cannot clean up', async () => {
		const storage = await watchedStorage();
		storage.failOn(/^(put .*original|delete)/);
		await expect(
			receive(storage, bodyOf(await photograph({ width: 64, height: 48 })).body, undefined, limits),
		).rejects.toMatchObject({ code: 'ENOSPC' });
		expect(await storage.keys()).toEqual([expect.stringMatching(/^pending\/pic_/)]);
	});

	it('gives an equal file another id', async () => {
		const storage = await watchedStorage();
		const bytes = await photograph({ width: 64, height: 48 });
		const one = await receive(storage, bodyOf(bytes).body, undefined, limits);
		const other = await receive(storage, bodyOf(bytes).body, undefined, limits);
		expect(other.id).not.toBe(one.id);
		expect(other.source.sha256).toBe(one.source.sha256);
	});
});

describe('discard', () => {
	it('deletes what was received, and nothing else', async () => {
		const storage = await watchedStorage();
		const bytes = await photograph({ width: 64, height: 48 });
		const one = await receive(storage, bodyOf(bytes).body, undefined, limits);
		const other = await receive(storage, bodyOf(bytes).body, undefined, limits);
		await discard(storage, one.id);
		expect(await storage.keys()).toEqual([`pending/${other.id}`, other.source.key]);
	});
});

import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { type KeyWishes, makeKey, parseKeyRecord } from '../../src/access/key.ts';
import { addKey, listKeys, revokeKey } from '../../src/access/key-store.ts';
import { readUploadToken, signUploadToken } from '../../src/access/upload-token.ts';
import { readBatch, readClosed, readFinished } from '../../src/catalog/batch.ts';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { summaryOf } from '../../src/catalog/lists/summary.ts';
import { readManifest, revise, writeManifest } from '../../src/catalog/manifest.ts';
import { newBatchId } from '../../src/domain/batch.ts';
import { digest } from '../../src/domain/digest.ts';
import { type Picture, parsePicture } from '../../src/domain/picture.ts';
import { showPicture } from '../../src/domain/show.ts';
import { knownPart, stored, storedWord, unknownPart } from '../../src/domain/stored.ts';
import { newUploadId } from '../../src/domain/upload.ts';
import { type IdempotencyRecord, openIdempotencyRecords } from '../../src/intake/idempotency.ts';
import { readUpload, storedRefusal, type Upload, writeUpload } from '../../src/intake/upload-record.ts';
import {
	deliverJobSchema,
	fetchJob,
	fetchJobSchema,
	processJob,
	processJobSchema,
	renderJobSchema,
} from '../../src/queue/jobs.ts';
import { openFileStorage } from '../../src/storage/fs.ts';
import { apiKeyKey, batchKeys, idempotencyKey, uploadRecordKey, watchedKey } from '../../src/storage/keys.ts';
import { type LedgerEntry, openLedger } from '../../src/watch/ledger.ts';
import { makeEndpoint, parseDisabled, parseEndpoint, withNewSecret } from '../../src/webhooks/endpoint.ts';
import { pictureEvent } from '../../src/webhooks/event.ts';
import { giveUpMessage, messageTo, parseMessage, readMessage } from '../../src/webhooks/outbox.ts';
import { connected } from '../helpers/connection.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { makeAwaited, makePicture, makeRecipe } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { thrownBy } from '../helpers/thrown.ts';
import { openForTest } from '../webhooks/open.ts';

/** Maps by name, in which another name is another entry and no unknown field. */
const maps = new Set(['variants', 'steps', 'encode']);

/** The value as a newer version would have stored it: with a field that nobody here knows in each of its objects. */
function newer<T>(value: T, name = ''): T {
	if (Array.isArray(value)) return value.map((one) => newer(one, name)) as T;
	if (value === null || typeof value !== 'object') return value;
	const fields = Object.entries(value).map(([key, inner]) => [key, newer(inner, key)]);
	const later = { later: { deep: ['x'] } };
	return { ...Object.fromEntries(fields), ...(!(maps.has(name) && !('name' in value)) && later) } as T;
}

const at = '2026-01-31T12:00:00.000Z';
const variant = {
	name: 'small',
	key: 'pictures/2026/01/31/x/small-0123456789ab.webp',
	format: 'webp',
	type: 'image/webp',
	width: 4,
	height: 3,
	bytes: 5,
	quality: { value: 80, ssim: 0.98, tries: 3 },
	digest: '0123456789ab',
	sha256: 'ab'.repeat(32),
	milliseconds: 1.5,
};
const failure = { class: 'limit', code: 'picture-timeout', message: 'late', attempt: 1, at, seen: { lastStep: 'x' } };
const finished = makePicture({
	state: 'failed',
	facts: { format: 'jpeg', width: 8, height: 6, frames: 1, alpha: false, orientation: 1, colourSpace: 'srgb' },
	variants: [variant],
	analysis: {
		palette: [{ colour: '#aabbcc', share: 1 }],
		focus: { x: 0.5, y: 0.5 },
		exif: { make: 'x' },
		gps: { latitude: 1, longitude: 2 },
	},
	failure: failure as Picture['failure'],
});

describe('a manifest of a newer version', () => {
	const manifest = newer<Picture>(finished);

	it('is read with every field, at every depth, and the unchanged recipe', () => {
		expect(parsePicture(JSON.stringify(manifest))).toEqual(manifest);
		const awaited = newer<Picture>(makeAwaited());
		expect(parsePicture(JSON.stringify(awaited))).toEqual(awaited);
		expect(JSON.stringify(manifest).match(/"later"/g)?.length).toBeGreaterThan(14);
	});

	it('keeps unknown fields when it is revised and written', async () => {
		const storage = openFileStorage(await temporaryFolder());
		await writeManifest(storage, manifest);
		const read = await readManifest(storage, manifest.id);
		await writeManifest(storage, revise(read as Picture, { state: 'queued' }));
		const { updatedAt: _updatedAt, ...after } = (await readManifest(storage, manifest.id)) as Picture;
		const { updatedAt: _before, ...before } = manifest;
		expect(after).toEqual({ ...before, state: 'queued', revision: 2 });
	});

	it('is listed', async () => {
		const catalog = openCatalog(await connected(), freshPrefix());
		await catalog.put(manifest);
		expect(await catalog.get(manifest.id)).toEqual(summaryOf(manifest));
		await catalog.markProcessing({ ...manifest, state: 'queued', revision: 2 });
		expect((await catalog.list({ limit: 9 })).pictures).toMatchObject([
			{ id: manifest.id, state: 'processing', revision: 2 },
		]);
	});

	it('is shown without unknown fields, by the API and in webhooks', () => {
		expect(JSON.stringify(showPicture(manifest))).not.toContain('later');
		expect(showPicture(manifest)).toEqual({ ...showPicture(finished), links: showPicture(manifest).links });
		expect(JSON.stringify(pictureEvent(manifest).data)).toBe(JSON.stringify(pictureEvent(finished).data));
		expect(JSON.stringify(processJob(manifest as typeof finished, 'sweep'))).not.toContain('later');
	});
});

describe('a record of a newer version', () => {
	it('of a batch is read completely', async () => {
		const storage = openFileStorage(await temporaryFolder());
		const id = newBatchId();
		const keys = batchKeys(id);
		const records = {
			batch: newer({ version: 1, id, createdAt: at, name: 'x' }),
			closed: newer({ version: 1, at, reason: 'bored' }),
			finished: newer({ version: 1, at, ready: 1, failed: 0 }),
		};
		for (const name of ['batch', 'closed', 'finished'] as const)
			await storage.put(keys[name], Buffer.from(JSON.stringify(records[name])));
		expect(await readBatch(storage, id)).toEqual(records.batch);
		expect(await readClosed(storage, id)).toEqual(records.closed);
		expect(await readFinished(storage, id)).toEqual(records.finished);
	});

	it('of an endpoint keeps unknown fields and events when a secret is changed', () => {
		const record = newer(makeEndpoint({ url: 'https://example.org/', description: undefined, events: undefined }));
		const withEvents = { ...record, events: ['picture.ready', 'picture.blurred'] };
		const read = parseEndpoint(JSON.stringify(withEvents));
		expect(read).toEqual(JSON.parse(JSON.stringify(withEvents)));
		const rotated = withNewSecret(read, `whsec_${Buffer.alloc(32).toString('base64')}`, 60);
		expect(rotated).toMatchObject({ later: { deep: ['x'] }, events: withEvents.events });
		expect(rotated.secrets[1]).toMatchObject({ later: { deep: ['x'] } });
		const disabled = newer({ version: 1, at, reason: 'expensive', url: 'https://example.org/' });
		expect(parseDisabled(JSON.stringify(disabled))).toEqual(disabled);
	});

	it('of a message keeps unknown fields when it is moved, and of its delivery when an attempt is recorded', async () => {
		const { storage, redis, prefix, deliveries } = await openForTest();
		const message = newer({
			...messageTo('setting', pictureEvent(finished)),
			type: 'picture.blurred' as 'picture.ready',
		});
		expect(parseMessage(JSON.stringify(message))).toEqual(message);
		await giveUpMessage(storage, message);
		expect(await readMessage(storage, 'failed', 'setting', message.id)).toEqual(message);

		const attempt = { number: 1, at, milliseconds: 5, error: { code: 'x', message: 'y' } };
		await deliveries.note(message, 'waiting', attempt);
		const entries = `${prefix}:webhooks-log:setting:entries`;
		const entry = newer({ message: JSON.stringify(message), state: 'waiting', attempts: [attempt] });
		await redis.hset(entries, message.id, JSON.stringify(entry));
		await deliveries.note(message, 'failed', { ...attempt, number: 2 });
		expect(JSON.parse((await redis.hget(entries, message.id)) ?? '')).toEqual({
			...entry,
			state: 'failed',
			attempts: [...entry.attempts, { ...attempt, number: 2 }],
		});
	});

	it('of a key is read, even with an unknown scope, and kept when it is revoked', async () => {
		const storage = openFileStorage(await temporaryFolder());
		const { record } = await addKey(storage, {
			name: 'camera',
			scopes: ['upload'],
			limits: { rate: { requests: 1, seconds: 1 } },
		});
		const changed = newer({ ...record, scopes: ['upload', 'purge'] });
		expect(parseKeyRecord(JSON.stringify(changed))).toEqual(changed);
		await storage.put(apiKeyKey(record.id), Buffer.from(JSON.stringify(changed)));
		await revokeKey(storage, record.id);
		expect((await listKeys(storage)).records).toEqual([{ ...changed, revokedAt: expect.any(String) }]);
		// Whoever asks for a key asks here, and is told.
		for (const wrong of [{ scopes: ['purge'] }, { limits: { rate: { requests: 1, seconds: 1, burst: 2 } } }])
			expect(() => makeKey({ name: 'x', scopes: ['read'], limits: {}, ...wrong } as KeyWishes)).toThrow();
	});

	it('of a resumable upload is kept when it is resumed, even with an unknown refusal', async () => {
		const storage = openFileStorage(await temporaryFolder());
		const { name, digest, definition } = makeRecipe();
		const upload = newer({
			version: 1,
			id: newUploadId(),
			createdAt: at,
			owner: { caller: 'x' },
			wishes: { recipe: { name, digest, definition }, tags: [], priority: 0, duplicates: 'accept' },
			outcome: { refused: { code: 'too-ugly', message: 'No.' } },
		}) as unknown as Upload;
		await storage.put(uploadRecordKey(upload.id), Buffer.from(JSON.stringify(upload)));
		const read = (await readUpload(storage, upload.id)) as Upload;
		expect(read).toEqual(upload);
		await writeUpload(storage, { ...read, length: 5 });
		expect(await readUpload(storage, upload.id)).toEqual({ ...upload, length: 5 });
		expect(storedRefusal(read)).toMatchObject({ code: 'internal', message: 'No.' });
	});

	it('of an idempotency key is kept', async () => {
		const storage = openFileStorage(await temporaryFolder());
		const records = openIdempotencyRecords(storage, 60);
		const record = newer<IdempotencyRecord>({
			version: 1,
			createdAt: new Date().toISOString(),
			fingerprint: { request: 'a', files: [null] },
			candidates: [{ id: finished.id, source: finished.source }, null],
			results: [{ picture: finished, isNew: true }, { refused: { code: 'queue-full', message: 'x' } }],
		});
		await storage.put(idempotencyKey(digest('x')), Buffer.from(JSON.stringify(record)));
		expect(await records.read(digest('x'))).toEqual(record);
		await records.replace(digest('x'), (await records.read(digest('x'))) as IdempotencyRecord);
		expect(await records.read(digest('x'))).toEqual(record);
	});

	it('of a watched file is kept', async () => {
		const storage = openFileStorage(await temporaryFolder());
		const ledger = openLedger(storage, '/pictures');
		const entry = newer<LedgerEntry>({
			version: 1,
			path: 'a.jpg',
			state: { inode: 1, bytes: 2, modifiedAt: 3 },
			sha256: 'ab',
			picture: { id: finished.id, source: finished.source },
		});
		const key = watchedKey(digest('/pictures').slice(0, 12), digest('a.jpg'));
		await storage.put(key, Buffer.from(JSON.stringify(entry)));
		await ledger.replace({ ...((await ledger.read('a.jpg')) as LedgerEntry), isOver: true });
		expect(await ledger.read('a.jpg')).toEqual({ ...entry, isOver: true });
	});
});

describe('a job of a newer version', () => {
	it('is read completely', () => {
		const jobs = [
			[processJobSchema, processJob(finished, 'upload')],
			[fetchJobSchema, fetchJob(makeAwaited(), 'upload')],
			[
				renderJobSchema,
				{ version: 1, pictureId: 'x', recipe: makeRecipe().definition, digest: '0123456789ab', key: 'x' },
			],
			[deliverJobSchema, { version: 1, endpoint: 'x', messageId: 'y', type: 'z', attemptsBefore: 0 }],
		] as const;
		for (const [schema, job] of jobs) expect(schema.parse(newer<object>(job))).toEqual(newer<object>(job));
	});
});

describe('an upload token of a newer version', () => {
	it('is refused, because an unknown field may forbid something', async () => {
		const secret = Buffer.alloc(32);
		const grant = {
			caller: 'x',
			recipe: 'web',
			tags: [],
			priority: 0,
			maxBytes: 1,
			maxPictures: 1,
			expires: Math.ceil(Date.now() / 1_000) + 60,
		};
		const callerOf = async () => ({ signingSecret: secret });
		expect((await readUploadToken(signUploadToken(grant, secret), callerOf)).grant).toMatchObject(grant);
		const { createHmac } = await import('node:crypto');
		const payload = Buffer.from(JSON.stringify({ version: 1, id: 'y', ...grant, only: 'faces' })).toString('base64url');
		const signature = createHmac('sha256', secret).update(payload).digest('base64url');
		const error = await thrownBy(() => readUploadToken(`picpipe_upload_${payload}.${signature}`, callerOf));
		expect(error.code).toBe('invalid-upload-token');
	});
});

describe('a stored value', () => {
	const schema = stored({
		kind: storedWord(['a']),
		list: z.array(stored({ id: z.string() })).optional(),
		inner: stored({ id: z.string().optional() }).optional(),
	});

	it('is divided into known and unknown fields', () => {
		const value = { more: 1, inner: { more: 2, id: 'x' }, list: [{ id: 'y', more: 3 }], kind: 'b' };
		const read = schema.parse(value);
		expect(read).toEqual(value);
		expect(JSON.stringify(knownPart(schema, read))).toBe('{"kind":"b","list":[{"id":"y"}],"inner":{"id":"x"}}');
		expect(unknownPart(schema, read)).toEqual({ more: 1 });
		expect(unknownPart(schema, undefined)).toEqual({});
	});
});

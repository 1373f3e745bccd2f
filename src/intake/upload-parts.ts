import { createHash } from 'node:crypto';
import { PicpipeError } from '../errors.ts';
import { uploadFolder, uploadPartKey, uploadPartOffset } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * The bytes of a resumable upload. Storages cannot append, so the bytes are cut into parts. Each part is an object named by its offset. A
 * part is stored completely or not at all, and a stored part is durable. After any crash, an upload resumes at the end of its last part, on
 * any machine with access to the storage.
 */

/**
 * A part ends at this many bytes: the most that a killed API process can lose. Later parts may be larger, so that their number stays small.
 */
const smallestPart = 8 * 1024 * 1024;
const share = 64;
/**
 * A part also ends after this time, milliseconds, if it has more than `trifle` bytes: on a slow connection, eight megabytes take minutes.
 */
const patience = 10_000;
const trifle = 256 * 1024;

/** Most parts of one upload. Only clients that send less than about 50 kB per request reach it. */
export const maximumParts = 2_000;

export interface Part {
	readonly key: string;
	readonly offset: number;
	readonly bytes: number;
}

export interface PartsProgress {
	/** Bytes that are stored without a gap from the start. */
	readonly offset: number;
	readonly parts: readonly Part[];
	/** When the last of these bytes arrived; undefined before the first. */
	readonly lastAt: Date | undefined;
}

/** The progress of an upload. */
export async function progressOf(storage: Storage, id: string): Promise<PartsProgress> {
	const keys: { key: string; offset: number }[] = [];
	for await (const key of storage.list(uploadFolder(id))) {
		const offset = uploadPartOffset(key);
		if (offset !== undefined) keys.push({ key, offset });
	}
	keys.sort((one, other) => one.offset - other.offset);
	const stats = await Promise.all(keys.map(({ key }) => storage.stat(key)));
	const parts: Part[] = [];
	let offset = 0;
	let lastAt: Date | undefined;
	for (const [at, part] of keys.entries()) {
		const stat = stats[at];
		// Two concurrent writers may have left parts of different lengths. Only one gapless chain counts.
		if (!stat || part.offset !== offset) continue;
		parts.push({ ...part, bytes: stat.bytes });
		offset += stat.bytes;
		if (!lastAt || stat.modifiedAt > lastAt) lastAt = stat.modifiedAt;
	}
	return { offset, parts, lastAt };
}

/** The expected digest of one request's body. */
export interface Checksum {
	/** Algorithm name of `node:crypto`. */
	readonly algorithm: string;
	readonly digest: Buffer;
}

/**
 * Stores a body as parts, starting at an offset. When the body fails, the parts before the failure stay. With a checksum the whole body is
 * one part, which is stored only if the checksum matches.
 *
 * @returns the offset after the last byte
 * @throws PicpipeError `checksum-mismatch`; other errors come from the body or the storage
 */
export async function appendParts(
	storage: Storage,
	id: string,
	begin: number,
	body: AsyncIterable<Buffer>,
	checksum?: Checksum,
): Promise<number> {
	const chunks = body[Symbol.asyncIterator]();
	const next = async () => (await chunks.next()).value as Buffer | undefined;
	let offset = begin;
	try {
		for (let first = await next(); first; first = await next()) {
			let bytes = 0;
			const part = checksum ? verified(chunksFrom(first, next), checksum) : cut(chunksFrom(first, next), offset);
			const counted = async function* () {
				for await (const chunk of part) {
					bytes += chunk.length;
					yield chunk;
				}
			};
			await storage.put(uploadPartKey(id, offset), counted());
			offset += bytes;
		}
		// An empty body also has a checksum.
		if (checksum && offset === begin) for await (const _none of verified(nothing(), checksum));
	} finally {
		await chunks.return?.();
	}
	return offset;
}

async function* nothing(): AsyncGenerator<Buffer> {}

async function* chunksFrom(first: Buffer, next: () => Promise<Buffer | undefined>): AsyncGenerator<Buffer> {
	for (let chunk: Buffer | undefined = first; chunk; chunk = await next()) yield chunk;
}

async function* cut(chunks: AsyncGenerator<Buffer>, offset: number): AsyncGenerator<Buffer> {
	const most = Math.max(smallestPart, offset / share);
	const started = performance.now();
	let bytes = 0;
	// Not `for await`: leaving that loop would also end the body.
	for (let one = await chunks.next(); !one.done; one = await chunks.next()) {
		bytes += one.value.length;
		yield one.value;
		if (bytes >= most || (bytes >= trifle && performance.now() - started > patience)) return;
	}
}

async function* verified(chunks: AsyncGenerator<Buffer>, { algorithm, digest }: Checksum): AsyncGenerator<Buffer> {
	const hash = createHash(algorithm);
	for await (const chunk of chunks) {
		hash.update(chunk);
		yield chunk;
	}
	if (hash.digest().equals(digest)) return;
	throw new PicpipeError(
		'checksum-mismatch',
		`Expected bytes with the ${algorithm} ${digest.toString('base64')} but received different bytes; they were discarded.`,
	);
}

/** The bytes of the parts, in order. */
export async function* bytesOf(storage: Storage, parts: readonly Part[]): AsyncGenerator<Buffer> {
	for (const { key, bytes } of parts) {
		const object = await storage.get(key);
		if (object?.bytes !== bytes)
			throw new PicpipeError('storage-unavailable', 'A part of the upload was changed at the same time.');
		yield* object.stream;
	}
}

/** Deletes the bytes and keeps the record. */
export async function dropParts(storage: Storage, id: string): Promise<void> {
	for await (const key of storage.list(uploadFolder(id), { temporary: true })) {
		if (!key.endsWith('.json')) await storage.delete(key);
	}
}

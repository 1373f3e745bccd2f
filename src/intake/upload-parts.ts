import { createHash } from 'node:crypto';
import { PicpipeError } from '../errors.ts';
import { uploadFolder, uploadPartKey, uploadPartOffset } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * The bytes of a resumable upload. Storages can't append, so what comes is cut into parts, each an object named by the offset that it
 * begins at. A part is there whole or not at all, and what is there is durable: an upload goes on where the last part ends, on any machine
 * that sees the storage, whatever has died.
 */

/** A part ends when it has so many bytes: as much as a kill of the api may cost. Later ones may be larger, so that there are never very many. */
const smallestPart = 8 * 1024 * 1024;
const share = 64;
/** It also ends after so long, milliseconds, if it has grown beyond a trifle, bytes: on a slow line eight megabytes are minutes. */
const patience = 10_000;
const trifle = 256 * 1024;

/** Most parts of one upload. Who sends less than some fifty kilobytes at a time meets it. */
export const maximumParts = 2_000;

export interface Part {
	readonly key: string;
	readonly offset: number;
	readonly bytes: number;
}

export interface PartsProgress {
	/** Bytes that are safe, without a gap from the first one on. */
	readonly offset: number;
	readonly parts: readonly Part[];
	/** When the last of them came; undefined before the first. */
	readonly lastAt: Date | undefined;
}

/** How far an upload has come. */
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
		// Two that wrote at once, each thinking itself alone, may have left parts of different lengths. One chain of them counts.
		if (!stat || part.offset !== offset) continue;
		parts.push({ ...part, bytes: stat.bytes });
		offset += stat.bytes;
		if (!lastAt || stat.modifiedAt > lastAt) lastAt = stat.modifiedAt;
	}
	return { offset, parts, lastAt };
}

/** What the bytes of one request have to hash to. */
export interface Checksum {
	/** As `node:crypto` names it. */
	readonly algorithm: string;
	readonly digest: Buffer;
}

/**
 * Stores what comes as parts, beginning at an offset. When the body fails, the parts before stay. With a checksum everything is one
 * part, and there is none unless the sum is right.
 *
 * @returns the offset behind it
 * @throws PicpipeError `checksum-mismatch`; otherwise what the body or the storage throws
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
		// Nothing came: of that there is a sum too.
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
	// Not with `for await`: ending that would end the body as well.
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

/** The bytes of parts, one after the other. */
export async function* bytesOf(storage: Storage, parts: readonly Part[]): AsyncGenerator<Buffer> {
	for (const { key, bytes } of parts) {
		const object = await storage.get(key);
		if (object?.bytes !== bytes)
			throw new PicpipeError('storage-unavailable', 'A part of the upload has just changed.');
		yield* object.stream;
	}
}

/** Deletes the bytes and leaves the record. */
export async function dropParts(storage: Storage, id: string): Promise<void> {
	for await (const key of storage.list(uploadFolder(id), { temporary: true })) {
		if (!key.endsWith('.json')) await storage.delete(key);
	}
}

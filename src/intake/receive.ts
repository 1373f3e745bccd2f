import { createHash } from 'node:crypto';
import { folderOf, markPending, purgePicture } from '../catalog/manifest.ts';
import { newPictureId, type Source } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { checkSvgBytes, type SvgLimits } from '../pipeline/svg-limits.ts';
import { originalKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import { inspectHead, readHead } from './inspect.ts';

/** Longest file name kept, characters; most file systems end at 255 bytes. */
const maximumFilename = 200;

export interface ReceiveLimits {
	readonly maxBytes: number;
	/** Absent where SVG is not taken. */
	readonly svg?: SvgLimits | undefined;
}

/** An original that is safe in storage and belongs to no picture yet. */
export interface Received {
	readonly id: string;
	readonly source: Source;
}

/**
 * Streams one file to storage: type decided from its first bytes, size limited and SHA-256 taken on the way.
 * The marker is written first, so that whatever a killed process leaves behind has an owner that the sweep finds.
 * When anything fails, nothing stays. The body is read only as far as needed.
 *
 * @throws PicpipeError `empty-file`, `unsupported-type`, `file-too-large`; otherwise what the body or the storage throws
 */
export async function receive(
	storage: Storage,
	body: AsyncIterable<Buffer>,
	filename: string | undefined,
	limits: ReceiveLimits,
): Promise<Received> {
	const chunks = body[Symbol.asyncIterator]();
	try {
		const { head, rest } = await readHead(chunks);
		if (head.length === 0) throw new PicpipeError('empty-file');
		const { type, extension } = await inspectHead(head, limits.svg !== undefined);
		const id = newPictureId();
		const key = originalKey(folderOf(id), extension);
		const check = (bytes: number) => {
			if (bytes > limits.maxBytes) throw tooLarge(limits.maxBytes);
			if (extension === 'svg' && limits.svg) checkSvgBytes(bytes, limits.svg);
		};
		const { bytes, sha256 } = await store(storage, id, key, rest, check);
		const name = cleanFilename(filename);
		return { id, source: { key, type, bytes, sha256, ...(name && { filename: name }) } };
	} finally {
		await chunks.return?.();
	}
}

/** @param check throws where so many bytes are too many */
async function store(
	storage: Storage,
	id: string,
	key: string,
	body: AsyncIterable<Buffer>,
	check: (bytes: number) => void,
) {
	const hash = createHash('sha256');
	let bytes = 0;
	async function* metered() {
		for await (const chunk of body) {
			bytes += chunk.length;
			check(bytes);
			hash.update(chunk);
			yield chunk;
		}
	}
	try {
		await markPending(storage, id);
		await storage.put(key, metered());
	} catch (error) {
		await discard(storage, id);
		throw error;
	}
	return { bytes, sha256: hash.digest('hex') };
}

/** Takes back what was received and will not become a picture. */
export async function discard(storage: Storage, id: string): Promise<void> {
	await purgePicture(storage, id);
}

export function tooLarge(maxBytes: number): PicpipeError {
	return new PicpipeError(
		'file-too-large',
		`Expected at most ${maxBytes} bytes for a file (PICPIPE_MAX_BYTES) but received more.`,
	);
}

/** The last segment of a name, without control and direction characters, cut to a sane length; for display only. */
export function cleanFilename(filename: string | undefined): string | undefined {
	const name = filename
		?.split(/[/\\]/)
		.at(-1)
		?.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
		.trim();
	if (!name || /^\.+$/.test(name)) return undefined;
	return [...name].slice(0, maximumFilename).join('');
}

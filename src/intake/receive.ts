import { createHash, randomBytes } from 'node:crypto';
import { fileTypeFromBuffer } from 'file-type';
import { folderOf, markPending, purgePicture } from '../catalog/manifest.ts';
import { cleanFilename } from '../domain/filename.ts';
import { newPictureId, type Source } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { checkSvgBytes, type SvgLimits, svgSetting } from '../pipeline/inspect/limits.ts';
import { inputFormats, sniffFormat } from '../pipeline/inspect/sniff.ts';
import { mayBecomeSvg, svgHeadBytes } from '../pipeline/inspect/svg-text.ts';
import { isCameraRaw } from '../pipeline/inspect/tiff-page.ts';
import { originalKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';

export interface ReceiveLimits {
	readonly maxBytes: number;
	/** Absent if SVG is not accepted. */
	readonly svg?: SvgLimits | undefined;
}

/** An original that is safe in storage and does not belong to a picture yet. */
export interface Received {
	readonly id: string;
	readonly source: Source;
	/** Another attempt at the same request, which was believed lost, may also create a picture from it. One of the attempts does. */
	readonly isShared?: boolean;
}

/**
 * Streams one file to storage: decides the type from the first bytes, limits the size and computes the SHA-256 on the way. The marker is
 * written first, so that the sweep finds what a killed process leaves behind. After a failure nothing is left in storage. The body is read
 * only as far as needed.
 *
 * @throws PicpipeError `empty-file`, `unsupported-type`, `file-too-large`; other errors come from the body or the storage
 */
export async function receive(
	storage: Storage,
	body: AsyncIterable<Buffer>,
	filename: string | undefined,
	limits: ReceiveLimits,
): Promise<Received> {
	const id = newPictureId();
	const source = await takeIn(storage, body, filename, limits, {
		keyOf: (extension) => originalKey(folderOf(id), extension),
		begin: () => markPending(storage, id),
		undo: () => discard(storage, id),
	});
	return { id, source };
}

/**
 * Receives the original of an existing picture. Each original gets a new name: two responses of one URL may differ, and the second must not
 * replace the first once a manifest names it. After a failure nothing is left in storage.
 */
export function receiveFor(
	id: string,
	storage: Storage,
	file: { readonly body: AsyncIterable<Buffer>; readonly filename: string | undefined },
	limits: ReceiveLimits,
): Promise<Source> {
	const serving = randomBytes(6).toString('hex');
	return takeIn(storage, file.body, file.filename, limits, {
		keyOf: (extension) => originalKey(folderOf(id), `${serving}.${extension}`),
	});
}

/** Where an original is stored, with actions before the write and after a failure. */
interface Place {
	keyOf(extension: string): string;
	begin?(): Promise<void>;
	undo?(): Promise<void>;
}

async function takeIn(
	storage: Storage,
	body: AsyncIterable<Buffer>,
	filename: string | undefined,
	limits: ReceiveLimits,
	place: Place,
): Promise<Source> {
	const chunks = body[Symbol.asyncIterator]();
	try {
		const { head, rest } = await readHead(chunks);
		if (head.length === 0) throw new PicpipeError('empty-file');
		const { type, extension } = await inspectHead(head, limits.svg !== undefined);
		const key = place.keyOf(extension);
		const check = (bytes: number) => {
			if (bytes > limits.maxBytes) throw tooLarge(limits.maxBytes);
			if (extension === 'svg' && limits.svg) checkSvgBytes(bytes, limits.svg);
		};
		try {
			await place.begin?.();
			const name = cleanFilename(filename);
			return { key, type, ...(await store(storage, key, rest, check)), ...(name && { filename: name }) };
		} catch (error) {
			await place.undo?.();
			throw error;
		}
	} finally {
		await chunks.return?.();
	}
}

/** @param check throws if there are too many bytes */
async function store(storage: Storage, key: string, body: AsyncIterable<Buffer>, check: (bytes: number) => void) {
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
	// The manifest follows, and nothing is promised before it.
	await storage.put(key, metered(), { isFollowed: true });
	return { bytes, sha256: hash.digest('hex') };
}

/** Deletes a received original that will not become a picture. */
export async function discard(storage: Storage, id: string): Promise<void> {
	await purgePicture(storage, id);
}

/**
 * Deletes an original that was not admitted. A shared one stays, because another attempt may be admitting it. If none does, the sweep finds
 * its marker.
 */
export async function discardUnlessShared(storage: Storage, received: Omit<Received, 'source'>): Promise<void> {
	if (!received.isShared) await discard(storage, received.id);
}

export function tooLarge(maxBytes: number): PicpipeError {
	return new PicpipeError(
		'file-too-large',
		`Expected at most ${maxBytes} bytes for a file (PICPIPE_MAX_BYTES, or the limit of the upload token) but received more.`,
	);
}

/** Bytes at the start of a file that determine its type; file-type's own sample size. */
const headBytes = 4_100;

interface FileType {
	/** Media type. */
	readonly type: string;
	readonly extension: string;
}

/**
 * Determines the type from the bytes alone; the client's file name and headers are ignored. A damaged picture keeps its type: the worker
 * finds the damage when it decodes the picture.
 *
 * @param takesSvg whether the configuration allows SVG
 * @throws PicpipeError `unsupported-type`, with the detected type if it is known
 */
export async function inspectHead(head: Buffer, takesSvg = false): Promise<FileType> {
	const format = sniffFormat(head);
	if (format === 'svg') return typeOfSvg(takesSvg);
	if (!format || (format === 'tiff' && isCameraRaw(head))) {
		throw new PicpipeError(
			'unsupported-type',
			`Expected a picture (${inputFormats.join(', ')}) but ${await received(head)}.`,
		);
	}
	return { type: `image/${format}`, extension: format === 'jpeg' ? 'jpg' : format };
}

/** What the bytes of a refused file are. */
async function received(head: Buffer): Promise<string> {
	const known = await fileTypeFromBuffer(head);
	if (known?.mime === 'image/tiff') return "the bytes are a camera's raw file";
	// file-type goes by less than what makes a picture of that type, such as the first three bytes of a GIF.
	if (known && inputFormats.some((format) => known.mime === `image/${format}`))
		return `the bytes have only a part of the signature of ${known.mime}`;
	return `the bytes are ${known?.mime ?? 'of an unknown type'}`;
}

function typeOfSvg(isTaken: boolean): FileType {
	if (isTaken) return { type: 'image/svg+xml', extension: 'svg' };
	throw new PicpipeError(
		'unsupported-type',
		`Expected a picture (${inputFormats.join(', ')}) but the bytes are image/svg+xml, which requires ${svgSetting} to be true.`,
	);
}

/** Chunks that are kept before they become one. */
const mostChunks = 64;

/** Reads the first bytes. `rest` yields the whole body, including these. */
export async function readHead(body: AsyncIterator<Buffer>): Promise<{ head: Buffer; rest: AsyncIterable<Buffer> }> {
	let first: Buffer[] = [];
	let length = 0;
	const readTo = async (bytes: number) => {
		while (length < bytes) {
			const { value, done } = await body.next();
			if (done) return;
			first.push(value);
			length += value.length;
			// Chunks of a dripping client have one byte each.
			if (first.length === mostChunks) first = [Buffer.concat(first)];
		}
	};
	await readTo(headBytes);
	// A comment may stand before everything else. The check is made once, because chunks may be single bytes.
	if (mayBecomeSvg(Buffer.concat(first))) await readTo(svgHeadBytes);
	async function* rest() {
		yield* first;
		for (let next = await body.next(); !next.done; next = await body.next()) yield next.value;
	}
	return { head: Buffer.concat(first), rest: rest() };
}

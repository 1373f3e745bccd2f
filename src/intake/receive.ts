import { createHash, randomBytes } from 'node:crypto';
import { fileTypeFromBuffer } from 'file-type';
import { folderOf, markPending, purgePicture } from '../catalog/manifest.ts';
import { newPictureId, type Source } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { checkSvgBytes, type SvgLimits, svgSetting } from '../pipeline/inspect/limits.ts';
import { inputFormats, sniffFormat } from '../pipeline/inspect/sniff.ts';
import { originalKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';

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
	/** Others may make a picture of it too: an attempt at the same request that was thought to be lost. One of them does. */
	readonly isShared?: boolean;
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
	const id = newPictureId();
	const source = await takeIn(storage, body, filename, limits, {
		keyOf: (extension) => originalKey(folderOf(id), extension),
		begin: () => markPending(storage, id),
		undo: () => discard(storage, id),
	});
	return { id, source };
}

/**
 * The same for a picture that is there already and waits for its original. Each time the original gets another name: two servings of one
 * address may differ, and one must not take the place of the other once a manifest has named it. When anything fails, nothing stays.
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

/** Where an original goes, and what there is to do around it. */
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

/** @param check throws where so many bytes are too many */
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

/** Takes back what was received and will not become a picture. */
export async function discard(storage: Storage, id: string): Promise<void> {
	await purgePicture(storage, id);
}

/**
 * Takes back what could not be admitted. What is shared stays: somebody else may just be admitting it; if nobody does, its marker tells the
 * sweep.
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

/** Bytes at the start of a file that decide its type; file-type's own sample size. */
const headBytes = 4_100;

interface FileType {
	/** Media type. */
	readonly type: string;
	readonly extension: string;
}

/**
 * Decides the type from the bytes alone; names and headers of the client are not asked. A damaged picture counts as one of its
 * type: whether it is sound shows when the worker decodes it.
 *
 * @param takesSvg a setting allows SVG
 * @throws PicpipeError `unsupported-type`, naming what the bytes are where that is known
 */
export async function inspectHead(head: Buffer, takesSvg = false): Promise<FileType> {
	const format = sniffFormat(head);
	if (format === 'svg') return typeOfSvg(takesSvg);
	const known = await fileTypeFromBuffer(head);
	// Cameras' raw files begin like a TIFF, but its first page is only a preview.
	const isRaw = format === 'tiff' && known !== undefined && known.mime !== 'image/tiff';
	if (!format || isRaw) {
		throw new PicpipeError(
			'unsupported-type',
			`Expected a picture (${inputFormats.join(', ')}) but the bytes are ${known?.mime ?? 'of no known type'}.`,
		);
	}
	return { type: `image/${format}`, extension: format === 'jpeg' ? 'jpg' : format };
}

function typeOfSvg(isTaken: boolean): FileType {
	if (isTaken) return { type: 'image/svg+xml', extension: 'svg' };
	throw new PicpipeError(
		'unsupported-type',
		`Expected a picture (${inputFormats.join(', ')}) but the bytes are image/svg+xml, which requires ${svgSetting} to be true.`,
	);
}

/** Reads the first bytes; `rest` goes on with the whole body, the head included. */
export async function readHead(body: AsyncIterator<Buffer>): Promise<{ head: Buffer; rest: AsyncIterable<Buffer> }> {
	const first: Buffer[] = [];
	let length = 0;
	while (length < headBytes) {
		const { value, done } = await body.next();
		if (done) break;
		first.push(value);
		length += value.length;
	}
	async function* rest() {
		yield* first;
		for (let next = await body.next(); !next.done; next = await body.next()) yield next.value;
	}
	return { head: Buffer.concat(first), rest: rest() };
}

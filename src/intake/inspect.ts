import { fileTypeFromBuffer } from 'file-type';
import { PicpipeError } from '../errors.ts';

/** The types that are taken in, by the media type their bytes show; the extension names the stored original. */
const acceptedTypes: Readonly<Record<string, string>> = {
	'image/jpeg': 'jpg',
	'image/png': 'png',
	'image/apng': 'png',
	'image/webp': 'webp',
	'image/avif': 'avif',
	'image/gif': 'gif',
	'image/tiff': 'tiff',
};

/** Bytes at the start of a file that decide its type; file-type's own sample size. */
const headBytes = 4_100;

export interface FileType {
	/** Media type. */
	readonly type: string;
	readonly extension: string;
}

/**
 * Decides the type from the bytes alone; names and headers of the client are not asked.
 * Whether the rest of the file is sound shows when the worker decodes it.
 *
 * @throws PicpipeError `unsupported-type`
 */
export async function inspectHead(head: Uint8Array): Promise<FileType> {
	const found = await fileTypeFromBuffer(head);
	const extension = found && acceptedTypes[found.mime];
	if (!found || !extension) {
		const accepted = [...new Set(Object.values(acceptedTypes))].join(', ');
		throw new PicpipeError(
			'unsupported-type',
			`Expected a picture (${accepted}) but the bytes ${found ? `are ${found.mime}` : 'are of no known picture type'}.`,
		);
	}
	return { type: found.mime, extension };
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

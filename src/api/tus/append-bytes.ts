import type { Request } from 'express';
import { PicpipeError } from '../../errors.ts';
import { appendParts, maximumParts, type PartsProgress } from '../../intake/upload-parts.ts';
import type { Upload } from '../../intake/upload-record.ts';
import type { Storage } from '../../storage/storage.ts';
import { checksumOf } from './tus-headers.ts';
import type { Hold } from './upload-locks.ts';

export interface Taking {
	readonly storage: Storage;
	readonly upload: Upload;
	/** The current offset of the upload, where the body begins. */
	readonly progress: Pick<PartsProgress, 'offset' | 'parts'>;
	/** Largest file, bytes. */
	readonly maxBytes: number;
	readonly hold: Hold;
	/** Called with the number of bytes of each chunk. */
	onBytes(bytes: number): void;
}

/**
 * Appends the body of a request to an upload. The bytes of an interrupted body are kept, unless it has a checksum.
 *
 * @returns the offset after the last byte
 * @throws PicpipeError `file-too-large`, `too-many-parts`, `checksum-mismatch`, `invalid-upload-header`; `upload-aborted` if the connection
 * was lost, after the received bytes were stored; errors of the storage
 */
export async function appendBytes(request: Request, taking: Taking): Promise<number> {
	const { storage, upload, progress, maxBytes, hold, onBytes } = taking;
	const { offset } = progress;
	const room = (upload.length ?? maxBytes) - offset;
	const tooMany = () => {
		const limit = upload.length === undefined ? 'PICPIPE_MAX_BYTES, or what the upload token says' : 'Upload-Length';
		return new PicpipeError(
			'file-too-large',
			`Expected at most ${room} more bytes at the offset ${offset} (${limit}) but received more.`,
		);
	};
	if (Number(request.get('content-length') ?? 0) > room) throw tooMany();
	if (progress.parts.length >= maximumParts) {
		throw new PicpipeError(
			'too-many-parts',
			`Expected at most ${maximumParts} parts for an upload but received more; send more bytes with each request.`,
		);
	}
	const checksum = checksumOf(request);
	let isCut = false;
	async function* body() {
		let bytes = 0;
		try {
			for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
				bytes += chunk.length;
				onBytes(chunk.length);
				if (bytes > room) throw tooMany();
				yield chunk;
			}
		} catch (error) {
			if (error instanceof PicpipeError) throw error;
			isCut = true;
			if (checksum) throw new PicpipeError('upload-aborted', undefined, { cause: error });
		}
	}
	const end = await hold.interruptible(() => appendParts(storage, upload.id, offset, body(), checksum));
	if (isCut) throw new PicpipeError('upload-aborted');
	return end;
}

import { open, rm } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { PicpipeError, toPicpipeError } from '../errors.ts';
import { within } from '../observe/clock.ts';
import type { Storage } from '../storage/storage.ts';

/** How long the storage may send nothing in the middle of an object, milliseconds. */
const longestSilence = 30_000;

/**
 * Copies an object to a file. Without an object there is no file, and whoever reads it says that the original is missing.
 *
 * @param onFull makes room for a second attempt
 */
export async function download(
	storage: Storage,
	place: { readonly key: string; readonly bytes: number; readonly path: string },
	onFull: () => Promise<void>,
): Promise<void> {
	try {
		await copyOnce(storage, place);
	} catch (error) {
		if (!(error instanceof PicpipeError) || error.code !== 'scratch-unavailable') throw error;
		await onFull();
		await copyOnce(storage, place);
	}
}

async function copyOnce(
	storage: Storage,
	{ key, bytes, path }: { readonly key: string; readonly bytes: number; readonly path: string },
): Promise<void> {
	let stream: Readable | undefined;
	try {
		const object = await storage.get(key);
		if (!object) return;
		stream = object.stream;
		// One that is destroyed may still report an error.
		stream.on('error', () => {});
		const file = await open(path, 'w', 0o600).catch((error) => {
			throw unwritable(error);
		});
		try {
			let written = 0;
			for await (const chunk of untilSilent(stream)) {
				await file.writeFile(chunk).catch((error) => {
					throw unwritable(error);
				});
				written += chunk.length;
				// Only so much was reserved. The reader notices that it is too long.
				if (written > bytes) break;
			}
		} finally {
			await file.close();
		}
	} catch (error) {
		await rm(path, { force: true }).catch(() => {});
		throw toPicpipeError(error, 'read');
	} finally {
		stream?.destroy();
	}
}

async function* untilSilent(stream: Readable): AsyncIterable<Buffer> {
	const chunks = stream[Symbol.asyncIterator]();
	const late = () =>
		new PicpipeError('storage-unavailable', `The storage sent nothing for ${longestSilence / 1_000} s.`, {
			step: 'read',
		});
	for (;;) {
		const next = await within(longestSilence, chunks.next(), late);
		if (next.done) return;
		yield next.value as Buffer;
	}
}

/** The error of a scratch folder that cannot be written to. */
export function unwritable(cause: unknown): PicpipeError {
	const { code, message } = cause as NodeJS.ErrnoException;
	const why = code === 'ENOSPC' || code === 'EDQUOT' ? 'its disk is full' : message;
	return new PicpipeError('scratch-unavailable', `The scratch folder cannot be written to: ${why}.`, {
		cause,
		step: 'read',
	});
}

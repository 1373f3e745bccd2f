import { isUploadId, uploadIdTime } from '../domain/upload.ts';
import { earliestNow } from '../observe/clock.ts';
import { uploadFolder, uploadOf, uploadsFolder } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import type { PartsProgress } from './upload-parts.ts';
import { removeUpload, type Upload } from './upload-record.ts';

export interface ForgetUploadsOptions {
	/** How long an upload is kept after its last byte, or after it became a picture; seconds. */
	readonly resumableSeconds: number;
	/** How often this is called, seconds. */
	readonly sweepSeconds: number;
}

/** Most uploads to delete in one call, so that a sweep leaves time for other work. */
const mostPerCall = 1_000;
/** All uploads are checked this many times in their lifetime, and at least once an hour (`longestWait`, seconds). */
const looks = 8;
const longestWait = 3_600;

/** When an upload can no longer be resumed, milliseconds since 1970. */
export function expiryOf(upload: Upload, { lastAt }: Pick<PartsProgress, 'lastAt'>, resumableSeconds: number): number {
	const latest = Math.max(Date.parse(upload.createdAt), Date.parse(upload.endedAt ?? upload.createdAt), +(lastAt ?? 0));
	return latest + resumableSeconds * 1_000;
}

/**
 * Deletes uploads that can no longer be resumed. Many calls return without checking, see `looks`.
 *
 * @param now milliseconds since 1970
 * @returns how many it deleted
 */
export async function forgetUploads(
	storage: Storage,
	options: ForgetUploadsOptions,
	now = earliestNow(),
): Promise<number> {
	const { resumableSeconds, sweepSeconds } = options;
	const every = Math.max(sweepSeconds, Math.min(resumableSeconds / looks, longestWait)) * 1_000;
	if (Math.floor(now / every) === Math.floor((now - sweepSeconds * 1_000) / every)) return 0;
	const oldest = now - resumableSeconds * 1_000;
	const old = new Set<string>();
	for await (const key of storage.list(uploadsFolder, { temporary: true })) {
		const id = uploadOf(key);
		if (isUploadId(id) && uploadIdTime(id) < oldest) old.add(id);
		if (old.size === mostPerCall) break;
	}
	let forgotten = 0;
	for (const id of old) {
		if (await isTouchedSince(storage, id, oldest)) continue;
		await removeUpload(storage, id);
		forgotten++;
	}
	return forgotten;
}

/** Was any object of the upload written after `time`? A write in progress began after that, because a request cannot take that long. */
async function isTouchedSince(storage: Storage, id: string, time: number): Promise<boolean> {
	for await (const key of storage.list(uploadFolder(id))) {
		const stat = await storage.stat(key);
		if (stat && stat.modifiedAt.getTime() >= time) return true;
	}
	return false;
}

import { createHash } from 'node:crypto';
import { fromString, fromUUID, toUUID, typeidUnboxed } from 'typeid-js';

/** A TypeID like a picture's: `upl_` and a UUIDv7 in base32. */
const uploadIdPattern = /^upl_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/;

/** A new id for a resumable upload. It cannot be guessed: 74 of its bits are random. */
export function newUploadId(): string {
	return typeidUnboxed('upl');
}

export function isUploadId(text: string): boolean {
	return uploadIdPattern.test(text);
}

/**
 * The id of the upload that concatenates these partial uploads. It is derived from their ids and the request, so a client that repeats the
 * request after losing the response gets one picture. It is as hard to guess as their ids.
 *
 * @param ids of the partial uploads, in order; at least one
 * @param wishes every other input that affects the result
 */
export function concatenatedId(ids: readonly string[], wishes: string): string {
	const newest = ids.toSorted().at(-1) ?? '';
	const time = hexOf(newest).slice(0, 12);
	const hash = createHash('sha256')
		.update(JSON.stringify([ids, wishes]))
		.digest('hex');
	// Version 7 and the variant bits of RFC 9562, as in every upload id.
	const hex = `${time}7${hash.slice(0, 3)}8${hash.slice(3, 18)}`;
	const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
	return fromUUID(uuid, 'upl');
}

/** Creation time of the id, milliseconds since 1970. For a concatenated upload, that of its newest part. */
export function uploadIdTime(id: string): number {
	return Number.parseInt(hexOf(id).slice(0, 12), 16);
}

function hexOf(id: string): string {
	return toUUID(fromString(id, 'upl')).replaceAll('-', '');
}

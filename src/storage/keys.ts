/**
 * The layout of the storage. Each picture has one folder, so that a person can inspect it, and a purge deletes one prefix.
 *
 * ```
 * pictures/<yyyy>/<mm>/<dd>/<id>/original.<ext>             original as uploaded
 * pictures/<yyyy>/<mm>/<dd>/<id>/original.url               placeholder while the original is still to be fetched
 * pictures/<yyyy>/<mm>/<dd>/<id>/original.<serving>.<ext>   original as fetched
 * pictures/<yyyy>/<mm>/<dd>/<id>/<variant>-<digest12>.<ext> variant
 * pictures/<yyyy>/<mm>/<dd>/<id>/render-<digest12>.<ext>    image made on demand
 * pictures/<yyyy>/<mm>/<dd>/<id>/picture.json               manifest
 * sources/<hh>/<digest>                                     picture that was made from the remote URL in a delivery URL
 * pending/<id>                                              marker: accepted but unfinished picture
 * uploads/<id>/upload.json                                  resumable upload: owner, request, outcome
 * uploads/<id>/<offset>                                     bytes of an upload, starting at this offset
 * idempotency/<hh>/<digest>                                 outcome of a request with an `Idempotency-Key`
 * watched/<folder>/<hh>/<digest>                            outcome of a file in a watched folder
 * mentions/<id>/<digest12>                                  record outside the picture's folder that a later request made about it
 * deletions/open/<id>                                       deletion in progress, with the last manifest
 * deletions/done/<id>                                       deleted picture, until nothing can write about it any more
 * keys/<id>                                                 API key, hashed
 * keys/revoked/<id>                                         revoked API key
 * batches/<id>/batch.json                                   batch as it was created
 * batches/<id>/closed.json                                  when and why the batch was closed
 * batches/<id>/finished.json                                final result of the batch
 * batches/<id>/pictures/<id>                                membership of a picture
 * open-batches/<id>                                         marker: subscribers have not been notified of its end
 * index/epoch.json                                          grows each minute, as does its copy in Redis
 * webhooks/endpoints/<id>                                   webhook endpoint with its secrets
 * webhooks/disabled/<id>                                    when and why the endpoint was disabled
 * webhooks/outbox/<id>/<message>                            undelivered message to the endpoint
 * webhooks/failed/<id>/<message>                            message that was given up
 * ```
 */

export const picturesFolder = 'pictures/';
export const pendingFolder = 'pending/';
export const uploadsFolder = 'uploads/';
/** The epoch of the index (`catalog/epoch.ts`). */
export const epochKey = 'index/epoch.json';
const idempotencyFolder = 'idempotency/';
export const keysFolder = 'keys/';
const batchesFolder = 'batches/';
export const openBatchesFolder = 'open-batches/';
export const webhooksFolder = 'webhooks/';
export const endpointsFolder = `${webhooksFolder}endpoints/`;
export const disabledEndpointsFolder = `${webhooksFolder}disabled/`;
/** The folders of messages: undelivered, and given up. */
export const messageFolders = { outbox: `${webhooksFolder}outbox/`, failed: `${webhooksFolder}failed/` } as const;
export type MessageFolder = keyof typeof messageFolders;
const revokedKeysFolder = `${keysFolder}revoked/`;

/** The folders of deletions: in progress, and done. */
export const deletionFolders = { open: 'deletions/open/', done: 'deletions/done/' } as const;
export const deletionsFolder = 'deletions/';
export const mentionsFolder = 'mentions/';

/** The folder with the keys of later records about a picture. */
export function mentionsOf(id: string): string {
	return `${mentionsFolder}${id}/`;
}

/** @param time creation time of the id, milliseconds since 1970; determines the UTC day */
export function pictureFolder(id: string, time: number): string {
	const day = new Date(time).toISOString().slice(0, 10).replaceAll('-', '/');
	return `${picturesFolder}${day}/${id}/`;
}

export function originalKey(folder: string, extension: string): string {
	return `${folder}original.${extension}`;
}

export function variantKey(folder: string, name: string, digest: string, extension: string): string {
	return `${folder}${name}-${digest}.${extension}`;
}

/** Is it the key of a render? */
export function isRenderKey(key: string): boolean {
	return pictureOfRender(key) !== undefined;
}

/** The picture of a render; undefined for any other key. */
export function pictureOfRender(key: string): string | undefined {
	return /\/([^/]+)\/render-[0-9a-f]{12}\.[a-z]+$/.exec(key)?.[1];
}

/** The record of a picture that was made from a URL. @param digest of the URL, hex */
export function sourceRecordKey(digest: string): string {
	return `sources/${digest.slice(0, 2)}/${digest.slice(2)}`;
}

export function manifestKey(folder: string): string {
	return `${folder}picture.json`;
}

/** The folder of a day's pictures. @param day as in the key, such as `2026/01/31` */
export function dayFolder(day: string): string {
	return `${picturesFolder}${day}/`;
}

/** The marker of an accepted but unfinished picture. */
export function pendingKey(id: string): string {
	return `${pendingFolder}${id}`;
}

/** The id in a manifest's key; undefined for any other key. */
export function manifestId(key: string): string | undefined {
	return /^pictures\/\d{4}\/\d\d\/\d\d\/([^/]+)\/picture\.json$/.exec(key)?.[1];
}

/** The folder of a resumable upload. */
export function uploadFolder(id: string): string {
	return `${uploadsFolder}${id}/`;
}

export function uploadRecordKey(id: string): string {
	return `${uploadFolder(id)}upload.json`;
}

/** Digits of an offset in a key: enough for every safe integer, so that names sort like numbers. */
const offsetDigits = 16;

/** A part of an upload, starting at this offset. */
export function uploadPartKey(id: string, offset: number): string {
	return uploadFolder(id) + String(offset).padStart(offsetDigits, '0');
}

/** The offset in the key of a part; undefined for any other key. */
export function uploadPartOffset(key: string): number | undefined {
	const digits = /^uploads\/[^/]+\/(\d{16})$/.exec(key)?.[1];
	return digits === undefined ? undefined : Number(digits);
}

/** The upload of a storage key below `uploads/`. */
export function uploadOf(key: string): string {
	return key.slice(uploadsFolder.length).split('/', 1)[0] ?? '';
}

/** The folders of the idempotency records, by the first two hex digits, so that none grows too large. */
export const idempotencyFolders: readonly string[] = Array.from(
	{ length: 256 },
	(_, number) => `${idempotencyFolder}${number.toString(16).padStart(2, '0')}/`,
);

/** The record of an idempotency key. @param digest of the sender and the key, hex */
export function idempotencyKey(digest: string): string {
	return `${idempotencyFolder}${digest.slice(0, 2)}/${digest.slice(2)}`;
}

/** Is it the record of an idempotency key? */
export function isIdempotencyKey(key: string): boolean {
	return key.startsWith(idempotencyFolder);
}

/** The record of an API key. */
export function apiKeyKey(id: string): string {
	return `${keysFolder}${id}`;
}

/** The record of a revoked API key. */
export function revokedKeyKey(id: string): string {
	return `${revokedKeysFolder}${id}`;
}

/** The API key of a storage key below `keys/`. */
export function apiKeyOf(key: string): { readonly id: string; readonly isRevoked: boolean } {
	const isRevoked = key.startsWith(revokedKeysFolder);
	return { id: key.slice((isRevoked ? revokedKeysFolder : keysFolder).length), isRevoked };
}

/** The folder with the outcomes of one watched folder's files. @param name digest of the folder's path */
export function watchedFolder(name: string): string {
	return `watched/${name}/`;
}

/** The outcome of one file in a watched folder. @param digest of the file's path, hex */
export function watchedKey(name: string, digest: string): string {
	return `${watchedFolder(name)}${digest.slice(0, 2)}/${digest.slice(2)}`;
}

/** Is it the outcome of a file in a watched folder? */
export function isWatchedKey(key: string): boolean {
	return key.startsWith('watched/');
}

/** The outcome of a file that was moved away, which is named by its picture: the new path does not follow from the old one. */
export function movedKeyBeside(key: string, digest: string): string {
	const [folder = '', name = ''] = key.split('/');
	return `${folder}/${name}/${digest.slice(0, 2)}/${digest.slice(2)}`;
}

/** The record of a webhook endpoint. */
export function endpointKey(id: string): string {
	return `${endpointsFolder}${id}`;
}

/** The disabled state of an endpoint. */
export function disabledEndpointKey(id: string): string {
	return `${disabledEndpointsFolder}${id}`;
}

/** The folder of an endpoint's messages. */
export function messagesFolder(folder: MessageFolder, endpoint: string): string {
	return `${messageFolders[folder]}${endpoint}/`;
}

/** A message to an endpoint. */
export function messageKey(folder: MessageFolder, endpoint: string, message: string): string {
	return messagesFolder(folder, endpoint) + message;
}

/** The endpoint and message of a key below `webhooks/outbox/` or `webhooks/failed/`; undefined for any other key. */
export function messageOfKey(key: string): { readonly endpoint: string; readonly message: string } | undefined {
	const [, endpoint, message] = /^webhooks\/(?:outbox|failed)\/([^/]+)\/([^/]+)$/.exec(key) ?? [];
	return endpoint === undefined || message === undefined ? undefined : { endpoint, message };
}

/** The objects of a batch. */
export function batchKeys(id: string) {
	const folder = `${batchesFolder}${id}/`;
	const pictures = `${folder}pictures/`;
	return {
		batch: `${folder}batch.json`,
		closed: `${folder}closed.json`,
		finished: `${folder}finished.json`,
		pictures,
		/** Records that a picture belongs to the batch. */
		picture: (pictureId: string) => pictures + pictureId,
	};
}

/** The marker of a batch whose end has not been published. */
export function openBatchKey(id: string): string {
	return `${openBatchesFolder}${id}`;
}

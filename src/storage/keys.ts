/**
 * The layout of the storage: one folder per picture, so that a person can look and a purge is one prefix.
 *
 * ```
 * pictures/<yyyy>/<mm>/<dd>/<id>/original.<ext>            as uploaded
 * pictures/<yyyy>/<mm>/<dd>/<id>/original.url              holds its place while it is still to be fetched
 * pictures/<yyyy>/<mm>/<dd>/<id>/original.<serving>.<ext>  as fetched
 * pictures/<yyyy>/<mm>/<dd>/<id>/<variant>-<digest12>.<ext>
 * pictures/<yyyy>/<mm>/<dd>/<id>/render-<digest12>.<ext>  made on demand
 * pictures/<yyyy>/<mm>/<dd>/<id>/picture.json
 * sources/<hh>/<digest>  which picture was made of a URL that a delivery URL named
 * pending/<id>
 * uploads/<id>/upload.json        a resumable upload: whose it is, what was asked for, what became of it
 * uploads/<id>/<offset>           bytes of it, from this offset on
 * idempotency/<hh>/<digest>   what became of a request with an `Idempotency-Key`
 * watched/<folder>/<hh>/<digest>   what became of a file of a watched folder
 * keys/<id>              an API key, hashed
 * keys/revoked/<id>      the same once it was revoked
 * batches/<id>/batch.json         pictures that belong together, as it was made
 * batches/<id>/closed.json        that no further picture is taken
 * batches/<id>/finished.json      that all have ended, and how
 * batches/<id>/pictures/<id>      that a picture belongs to it
 * open-batches/<id>               marker: its end is still to be told
 * webhooks/endpoints/<id>         who is told of what happens, with its secrets
 * webhooks/disabled/<id>          that it is told nothing for now, and why
 * webhooks/outbox/<id>/<message>  to be delivered to it
 * webhooks/failed/<id>/<message>  what could not be delivered
 * ```
 */

export const picturesFolder = 'pictures/';
export const pendingFolder = 'pending/';
export const uploadsFolder = 'uploads/';
const idempotencyFolder = 'idempotency/';
export const keysFolder = 'keys/';
const batchesFolder = 'batches/';
export const openBatchesFolder = 'open-batches/';
export const webhooksFolder = 'webhooks/';
export const endpointsFolder = `${webhooksFolder}endpoints/`;
export const disabledEndpointsFolder = `${webhooksFolder}disabled/`;
/** Messages by what is to become of them. */
export const messageFolders = { outbox: `${webhooksFolder}outbox/`, failed: `${webhooksFolder}failed/` } as const;
export type MessageFolder = keyof typeof messageFolders;
const revokedKeysFolder = `${keysFolder}revoked/`;

/** @param time when the id was made, milliseconds since 1970; the day is taken in UTC. */
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

/** Was what lies there made on demand? */
export function isRenderKey(key: string): boolean {
	return pictureOfRender(key) !== undefined;
}

/** The picture that a render was made of, or undefined for any other key. */
export function pictureOfRender(key: string): string | undefined {
	return /\/([^/]+)\/render-[0-9a-f]{12}\.[a-z]+$/.exec(key)?.[1];
}

/** Which picture was made of a URL. @param digest of the URL, hex */
export function sourceRecordKey(digest: string): string {
	return `sources/${digest.slice(0, 2)}/${digest.slice(2)}`;
}

export function manifestKey(folder: string): string {
	return `${folder}picture.json`;
}

/** The marker of a picture that was accepted and isn't finished. */
export function pendingKey(id: string): string {
	return `${pendingFolder}${id}`;
}

/** The id in a manifest's key, or undefined for any other key. */
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

/** Digits of an offset in a key: enough for every integer that JavaScript has, so that names sort like numbers. */
const offsetDigits = 16;

/** Bytes of an upload, from this offset on. */
export function uploadPartKey(id: string, offset: number): string {
	return uploadFolder(id) + String(offset).padStart(offsetDigits, '0');
}

/** The offset in the key of a part, or undefined for any other key. */
export function uploadPartOffset(key: string): number | undefined {
	const digits = /^uploads\/[^/]+\/(\d{16})$/.exec(key)?.[1];
	return digits === undefined ? undefined : Number(digits);
}

/** Which upload a storage key below `uploads/` belongs to. */
export function uploadOf(key: string): string {
	return key.slice(uploadsFolder.length).split('/', 1)[0] ?? '';
}

/** The folders of the records of idempotency keys: by the first two hex digits, so that none grows too long. */
export const idempotencyFolders: readonly string[] = Array.from(
	{ length: 256 },
	(_, number) => `${idempotencyFolder}${number.toString(16).padStart(2, '0')}/`,
);

/** The record of an idempotency key. @param digest of who sent it and of the key, hex */
export function idempotencyKey(digest: string): string {
	return `${idempotencyFolder}${digest.slice(0, 2)}/${digest.slice(2)}`;
}

/** The record of an API key. */
export function apiKeyKey(id: string): string {
	return `${keysFolder}${id}`;
}

/** The record of an API key that was revoked. */
export function revokedKeyKey(id: string): string {
	return `${revokedKeysFolder}${id}`;
}

/** Which API key a storage key below `keys/` is about. */
export function apiKeyOf(key: string): { readonly id: string; readonly isRevoked: boolean } {
	const isRevoked = key.startsWith(revokedKeysFolder);
	return { id: key.slice((isRevoked ? revokedKeysFolder : keysFolder).length), isRevoked };
}

/** The folder of what became of the files of one watched folder. @param name its digest */
export function watchedFolder(name: string): string {
	return `watched/${name}/`;
}

/** What became of one file of a watched folder. @param digest of the file's path, hex */
export function watchedKey(name: string, digest: string): string {
	return `${watchedFolder(name)}${digest.slice(0, 2)}/${digest.slice(2)}`;
}

/** The record of an endpoint of webhooks. */
export function endpointKey(id: string): string {
	return `${endpointsFolder}${id}`;
}

/** Says that an endpoint is told nothing for now. */
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

/** The endpoint and the message of a key below `webhooks/outbox/` or `webhooks/failed/`; undefined for any other key. */
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
		/** Says that a picture belongs to it. */
		picture: (pictureId: string) => pictures + pictureId,
	};
}

/** The marker of a batch whose end is still to be told. */
export function openBatchKey(id: string): string {
	return `${openBatchesFolder}${id}`;
}

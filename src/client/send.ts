import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Upload } from 'tus-js-client';
import { noAnswer, Refusal, refusalOf } from './answer.ts';
import type { Api } from './api.ts';
import type { Entry } from './journal.ts';
import { type RetryOptions, withRetries } from './retry.ts';

/** Fields sent with each picture: `recipe`, `tags`, `priority`, `duplicates`, `batch`, and `meta[name]`. */
export type Fields = Readonly<Record<string, string>>;

/** A file on this machine, or a URL for the API to fetch. */
export type Item =
	| { readonly name: string; readonly path: string; readonly bytes: number }
	| { readonly name: string; readonly url: string };

/** The result of sending an item. */
export interface Sent {
	readonly picture: string;
	readonly state: string;
	/** False for a picture that already existed. */
	readonly isNew: boolean;
}

export interface Sending extends RetryOptions {
	readonly api: Api;
	readonly fields: Fields;
	readonly entry: Entry;
	/** Saves an entry for the next run, before this run depends on it. */
	remember(entry: Entry): Promise<void>;
	/** @param bytes of the item that have been sent so far */
	onProgress(bytes: number): void;
	/** Called if an earlier run began the upload. @param bytes that it sent */
	onResume(bytes: number): void;
}

/** Files up to this size are sent in one request, bytes: resuming one costs more requests than sending it again. */
export const smallFile = 4 * 1024 * 1024;
/** Bytes of a larger file to send in one request, so that proxies that buffer whole requests can do so. */
const chunkSize = 16 * 1024 * 1024;

/** Uploads one item. @throws Refusal if a retry is pointless; an AbortError if it was interrupted */
export async function send(item: Item, sending: Sending): Promise<Sent> {
	if ('url' in item) return sendUrl(item.url, sending);
	return item.bytes <= smallFile ? sendSmall(item, sending) : sendLarge(item, sending);
}

/** The name in `meta[name]`. */
function metaName(field: string): string | undefined {
	return /^meta\[(.*)\]$/su.exec(field)?.[1];
}

/** Fields for `Upload-Metadata`, whose names are ASCII without spaces and commas. */
function tusFields(fields: Fields): Fields {
	return Object.fromEntries(
		Object.entries(fields).map(([field, value]) => {
			const name = metaName(field);
			return [name === undefined ? field : `meta[${encodeURIComponent(name)}]`, value];
		}),
	);
}

async function sendUrl(url: string, { api, fields, entry, remember, ...retry }: Sending): Promise<Sent> {
	const { priority, ...rest } = fields;
	const entries = Object.entries(rest);
	const meta = entries.flatMap(([field, value]) => (metaName(field) === undefined ? [] : [[metaName(field), value]]));
	const given = {
		...Object.fromEntries(entries.filter(([field]) => metaName(field) === undefined)),
		...(meta.length > 0 && { meta: Object.fromEntries(meta) }),
		...(priority && { priority: /^\d+$/.test(priority) ? Number(priority) : priority }),
	};
	await remember(entry);
	return withRetries(async () => {
		const { body } = await api.ask('/v1/pictures', retry.signal, {
			method: 'POST',
			headers: { 'content-type': 'application/json', 'idempotency-key': `"${entry.key}"` },
			body: JSON.stringify({ url, ...given }),
		});
		return { picture: String(body.id), state: String(body.state), isNew: true };
	}, retry);
}

async function sendSmall(
	{ path }: Item & { readonly path: string },
	{ api, fields, entry, remember, onProgress, ...retry }: Sending,
): Promise<Sent> {
	const bytes = await readFile(path);
	const query = new URLSearchParams({ ...fields, filename: basename(path) });
	await remember(entry);
	return withRetries(async () => {
		const { status, body } = await api.ask(`/v1/pictures?${query}`, retry.signal, {
			method: 'POST',
			headers: { 'content-type': 'application/octet-stream', 'idempotency-key': `"${entry.key}"` },
			body: new Uint8Array(bytes),
		});
		onProgress(bytes.length);
		return { picture: String(body.id), state: String(body.state), isNew: status !== 200 };
	}, retry);
}

async function sendLarge(
	{ path }: Item & { readonly path: string },
	{ api, fields, entry, remember, onProgress, onResume, ...retry }: Sending,
): Promise<Sent> {
	let isResumed = entry.uploadUrl !== undefined;
	// tus-js-client opens the path again for each request; this stream only identifies the file.
	const file = createReadStream(path);
	file.on('error', () => {}); // The reader gets the error.
	const { Upload } = await import('tus-js-client');
	try {
		const url = await withRetries(async (achieved) => {
			const upload = new Upload(file as unknown as Buffer, {
				endpoint: `${api.url}/v1/uploads`,
				...(entry.uploadUrl !== undefined && { uploadUrl: entry.uploadUrl }),
				headers: { ...api.headers },
				metadata: { ...tusFields(fields), filename: basename(path) },
				chunkSize,
				retryDelays: null,
				storeFingerprintForResuming: false,
				onProgress: (sent) => {
					if (isResumed) onResume(sent);
					isResumed = false;
					onProgress(sent);
				},
				onChunkComplete: achieved,
			});
			upload.options.onUploadUrlAvailable = () => {
				// Saved soon; until then another run would start from the beginning.
				if (upload.url) void remember({ ...entry, uploadUrl: upload.url });
			};
			return run(upload, retry.signal, (begun) => {
				if (begun !== entry.uploadUrl) achieved();
				entry = { ...entry, uploadUrl: begun };
			});
		}, retry);
		const { body } = await withRetries(() => api.ask(url, retry.signal), retry);
		if (typeof body.picture !== 'string') throw new Refusal('The upload became no picture.', { code: 'no-picture' });
		return { picture: body.picture, state: 'queued', isNew: body.isNew !== false };
	} finally {
		file.destroy();
	}
}

/**
 * One attempt, from wherever the upload stopped.
 *
 * @param onBegun called with the URL of the upload as soon as it exists
 * @returns the URL of the upload
 */
function run(upload: Upload, signal: AbortSignal, onBegun: (url: string) => void): Promise<string> {
	return new Promise((resolve, reject) => {
		const abort = () => {
			void upload.abort();
			reject(signal.reason);
		};
		const settled = () => {
			signal.removeEventListener('abort', abort);
			if (upload.url) onBegun(upload.url);
		};
		upload.options.onSuccess = () => {
			settled();
			resolve(upload.url ?? '');
		};
		upload.options.onError = (error) => {
			settled();
			const answer = 'originalResponse' in error ? error.originalResponse : undefined;
			if (!answer) reject(noAnswer(error));
			else reject(refusalOf(answer.getStatus(), answer.getBody(), answer.getHeader('retry-after')));
		};
		signal.addEventListener('abort', abort, { once: true });
		if (signal.aborted) abort();
		else upload.start();
	});
}

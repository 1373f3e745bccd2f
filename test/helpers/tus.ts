import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { DetailedError, Upload, type UploadOptions } from 'tus-js-client';
import { endWithTest } from './shared.ts';

/** How an upload with a real client of tus ended. */
export interface Sent {
	/** Address of the upload, if it was begun. */
	readonly url: string | null;
	/** Header of the last answer that names the picture. */
	readonly picture?: string | undefined;
	/** Status and problem of the answer that ended it. */
	readonly status?: number | undefined;
	readonly problem?: { readonly code: string; readonly detail: string };
	readonly error?: string;
}

/** Uploads with tus-js-client, until it has succeeded or given up. */
export async function sendByTus(
	api: string,
	bytes: Buffer,
	options: Omit<UploadOptions, 'onSuccess' | 'onError'> = {},
): Promise<Sent> {
	return new Promise((resolve) => {
		const upload = new Upload(bytes, {
			endpoint: `${api}/v1/uploads`,
			retryDelays: null,
			...options,
			onSuccess: ({ lastResponse }) =>
				resolve({
					url: upload.url,
					status: lastResponse.getStatus(),
					picture: lastResponse.getHeader('Picpipe-Picture'),
				}),
			onError: (error) => {
				const answer = error instanceof DetailedError ? error.originalResponse : undefined;
				const body = answer?.getBody();
				resolve({
					url: upload.url,
					status: answer?.getStatus(),
					error: error.message,
					...(body?.startsWith('{') && { problem: JSON.parse(body) }),
				});
			},
		});
		upload.start();
	});
}

/** Milliseconds. */
const noticedAfter = 40;

/**
 * A line to a server that breaks: each connection is reset after so many bytes of the client's. Without a number it holds. As with real lines
 * the server notices later than the client, who may be back by then.
 *
 * @returns its address, and how many connections it has broken
 */
export async function breakingLine(
	target: string,
	bytesOf: () => number | undefined,
): Promise<{ readonly url: string; readonly broken: () => number }> {
	const { hostname, port } = new URL(target);
	let broken = 0;
	const server = createServer((client) => {
		const upstream = connect(Number(port), hostname);
		let left = bytesOf() ?? Number.POSITIVE_INFINITY;
		client.on('data', (chunk: Buffer) => {
			upstream.write(chunk.subarray(0, Math.min(left, chunk.length)));
			left -= chunk.length;
			if (left > 0) return;
			broken++;
			client.removeAllListeners('close').resetAndDestroy();
			setTimeout(() => upstream.destroy(), noticedAfter);
		});
		upstream.pipe(client);
		for (const socket of [client, upstream]) socket.on('error', () => {});
		client.on('close', () => upstream.end());
		upstream.on('close', () => client.destroy());
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	endWithTest(() => {
		server.close();
	});
	return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, broken: () => broken };
}

/**
 * A line to a server that takes its time.
 *
 * @param speed bytes a second that come through on each connection
 * @returns its address, and how many bytes have been sent over it
 */
export async function slowLine(
	target: string,
	speed: number,
): Promise<{ readonly url: string; readonly sent: () => number }> {
	const { hostname, port } = new URL(target);
	let sent = 0;
	const server = createServer((client) => {
		const upstream = connect(Number(port), hostname);
		client.on('data', (chunk: Buffer) => {
			sent += chunk.length;
			upstream.write(chunk);
			client.pause();
			setTimeout(() => client.resume(), (chunk.length / speed) * 1_000);
		});
		upstream.pipe(client);
		for (const socket of [client, upstream]) socket.on('error', () => {});
		client.on('close', () => upstream.destroy());
		upstream.on('close', () => client.destroy());
	});
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	endWithTest(() => {
		server.close();
	});
	return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, sent: () => sent };
}

/** Fields as `Upload-Metadata` has them. */
export function metadata(fields: Readonly<Record<string, string>>): string {
	return Object.entries(fields)
		.map(([name, value]) => `${name} ${Buffer.from(value).toString('base64')}`)
		.join(',');
}

/** A request of tus, made by hand. */
export function tus(
	url: string,
	method: string,
	headers: Record<string, string> = {},
	body?: Buffer | string,
): Promise<Response> {
	const withBody = body === undefined ? {} : { body: typeof body === 'string' ? body : new Uint8Array(body) };
	return fetch(url, { method, headers: { 'tus-resumable': '1.0.0', ...headers }, ...withBody });
}

/** The headers of bytes at an offset. */
export function bytesAt(offset: number): Record<string, string> {
	return { 'content-type': 'application/offset+octet-stream', 'upload-offset': String(offset) };
}

import { createHmac } from 'node:crypto';
import { json, startTestApiWithWorker, type TestApi, untilFinished } from './api.ts';
import { photograph } from './pictures.ts';
import { shared } from './shared.ts';

/** The key that signs the URLs of these tests. */
export const key = 'ab'.repeat(32);
export const salt = 'cd'.repeat(32);

/** The signature of a path. */
export function signatureOf(path: string, keyHex = key): string {
	const hmac = createHmac('sha256', Buffer.from(keyHex, 'hex')).update(Buffer.from(salt, 'hex')).update(path);
	return hmac.digest('base64url');
}

/** The signed URL of an imgproxy path. */
export function signed(path: string, keyHex = key): string {
	return `/img/${signatureOf(path, keyHex)}${path}`;
}

/** A ready picture, and the API and worker that made it. */
interface Ready {
	readonly api: TestApi;
	readonly id: string;
	/** Renders requested since then. */
	renders(): Promise<number>;
}

/** An API that accepts these signatures, a worker, and a ready picture. */
export async function ready(environment: Record<string, string> = {}, picture?: Buffer): Promise<Ready> {
	return readyAt(await startApi(environment), picture);
}

/** The same for a suite, whose tests share the API and the worker. @returns adds another ready picture */
export function sharedReady(environment: Record<string, string> = {}): (picture?: Buffer) => Promise<Ready> {
	const api = shared(() => startApi(environment));
	return (picture) => readyAt(api(), picture);
}

function startApi(environment: Record<string, string>): Promise<TestApi> {
	return startTestApiWithWorker({ PICPIPE_DELIVERY_KEYS: `${key}:${salt}`, ...environment });
}

async function readyAt(api: TestApi, picture?: Buffer): Promise<Ready> {
	const id = await upload(api, picture ?? (await photograph({ width: 900, height: 600 })));
	const before = await renderJobs(api);
	return { api, id, renders: async () => (await renderJobs(api)) - before };
}

/** Uploads and processes a picture. @param recipe inline, or the name of one @returns its id */
export async function upload(
	api: Pick<TestApi, 'url'>,
	bytes: Buffer,
	{ type = 'image/jpeg', recipe }: { readonly type?: string; readonly recipe?: object | string } = {},
): Promise<string> {
	const asked = typeof recipe === 'object' ? JSON.stringify(recipe) : recipe;
	const query = asked === undefined ? '' : `?recipe=${encodeURIComponent(asked)}`;
	const headers = { 'content-type': type };
	const created = await fetch(`${api.url}/v1/pictures${query}`, {
		method: 'POST',
		headers,
		body: new Uint8Array(bytes),
	});
	const { id } = await json(created);
	await untilFinished(api, id);
	return id;
}

export const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

/** Number of renders requested so far. */
export async function renderJobs(api: TestApi): Promise<number> {
	const { queues } = await json(await fetch(`${api.url}/v1/queues`));
	const { counts } = queues.find((queue: { name: string }) => queue.name === 'renders');
	return counts.completed + counts.failed + counts.active + counts.waiting + counts.prioritized;
}

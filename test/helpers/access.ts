import { setTimeout as sleep } from 'node:timers/promises';
import type { Scope } from '../../src/access/key-rights.ts';
import { addKey, revokeKey } from '../../src/access/key-store.ts';
import { newBatchId } from '../../src/domain/batch.ts';
import { newPictureId } from '../../src/domain/picture.ts';
import { newUploadId } from '../../src/domain/upload.ts';
import { openStorage } from '../../src/storage/index.ts';
import { json } from './api.ts';
import { temporaryFolder } from './folder.ts';
import { bearer } from './keys.ts';
import { photograph } from './pictures.ts';
import { PicpipeProcess } from './processes.ts';
import { endWithTest } from './shared.ts';
import { bytesAt, metadata, tus } from './tus.ts';

/** Every kind of caller, from nobody to the operator. `owner` is another key of the group that planted everything. */
export const callers = [
	'nobody',
	'wrong',
	'revoked',
	'token',
	'expired',
	'stranger',
	'owner',
	'reader',
	'both',
	'admin',
] as const;
export type CallerName = (typeof callers)[number];

/** Callers who may not see what the group has planted. */
export const strangers: readonly CallerName[] = ['nobody', 'wrong', 'revoked', 'token', 'expired', 'stranger'];

const group = 'plantedgroup';
const filename = 'planted-file.jpg';
const tag = 'plantedtag';
const batchName = 'planted batch';
/** The latitude of `photograph({ gps: true })`. */
const latitude = '51.47';

/** What belongs to the group: ids of a picture that is ready, of one that failed, of a batch and of an unfinished upload. */
interface Planted {
	readonly picture: string;
	readonly failed: string;
	readonly batch: string;
	readonly upload: string;
}
export type Kind = keyof Planted;

/** A running picpipe with a key for each caller, and things that belong to one group. */
export interface AccessWorld {
	readonly api: string;
	readonly folder: string;
	/** The latest planted ids. */
	readonly planted: Planted;
	/** An id of the same kind that nothing has. */
	unknown(kind: Kind): string;
	ask(caller: CallerName | 'maker', path: string, init?: RequestInit): Promise<Response>;
	/** Waits until no picture is being processed, so that nothing changes by itself. */
	settle(): Promise<void>;
	/** Plants one kind anew, after it was changed. */
	replant(kind: Kind): Promise<void>;
	/** Every object in storage with its size and time, to see that nothing changed. */
	snapshot(): Promise<string[]>;
	/** Words that no answer to a stranger may contain. */
	secrets(): string[];
}

const inline = {
	analyse: ['gps', 'phash'],
	variants: { a: { steps: [{ resize: { width: 40 } }], encode: [{ webp: {} }] } },
};

export async function startAccessWorld(): Promise<AccessWorld> {
	const folder = await temporaryFolder();
	const storage = openStorage(`file:${folder}`);
	const key = async (scopes: Scope[], of?: string) => {
		const { record, text } = await addKey(storage, {
			name: scopes.join(' '),
			scopes,
			limits: {},
			...(of && { group: of }),
		});
		return { id: record.id, text };
	};
	const made = {
		maker: await key(['upload'], group),
		owner: await key(['upload'], group),
		revoked: await key(['upload', 'read'], group),
		stranger: await key(['upload']),
		reader: await key(['read']),
		both: await key(['upload', 'read']),
		admin: await key(['admin']),
	};
	await revokeKey(storage, made.revoked.id);
	const picpipe = new PicpipeProcess({
		folder,
		environment: { PICPIPE_INLINE_RECIPES: 'true', PICPIPE_KEYS_SECONDS: '1', PICPIPE_ARENA_PASSWORD: 'unused-here' },
	});
	endWithTest(() => picpipe.destroy());
	const { api } = await picpipe.ready();

	const texts: Record<string, string | undefined> = {
		...Object.fromEntries(Object.entries(made).map(([name, { text }]) => [name, text])),
		nobody: undefined,
		wrong: made.owner.text.replace(/.{20}$/, 'A'.repeat(20)),
	};
	const ask: AccessWorld['ask'] = (caller, path, init = {}) => {
		const headers = new Headers(init.headers);
		const text = texts[caller];
		if (text !== undefined) headers.set('authorization', bearer(text).authorization);
		return fetch(`${api}${path}`, { ...init, headers });
	};
	const post = async (path: string, body: object) =>
		json(
			await ask('maker', path, {
				method: 'POST',
				body: JSON.stringify(body),
				headers: { 'content-type': 'application/json' },
			}),
		);
	texts.token = (await post('/v1/upload-tokens', {})).token;
	const short = await post('/v1/upload-tokens', { expiresIn: 1 });
	texts.expired = short.token;

	const photo = await photograph({ width: 120, height: 90, gps: true });
	const upload = async (body: Buffer) => {
		const query = new URLSearchParams({ filename, tags: tag, recipe: JSON.stringify(inline) });
		const answer = await ask('maker', `/v1/pictures?${query}`, {
			method: 'POST',
			body: new Uint8Array(body),
			headers: { 'content-type': 'image/jpeg', prefer: 'wait=60' },
		});
		const picture = await json(answer);
		hashes.add(picture.source.sha256);
		return picture.id as string;
	};
	const hashes = new Set<string>();
	const plant: Record<Kind, () => Promise<string>> = {
		picture: () => upload(photo),
		failed: () => upload(photo.subarray(0, 2_000)),
		batch: async () => (await post('/v1/batches', { name: batchName })).id,
		async upload() {
			const headers = {
				...bearer(made.maker.text),
				'upload-length': '1000',
				'upload-metadata': metadata({ filename, tags: tag }),
			};
			const location = (await tus(`${api}/v1/uploads`, 'POST', headers)).headers.get('location') ?? '';
			await tus(`${api}${location}`, 'PATCH', { ...bearer(made.maker.text), ...bytesAt(0) }, photo.subarray(0, 10));
			return location.split('/').at(-1) ?? '';
		},
	};
	const planted = {
		picture: await plant.picture(),
		failed: await plant.failed(),
		batch: await plant.batch(),
		upload: await plant.upload(),
	};
	await sleep(Math.max(0, Date.parse(short.expiresAt) - Date.now() + 50));
	const everPlanted = new Set(Object.values(planted));

	return {
		api,
		folder,
		planted,
		unknown: (kind) =>
			({ picture: newPictureId, failed: newPictureId, batch: newBatchId, upload: newUploadId })[kind](),
		ask,
		async settle() {
			for (;;) {
				let pending = 0;
				for await (const _key of storage.list('pending/')) pending++;
				if (pending === 0) return;
				await sleep(20);
			}
		},
		async replant(kind) {
			planted[kind] = await plant[kind]();
			everPlanted.add(planted[kind]);
		},
		async snapshot() {
			const found: string[] = [];
			for (const part of ['pictures/', 'pending/', 'batches/', 'uploads/', 'webhooks/', 'keys/', 'idempotency/']) {
				for await (const name of storage.list(part, { temporary: true })) {
					const stat = await storage.stat(name);
					found.push(`${name} ${stat?.bytes} ${stat?.modifiedAt.getTime()}`);
				}
			}
			return found.sort();
		},
		secrets: () => [
			...[filename, tag, batchName, latitude, group, Buffer.from(filename).toString('base64')],
			...[...hashes],
			...everPlanted,
		],
	};
}

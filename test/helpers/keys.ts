import { expect } from 'vitest';
import type { KeyWishes } from '../../src/access/key.ts';
import { addKey } from '../../src/access/key-store.ts';
import { openStorage } from '../../src/storage/index.ts';
import { startTestApi, type TestApi } from './api.ts';
import { temporaryFolder } from './folder.ts';

export interface KeyedApi<Name extends string> {
	readonly api: TestApi;
	/** The text of each key. */
	readonly keys: Readonly<Record<Name, string>>;
	/** The id of each key. */
	readonly ids: Readonly<Record<Name, string>>;
	/** `fetch` below the api's address, with one of the keys or with none. */
	ask(key: Name | undefined, path: string, init?: RequestInit): Promise<Response>;
}

/** An api with these keys in its storage, of which each may do everything unless told otherwise. */
export async function startKeyedApi<Name extends string>(
	wishes: Readonly<Record<Name, Partial<KeyWishes>>>,
	environment: Record<string, string> = {},
): Promise<KeyedApi<Name>> {
	const url = `file:${await temporaryFolder()}`;
	const made = await Promise.all(
		Object.entries<Partial<KeyWishes>>(wishes).map(async ([name, wish]) => {
			const { record, text } = await addKey(openStorage(url), { name, scopes: ['admin'], limits: {}, ...wish });
			return { name, id: record.id, text };
		}),
	);
	const by = (what: 'id' | 'text') =>
		Object.fromEntries(made.map((one) => [one.name, one[what]])) as Record<Name, string>;
	const api = await startTestApi({ PICPIPE_STORAGE: url, PICPIPE_KEYS_SECONDS: '1', ...environment });
	// Before Redis is there limits are counted in memory; whoever brings a Redis of their own tests that.
	if (environment.REDIS_URL === undefined)
		await expect.poll(async () => (await fetch(`${api.url}/readyz`)).status).toBe(200);
	const keys = by('text');
	return {
		api,
		keys,
		ids: by('id'),
		ask(key, path, init = {}) {
			const headers = new Headers(init.headers);
			if (key !== undefined) headers.set('authorization', bearer(keys[key]).authorization);
			return fetch(`${api.url}${path}`, { ...init, headers });
		},
	};
}

/** The header that shows a key or an upload token. */
export function bearer(text: string): { readonly authorization: string } {
	return { authorization: `Bearer ${text}` };
}

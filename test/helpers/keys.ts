import { vi } from 'vitest';
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
	/** `fetch` below the API's URL, with one of the keys or without. */
	ask(key: Name | undefined, path: string, init?: RequestInit): Promise<Response>;
}

/** Milliseconds, and how often to ask: several runs share two cores. */
const readyWithin = { timeout: 20_000, interval: 50 };

/** An API with these keys in storage. Each has all rights by default. */
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
	// Limits are counted in memory before Redis is connected; tests with their own Redis cover that.
	if (environment.REDIS_URL === undefined)
		await vi.waitFor(async () => {
			const { status } = await fetch(`${api.url}/readyz`);
			if (status !== 200) throw new Error(`Expected 200 of /readyz but received ${status}.`);
		}, readyWithin);
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

/** The header with a key or an upload token. */
export function bearer(text: string): { readonly authorization: string } {
	return { authorization: `Bearer ${text}` };
}

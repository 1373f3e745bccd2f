import { timingSafeEqual } from 'node:crypto';
import { PicpipeError } from '../errors.ts';
import { within } from '../observe/clock.ts';
import type { Logger } from '../observe/log.ts';
import { apiKeyKey } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import { type Caller, keyCaller, settingCaller } from './caller.ts';
import { isSecretOf, type KeyRecord, readKeyText, sha256 } from './key.ts';
import { namesOfKeys, readRecords } from './key-store.ts';

export interface KeyRingOptions {
	/** Of `PICPIPE_API_KEYS`. */
	readonly settingKeys: readonly string[] | undefined;
	/** Age at which the list of keys is read again, seconds. */
	readonly seconds: number;
	readonly log: Logger;
}

/** Longest time that the storage may take to list the keys, milliseconds. */
const readingPatience = 5_000;
/** An id that is not known may be of a new key; the list is read again for it when it is this old, milliseconds. */
const unknownAge = 1_000;

/** The API keys as this process knows them: in memory, never older than told. */
export interface KeyRing {
	/**
	 * Is there a key, or was there one? Without, this machine alone is served.
	 *
	 * @throws PicpipeError `storage-unavailable` when nobody can tell
	 */
	isNeeded(): Promise<boolean>;
	/** The same as far as it is known now, without waiting; undefined before the storage has answered. */
	readonly wasNeeded: boolean | undefined;
	/** The caller whose key this is. Constant in time for the secret. @throws as `isNeeded` */
	find(text: string): Promise<Caller | undefined>;
	/** The caller of an id whose key is still good. @throws as `isNeeded` */
	byId(id: string): Promise<Caller | undefined>;
	/** Is there one that has the scope `admin`? @throws as `isNeeded` */
	hasAdmin(): Promise<boolean>;
}

/** Opens the keys of the setting and of the storage. Reads nothing yet. */
export function openKeyRing(storage: Storage, { settingKeys = [], seconds, log }: KeyRingOptions): KeyRing {
	const settings = settingKeys.map((key, index) => ({ digest: sha256(key), caller: settingCaller(key, index + 1) }));
	const unreadable = new Set<string>();
	const maxAge = seconds * 1_000;
	let records = new Map<string, KeyRecord>();
	let isAnyInStorage: boolean | undefined;
	/** When the reading began whose result this is. */
	let asOf = Number.NEGATIVE_INFINITY;
	let reading: Promise<void> | undefined;

	const read = async (): Promise<void> => {
		const began = performance.now();
		const { active, revoked } = await namesOfKeys(storage);
		const known = [...active].flatMap((id) => records.get(id) ?? []);
		const isNew = (id: string) => !records.has(id) && !unreadable.has(id);
		const added = await readRecords(storage, [...active].filter(isNew).map(apiKeyKey), (key, err) => {
			unreadable.add(key.slice(apiKeyKey('').length));
			log.error({ err, key }, 'API key unreadable; refused');
		});
		// One that was given up came in late.
		if (began < asOf) return;
		records = new Map([...known, ...added].map((record) => [record.id, record]));
		isAnyInStorage = active.size + revoked.size > 0;
		asOf = began;
	};

	const tooLate = () => new Error(`The storage did not list the keys within ${readingPatience} ms.`);

	/** One reading at a time serves all that wait. */
	const readAgain = (): Promise<void> => {
		reading ??= within(readingPatience, read(), tooLate)
			.catch((cause) => {
				throw new PicpipeError('storage-unavailable', 'The API keys cannot be read at the moment.', { cause });
			})
			.finally(() => {
				reading = undefined;
			});
		return reading;
	};

	/** Makes what is known not older than this. A reading under way may have begun too early, so that it can take two. */
	const atMost = async (age: number): Promise<void> => {
		const earliest = performance.now() - age;
		while (asOf < earliest) await readAgain();
	};

	/** Reads ahead of time, so that hardly a request has to wait for it. */
	const upToDate = async (): Promise<void> => {
		if (performance.now() - asOf > maxAge / 2 && reading === undefined) {
			readAgain().catch((err) => log.warn({ err }, 'API keys could not be reloaded'));
		}
		await atMost(maxAge);
	};

	const byId = async (id: string): Promise<Caller | undefined> => {
		const setting = settings.find(({ caller }) => caller.id === id);
		if (setting) return setting.caller;
		await upToDate();
		if (!records.has(id)) await atMost(unknownAge);
		const record = records.get(id);
		return record && keyCaller(record);
	};

	return {
		async isNeeded() {
			if (settings.length > 0) return true;
			await upToDate();
			return isAnyInStorage === true;
		},

		get wasNeeded() {
			return settings.length > 0 ? true : isAnyInStorage;
		},

		async find(text) {
			const digest = sha256(text);
			// All are compared, whichever it is. They come first: they are good while the storage is away.
			const [setting] = settings.filter((one) => timingSafeEqual(one.digest, digest));
			if (setting) return setting.caller;
			const parts = readKeyText(text);
			if (!parts) return undefined;
			await byId(parts.id);
			const record = records.get(parts.id);
			return record && isSecretOf(record, parts.secret) ? keyCaller(record) : undefined;
		},

		byId,

		async hasAdmin() {
			if (settings.length > 0) return true;
			await upToDate();
			return [...records.values()].some(({ scopes }) => scopes.includes('admin'));
		},
	};
}

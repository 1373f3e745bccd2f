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
	/** The keys of `PICPIPE_API_KEYS`. */
	readonly settingKeys: readonly string[] | undefined;
	/** Age at which the list of keys is read again, seconds. */
	readonly seconds: number;
	readonly log: Logger;
}

/** Longest time for listing the keys, milliseconds. */
const readingPatience = 5_000;
/** An unknown id may belong to a new key. The list is read again for it when it is this old, milliseconds. */
const unknownAge = 1_000;

/** The API keys known to this process: in memory, never older than configured. */
export interface KeyRing {
	/**
	 * Does a key exist, or did one exist? If not, only this machine is served.
	 *
	 * @throws PicpipeError `storage-unavailable` if the answer is unknown
	 */
	isNeeded(): Promise<boolean>;
	/** The last known answer, without waiting; undefined before the storage has answered. Asking for it keeps it current. */
	readonly wasNeeded: boolean | undefined;
	/** The caller with this key. Compares secrets in constant time. @throws as `isNeeded` */
	find(text: string): Promise<Caller | undefined>;
	/** The caller with this id, if its key is still valid. @throws as `isNeeded` */
	byId(id: string): Promise<Caller | undefined>;
	/** Does a key with the scope `admin` exist? @throws as `isNeeded` */
	hasAdmin(): Promise<boolean>;
}

/** Opens the keys of the configuration and of the storage. Reads nothing yet. */
export function openKeyRing(storage: Storage, { settingKeys = [], seconds, log }: KeyRingOptions): KeyRing {
	const settings = settingKeys.map((key, index) => ({ digest: sha256(key), caller: settingCaller(key, index + 1) }));
	const unreadable = new Set<string>();
	const maxAge = seconds * 1_000;
	let records = new Map<string, KeyRecord>();
	let isAnyInStorage: boolean | undefined;
	/** When the reading of the current list began. */
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
		// A reading that was given up has ended late.
		if (began < asOf) return;
		records = new Map([...known, ...added].map((record) => [record.id, record]));
		isAnyInStorage = active.size + revoked.size > 0;
		asOf = began;
	};

	const tooLate = () => new Error(`The storage did not list the keys within ${readingPatience} ms.`);

	/** Concurrent callers share one reading. */
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

	/** Makes the list no older than `age`. A reading in progress may have begun too early, so this can take two readings. */
	const atMost = async (age: number): Promise<void> => {
		const earliest = performance.now() - age;
		while (asOf < earliest) await readAgain();
	};

	/** Reads ahead of time, so that requests hardly ever wait. */
	const readAhead = (): void => {
		if (performance.now() - asOf > maxAge / 2 && reading === undefined) {
			readAgain().catch((err) => log.warn({ err }, 'API keys could not be reloaded'));
		}
	};

	const upToDate = async (): Promise<void> => {
		readAhead();
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
			if (settings.length > 0) return true;
			// Once there is a key there is always one, or was.
			if (isAnyInStorage === false) readAhead();
			return isAnyInStorage;
		},

		async find(text) {
			const digest = sha256(text);
			// All of them are compared, so that the time tells nothing. They come first because they work while the storage is away.
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

import { type KeyRing, openKeyRing } from '../access/key-ring.ts';
import { type ApiKeys, addKey, listKeys, revokeKey } from '../access/key-store.ts';
import { type Config, ConfigError } from '../config/index.ts';
import type { Logger } from '../observe/log.ts';
import { openStorage } from '../storage/index.ts';
import type { Storage } from '../storage/storage.ts';

/** The API keys of the configuration and of the storage. */
export function openKeys(config: Config, storage: Storage, log: Logger): KeyRing {
	return openKeyRing(storage, { settingKeys: config.apiKeys, seconds: config.keysSeconds, log });
}

/** The API keys in storage: add, list, revoke. Needs no Redis. */
export function openApiKeys(config: Config): ApiKeys {
	const storage = openStorage(config.storage);
	return {
		where: storage.description,
		add: (wishes) => addKey(storage, wishes),
		list: () => listKeys(storage),
		revoke: (id) => revokeKey(storage, id),
	};
}

/** A host that other machines can reach. */
export interface OpenHost {
	readonly host: string;
	/** The setting of the host. */
	readonly variable: string;
	/** The setting that can hold a secret instead of a key in storage. */
	readonly alternative: string;
	/** The kind of key that suffices, for the error. */
	readonly required: string;
	/** Whether such a key exists. */
	hasKey(): Promise<boolean>;
}

/**
 * Without a key, nothing listens beyond this machine. Unreadable storage does not prevent a start: until it can be read, only configured
 * keys are accepted.
 *
 * @throws ConfigError
 */
export async function requireKey(
	{ host, variable, alternative, required, hasKey }: OpenHost,
	log: Logger,
): Promise<void> {
	const found = await hasKey().catch((err) => {
		log.warn(
			{ err },
			'the API keys in storage cannot be read; until they can, only keys of PICPIPE_API_KEYS are accepted',
		);
		return true;
	});
	if (found) return;
	throw new ConfigError([
		`${variable}: expected ${required} or ${alternative} because ${host} is reachable from other machines, but received neither; \`picpipe keys add\` creates a key`,
	]);
}

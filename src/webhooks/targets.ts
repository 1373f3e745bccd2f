import type { Logger } from '../observe/log.ts';
import type { Storage } from '../storage/storage.ts';
import { type Disabled, pictureEndpoint, settingEndpoint, signingKeys, signingSecrets } from './endpoint.ts';
import { disabledEndpoints, listEndpoints, readDisabled, readEndpoint } from './endpoint-store.ts';
import type { WebhookEvent } from './event.ts';
import type { Message } from './outbox.ts';
import type { WebhookSettings } from './settings.ts';

/** The recipient of a message, and the secrets and private keys that sign it. */
export interface Target {
	readonly url: string;
	readonly secrets: readonly string[];
	readonly disabled?: Disabled | undefined;
}

/** Finds the recipients of events. */
export interface Targets {
	/** The ids of the endpoints that subscribe to the event. */
	of(event: WebhookEvent): Promise<readonly string[]>;
	/** Undefined if the endpoint no longer exists. */
	find(message: Message): Promise<Target | undefined>;
}

/** How long the list of endpoints is reused, milliseconds. A new endpoint receives the events after that. */
const holds = 2_000;

interface Subscriber {
	readonly id: string;
	readonly events?: readonly string[] | undefined;
}

export function openTargets(storage: Storage, settings: WebhookSettings, log: Logger): Targets {
	let known: Promise<readonly Subscriber[]> | undefined;
	let knownSince = 0;
	const subscribers = () => {
		if (known === undefined || performance.now() - knownSince > holds) {
			knownSince = performance.now();
			known = listSubscribers(storage, settings, log);
			known.catch(() => {
				known = undefined;
			});
		}
		return known;
	};

	return {
		async of({ type, url }) {
			const told = (await subscribers()).filter(({ events }) => events?.includes(type) ?? true).map(({ id }) => id);
			return url === undefined ? told : [...told, pictureEndpoint];
		},

		async find({ endpoint, url }) {
			const secrets = [...settings.secrets, ...settings.signingKeys];
			if (endpoint === pictureEndpoint) return url === undefined ? undefined : { url, secrets };
			if (endpoint === settingEndpoint) return settings.url === undefined ? undefined : ofSetting(storage, settings);
			const [record, disabled] = await Promise.all([readEndpoint(storage, endpoint), readDisabled(storage, endpoint)]);
			return record && { url: record.url, secrets: [...signingSecrets(record), ...signingKeys(record)], disabled };
		},
	};
}

async function ofSetting(storage: Storage, { url = '', secrets, signingKeys }: WebhookSettings): Promise<Target> {
	const disabled = await readDisabled(storage, settingEndpoint);
	return { url, secrets: [...secrets, ...signingKeys], ...(disabled?.url === url && { disabled }) };
}

/** All endpoints that are not disabled. */
async function listSubscribers(storage: Storage, settings: WebhookSettings, log: Logger): Promise<Subscriber[]> {
	const [records, disabled] = await Promise.all([
		listEndpoints(storage, (key, err) => log.error({ err, key }, 'webhook endpoint unreadable')),
		disabledEndpoints(storage),
	]);
	const subscribers: Subscriber[] = records.filter(({ id }) => !disabled.includes(id));
	if (settings.url !== undefined && !(await ofSetting(storage, settings)).disabled)
		subscribers.unshift({ id: settingEndpoint });
	return subscribers;
}

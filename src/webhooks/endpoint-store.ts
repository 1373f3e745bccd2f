import {
	disabledEndpointKey,
	disabledEndpointsFolder,
	endpointKey,
	endpointsFolder,
	messagesFolder,
} from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import { type Disabled, type EndpointRecord, isEndpointId, parseDisabled, parseEndpoint } from './endpoint.ts';

/**
 * Endpoints in storage, so that they outlive Redis. Only the API changes a record. The disabled state is a separate object, because workers
 * write it too, and neither must overwrite the other's changes.
 */

/** Records to read at a time. */
const parallel = 8;

export async function readEndpoint(storage: Storage, id: string): Promise<EndpointRecord | undefined> {
	if (!isEndpointId(id)) return undefined;
	const bytes = await readObject(storage, endpointKey(id));
	return bytes && parseEndpoint(bytes.toString());
}

export async function writeEndpoint(storage: Storage, record: EndpointRecord): Promise<void> {
	await storage.put(endpointKey(record.id), toBytes(record));
}

/** The ids of all endpoints in storage, in no guaranteed order. */
export async function endpointIds(storage: Storage): Promise<string[]> {
	return (await namesIn(storage, endpointsFolder)).filter(isEndpointId);
}

/** Every endpoint, oldest first. @param onUnreadable called for each record that cannot be read; it is left out */
export async function listEndpoints(
	storage: Storage,
	onUnreadable: (key: string, cause: unknown) => void,
): Promise<EndpointRecord[]> {
	const ids = await endpointIds(storage);
	const records: EndpointRecord[] = [];
	for (let start = 0; start < ids.length; start += parallel) {
		const batch = ids.slice(start, start + parallel).map(async (id) => {
			try {
				const record = await readEndpoint(storage, id);
				if (record) records.push(record);
			} catch (error) {
				onUnreadable(endpointKey(id), error);
			}
		});
		await Promise.all(batch);
	}
	// Ids sort by creation time.
	return records.sort((one, other) => (one.id < other.id ? -1 : 1));
}

/** Deletes an endpoint with all its undelivered messages. */
export async function removeEndpoint(storage: Storage, id: string): Promise<void> {
	await storage.delete(endpointKey(id));
	await storage.delete(disabledEndpointKey(id));
	for (const folder of ['outbox', 'failed'] as const) await storage.deleteFolder(messagesFolder(folder, id));
}

export async function disableEndpoint(storage: Storage, id: string, why: Omit<Disabled, 'version'>): Promise<void> {
	await storage.put(disabledEndpointKey(id), toBytes({ version: 1, ...why } satisfies Disabled));
}

export async function enableEndpoint(storage: Storage, id: string): Promise<void> {
	await storage.delete(disabledEndpointKey(id));
}

export async function readDisabled(storage: Storage, id: string): Promise<Disabled | undefined> {
	const bytes = await readObject(storage, disabledEndpointKey(id));
	return bytes && parseDisabled(bytes.toString());
}

/** The ids of all disabled endpoints, with one storage listing. */
export async function disabledEndpoints(storage: Storage): Promise<string[]> {
	return namesIn(storage, disabledEndpointsFolder);
}

async function namesIn(storage: Storage, folder: string): Promise<string[]> {
	const names: string[] = [];
	for await (const key of storage.list(folder)) names.push(key.slice(folder.length));
	return names;
}

function toBytes(value: object): Buffer {
	return Buffer.from(`${JSON.stringify(value, null, '\t')}\n`);
}

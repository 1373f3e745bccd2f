import type { Redis } from 'ioredis';
import * as z from 'zod';
import { stored } from '../domain/stored.ts';
import type { Logger } from '../observe/log.ts';
import { askRedis } from '../queue/redis.ts';
import { epochKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';

/**
 * How a loss of the index is noticed. A number in Redis and its copy in storage grow together, Redis first. If the number in Redis is
 * missing, Redis lost everything; if it is lower than the copy, Redis was set back to an earlier state. Equal or higher means that nothing
 * older than the last raise is lost, whatever was restarted, promoted or replayed.
 */

/** The keys of the index that say how whole it is. */
export function wholenessKeys(prefix: string) {
	const key = (name: string) => `${prefix}:catalog:${name}`;
	return { epoch: key('epoch'), complete: key('whole'), rebuild: key('rebuild'), lease: key('rebuild-lease') };
}

/** What happened to Redis: it lost all its data, or was set back to an earlier state. */
export type IndexLoss = 'lost' | 'set back';

const epochSchema = stored({ version: z.literal(1), epoch: z.int().min(0) });

/**
 * KEYS: epoch, mark of a complete index, progress of a rebuild. ARGV: epoch in storage. One script, so that a loss cannot be forgotten
 * between noticing it and raising the number.
 */
const raise = `
local stored, epoch = tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[1]) or '-1')
local loss = ''
if epoch < stored then
	loss = epoch < 0 and 'lost' or 'set back'
	redis.call('DEL', KEYS[2], KEYS[3])
end
epoch = math.max(epoch, stored) + 1
redis.call('SET', KEYS[1], string.format('%.0f', epoch))
return { epoch, loss }
`;

/**
 * Compares both numbers, and raises both. After a loss the index no longer counts as complete.
 *
 * @param keys of the epoch, of the mark of a complete index, and of the progress of a rebuild
 * @returns the loss, if there was one
 * @throws PicpipeError `queue-unavailable`, or an error of reading the storage
 */
export async function raiseEpoch(
	redis: Redis,
	keys: readonly [epoch: string, complete: string, rebuild: string],
	storage: Storage,
	log: Logger,
): Promise<IndexLoss | undefined> {
	redis.defineCommand('catalogEpoch', { numberOfKeys: 3, lua: raise });
	const commands = redis as Redis & {
		catalogEpoch(...args: (string | number)[]): Promise<[epoch: number, loss: IndexLoss | '']>;
	};
	const stored = await readEpoch(storage);
	const [epoch, loss] = await askRedis(redis, () => commands.catalogEpoch(...keys, stored));
	// A full disk must not keep the index from being rebuilt. Until the copy is written, a loss may go unnoticed.
	await storage
		.put(epochKey, Buffer.from(`${JSON.stringify({ version: 1, epoch })}\n`))
		.catch((err) => log.warn({ err }, 'the epoch of the index could not be stored'));
	return loss === '' ? undefined : loss;
}

/** -1 before the first raise, and for an unreadable copy, which the next raise replaces. */
async function readEpoch(storage: Storage): Promise<number> {
	const bytes = await readObject(storage, epochKey);
	try {
		return bytes ? epochSchema.parse(JSON.parse(bytes.toString())).epoch : -1;
	} catch {
		return -1;
	}
}

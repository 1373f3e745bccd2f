import type { Redis } from 'ioredis';
import * as z from 'zod';
import { stored } from '../domain/stored.ts';
import { askRedis } from '../queue/redis.ts';
import { type Message, parseMessage } from './outbox.ts';

/**
 * The outcomes of each endpoint's latest deliveries, in Redis. They are for display, and nothing depends on them. Storage has the messages
 * that are undelivered or were given up.
 */

/** `waiting` for the next attempt, `delivered`, or `failed` for good. */
export const deliveryStates = ['waiting', 'delivered', 'failed'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

/** An attempt in the log. */
export const attemptSchema = stored({
	/** Starts at 1. */
	number: z.int(),
	at: z.string(),
	milliseconds: z.number(),
	/** HTTP status of the response, if there was one. */
	status: z.int().optional(),
	/** The beginning of a response that refused the message. */
	answer: z.string().optional(),
	error: stored({ code: z.string(), message: z.string() }).optional(),
});
export type Attempt = z.infer<typeof attemptSchema>;

const entrySchema = stored({
	/** The message itself, so that it can be sent again after it has left the outbox. */
	message: z.string(),
	state: z.enum(deliveryStates),
	attempts: z.array(attemptSchema),
});

/** A delivery of one message to one endpoint. */
export interface Delivery {
	readonly message: Message;
	readonly state: DeliveryState;
	/** The latest attempts, oldest first. */
	readonly attempts: readonly Attempt[];
}

export interface DeliveryLog {
	/** Records the outcome of an attempt; without an attempt, that the message waits again. */
	note(message: Message, state: DeliveryState, attempt?: Attempt): Promise<void>;
	read(endpoint: string, message: string): Promise<Delivery | undefined>;
	/** Newest first. @param query.before the cursor of the previous page */
	list(endpoint: string, query: DeliveryQuery): Promise<{ deliveries: Delivery[]; next: string | undefined }>;
	forget(endpoint: string): Promise<void>;
	/** Removes messages of a deleted picture from the log of an endpoint. */
	drop(endpoint: string, messages: readonly string[]): Promise<void>;
	/** When the current run of failures began; undefined if the last delivery succeeded or nothing is known. */
	failingSince(endpoint: string): Promise<number | undefined>;
}

interface DeliveryQuery {
	readonly state?: DeliveryState | undefined;
	/** Number of deliveries to skip, from the cursor. */
	readonly skip: number;
	readonly limit: number;
}

export interface DeliveryLogOptions {
	readonly prefix: string;
	readonly keepSeconds: number;
	readonly logLength: number;
}

/** Attempts to keep of each delivery: a whole schedule and some replays. */
const mostAttempts = 30;
/** Deliveries to read at a time while filtering by state. */
const scanBatch = 100;

/**
 * KEYS: order, entries, deletion of the picture. ARGV: message, entry, time, most entries, seconds. A delivery that ends after its picture
 * was deleted is not recorded, unless it tells of the deletion.
 */
const noteScript = `
if redis.call('EXISTS', KEYS[3]) == 1 then return end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
for _, old in ipairs(redis.call('ZRANGE', KEYS[1], 0, -(tonumber(ARGV[4]) + 1))) do
	redis.call('ZREM', KEYS[1], old)
	redis.call('HDEL', KEYS[2], old)
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
`;

export function openDeliveryLog(redis: Redis, { prefix, keepSeconds, logLength }: DeliveryLogOptions): DeliveryLog {
	redis.defineCommand('webhookNote', { numberOfKeys: 3, lua: noteScript });
	const scripted = redis as Redis & { webhookNote(...args: (string | number)[]): Promise<null> };
	const key = (endpoint: string, what: string) => `${prefix}:webhooks-log:${endpoint}:${what}`;
	const keysOf = (endpoint: string) => [key(endpoint, 'order'), key(endpoint, 'entries')] as const;

	/** The key that the index sets when the picture of a message is deleted. */
	const deletionOf = ({ type, pictureId }: Message) =>
		`${prefix}:catalog:deleted:${type === 'picture.deleted' ? '' : (pictureId ?? '')}`;

	const read = async (endpoint: string, message: string) => {
		const entry = await askRedis(redis, () => redis.hget(key(endpoint, 'entries'), message));
		return entry === null ? undefined : parseEntry(entry);
	};

	const health = async (endpoint: string, state: DeliveryState, at: string) => {
		if (state === 'delivered') await redis.del(key(endpoint, 'failing'));
		else await redis.set(key(endpoint, 'failing'), Date.parse(at), 'EX', keepSeconds, 'NX');
	};

	return {
		read,

		async note(message, state, attempt) {
			const { endpoint, id } = message;
			const before = await read(endpoint, id);
			const attempts = [...(before?.attempts ?? []), ...(attempt ? [attempt] : [])].slice(-mostAttempts);
			const entry = JSON.stringify({ ...before, message: JSON.stringify(message), state, attempts });
			const time = Date.parse(message.queuedAt);
			await askRedis(redis, async () => {
				await scripted.webhookNote(...keysOf(endpoint), deletionOf(message), id, entry, time, logLength, keepSeconds);
				if (attempt) await health(endpoint, state, attempt.at);
			});
		},

		async list(endpoint, { state, skip, limit }) {
			const deliveries: Delivery[] = [];
			const [order, entries] = keysOf(endpoint);
			for (let at = skip; ; ) {
				const ids = await askRedis(redis, () => redis.zrange(order, at, at + scanBatch - 1, 'REV'));
				const found = ids.length === 0 ? [] : await askRedis(redis, () => redis.hmget(entries, ...ids));
				for (const entry of found) {
					at++;
					const delivery = entry === null ? undefined : parseEntry(entry);
					if (!delivery || (state !== undefined && delivery.state !== state)) continue;
					deliveries.push(delivery);
					if (deliveries.length === limit) return { deliveries, next: String(at) };
				}
				if (ids.length < scanBatch) return { deliveries, next: undefined };
			}
		},

		async forget(endpoint) {
			await askRedis(redis, () => redis.del(...keysOf(endpoint), key(endpoint, 'failing')));
		},

		async drop(endpoint, messages) {
			const [order, entries] = keysOf(endpoint);
			await askRedis(redis, () => Promise.all([redis.zrem(order, ...messages), redis.hdel(entries, ...messages)]));
		},

		async failingSince(endpoint) {
			const since = await askRedis(redis, () => redis.get(key(endpoint, 'failing')));
			return since === null ? undefined : Number(since);
		},
	};
}

/** Undefined for an entry of another version. */
function parseEntry(json: string): Delivery | undefined {
	const parsed = entrySchema.safeParse(JSON.parse(json));
	if (!parsed.success) return undefined;
	try {
		return { ...parsed.data, message: parseMessage(parsed.data.message) };
	} catch {
		return undefined;
	}
}

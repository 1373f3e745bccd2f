import type { Redis } from 'ioredis';
import type { WaitingJob } from '../backlog-entry.ts';
import { conditionsPerScript } from '../conditions.ts';
import { type DeliverJob, deliverJobId } from '../jobs.ts';
import { askRedis } from '../redis.ts';
import { readLines, type WaitingList } from '../waiting-list.ts';
import { type DeliveryCommands, defineDeliveryScripts } from './scripts.ts';

/**
 * Deliveries of webhooks. They wait in Redis in a line for each receiver, and BullMQ holds those that are under way, a bounded number for each
 * receiver. A delivery that waits costs nothing, and a receiver that does not answer delays nobody else's.
 */
export interface Deliveries {
	/**
	 * Takes a delivery, unless it is here or its job exists. It moves on to the queue when its receiver has room.
	 *
	 * @throws PicpipeError `queue-unavailable`
	 */
	offer(delivery: WaitingDelivery): Promise<void>;
	/** Removes deliveries to an endpoint, by message; not from the queue. @throws PicpipeError `queue-unavailable` */
	forget(endpoint: string, messageIds: readonly string[]): Promise<void>;
	/** Removes all waiting deliveries to a deleted endpoint. @throws PicpipeError `queue-unavailable` */
	forgetEndpoint(endpoint: string): Promise<void>;
	/** Removes every waiting delivery. */
	clear(): Promise<void>;
	/** Number of waiting deliveries. Unlike other calls, it reports the errors of Redis. */
	count(): Promise<number>;
	/** Which of these jobs wait here, or were just moved? */
	find(jobIds: readonly string[]): Promise<boolean[]>;
	/** For a worker: looks after deliveries of processes that died, until it is closed. */
	watch(): DeliveryWorker;
}

/** A delivery, as it waits. */
interface WaitingDelivery {
	readonly job: DeliverJob;
	/** Attempts to make. */
	readonly attempts: number;
	/** How long a failed job is kept for inspection, seconds. */
	readonly keepSeconds: number;
	/** When it was due, milliseconds since 1970: the first one goes first. */
	readonly due: number;
}

/** Whether the receiver answered an attempt; undefined if none was made. */
export type ReceiverState = 'answered' | 'silent' | undefined;

/** A worker that delivers. */
export interface DeliveryWorker {
	/** Begins a delivery. False if its receiver has too many under way; then it has to be parked. */
	begin(job: DeliverJob): Promise<boolean>;
	/** Lets a delivery wait that cannot begin. Its job has to be delayed, and is removed from the queue. */
	park(delivery: Omit<WaitingDelivery, 'due'>): Promise<void>;
	/** Ends an attempt, so that the next delivery to its receiver can begin. Reports no errors: a lost place is found. */
	end(job: DeliverJob, state: ReceiverState): Promise<void>;
	close(): void;
}

/** Most deliveries to remove in one script, so that Redis is never busy with one for long. */
const perScript = 200;
/** How often a worker looks for lost places, milliseconds, and how many lines it checks at a time. */
const checks = { every: 10_000, lines: 20 };

interface DeliveriesOptions {
	readonly prefix: string;
	/** Most deliveries of one receiver under way, in the whole installation. */
	readonly perReceiver: number;
	/** Adds a job to the queue; does nothing if the queue has it. */
	add(delivery: Omit<WaitingDelivery, 'due'>): Promise<unknown>;
}

export function openDeliveries(redis: Redis, { prefix, perReceiver, add }: DeliveriesOptions): Deliveries {
	const commands = defineDeliveryScripts(redis);
	const { base, place } = placeOf(prefix, perReceiver);
	const ask = <T>(call: () => Promise<T>): Promise<T> => askRedis(redis, call);

	/** Runs a script, and adds the deliveries that it moved to the queue. One that cannot be added goes back to its line after a while. */
	const move = async (script: () => Promise<string[]>): Promise<void> => {
		const moved = await ask(script);
		const addOne = async (id: string, entry: string) => {
			await ask(() => add(parseEntry(entry)));
			await ask(() => redis.del(`${base}moving:${id}`));
		};
		const adding: Promise<void>[] = [];
		for (let at = 0; at < moved.length; at += 2) adding.push(addOne(moved[at] ?? '', moved[at + 1] ?? ''));
		await Promise.allSettled(adding);
	};

	const clearLine = async (line: string) => {
		while ((await ask(() => commands.deliveryClear(...place, line, perScript))) > 0);
	};

	const checkLines = async () => {
		let checked = 0;
		do {
			await move(async () => {
				const [lines, ...moved] = await commands.deliveryCheck(...place, checks.lines);
				checked = lines;
				return moved;
			});
		} while (checked === checks.lines);
	};

	return {
		offer: (delivery) => move(() => commands.deliveryOffer(...place, deliverJobId(delivery.job), entryOf(delivery))),

		async forget(endpoint, messageIds) {
			for (let at = 0; at < messageIds.length; at += perScript) {
				const ids = messageIds.slice(at, at + perScript).map((messageId) => deliverJobId({ endpoint, messageId }));
				await move(() => commands.deliveryForget(...place, endpoint, ...ids));
			}
		},

		forgetEndpoint: clearLine,

		async clear() {
			for (const line of await ask(() => redis.zrange(`${base}lines`, 0, -1))) await clearLine(line);
			await ask(() => redis.unlink(`${base}jobs`, `${base}lines`));
		},

		count: openDeliveryList(redis, prefix, commands).count,

		async find(jobIds) {
			const found: boolean[] = [];
			for (let at = 0; at < jobIds.length; at += conditionsPerScript) {
				const some = jobIds.slice(at, at + conditionsPerScript);
				found.push(...(await ask(() => commands.deliveryFind(...place, ...some))).map((one) => one === 1));
			}
			return found;
		},

		watch() {
			// Without Redis there is nothing to check.
			const timer = setInterval(() => checkLines().catch(() => {}), checks.every).unref();
			return {
				async begin(job) {
					// Delivering comes before counting.
					const answer = await ask(() => commands.deliveryClaim(...place, lineOf(job), deliverJobId(job))).catch(
						() => 1,
					);
					return answer === 1;
				},
				// A retry is as old as its time, so that it does not overtake what waited before.
				park: (delivery) =>
					move(() =>
						commands.deliveryPark(...place, deliverJobId(delivery.job), entryOf({ ...delivery, due: Date.now() })),
					),
				end: (job, state = undefined) =>
					move(() => commands.deliveryRelease(...place, lineOf(job), deliverJobId(job), state ?? '')).catch(() => {}),
				close: () => clearInterval(timer),
			};
		},
	};
}

/** Whose line a delivery waits in: each host has its own among the webhook URLs of uploads. */
function lineOf({ endpoint, receiver }: DeliverJob): string {
	return receiver === undefined ? endpoint : `${endpoint}:${receiver}`;
}

/** Prefix of the keys, and the first arguments of every script. */
function placeOf(prefix: string, perReceiver: number) {
	const base = `${prefix}:backlog:webhooks:`;
	return { base, place: [base, `${prefix}:webhooks:`, perReceiver] as const };
}

function entryOf({ job, attempts, keepSeconds, due }: WaitingDelivery): string {
	return `${lineOf(job)} ${due}\n${JSON.stringify({ job, attempts, keepSeconds })}`;
}

function parseEntry(entry: string): WaitingDelivery {
	const [head = '', ...rest] = entry.split('\n');
	return { due: Number(head.split(' ')[1]), ...JSON.parse(rest.join('\n')) };
}

/** The waiting deliveries, to look at and to remove, by the ids of their jobs. */
export function openDeliveryList(
	redis: Redis,
	prefix: string,
	commands: DeliveryCommands = defineDeliveryScripts(redis),
): WaitingList {
	// No place is given away.
	const { base, place } = placeOf(prefix, 0);
	const ask = <T>(call: () => Promise<T>): Promise<T> => askRedis(redis, call);
	const asWaiting = (id: string, entry: string): WaitingJob => {
		const { job, due } = parseEntry(entry);
		return { pictureId: id, id, level: 0, data: job, timestamp: due };
	};
	return {
		count: () => redis.hlen(`${base}jobs`),

		async list(start, count) {
			const lines = (await ask(() => redis.zrange(`${base}lines`, 0, -1))).sort();
			return (await readLines(redis, base, lines, start, count)).map(([id, entry]) => asWaiting(id, entry));
		},

		async read(id) {
			const entry = await ask(() => redis.hget(`${base}jobs`, id));
			return entry === null ? undefined : asWaiting(id, entry);
		},

		async remove(id) {
			await ask(() => commands.deliveryForget(...place, '', id));
			return false;
		},
	};
}

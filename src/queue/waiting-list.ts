import type { Redis } from 'ioredis';
import { parseEntry, type WaitingJob } from './backlog-entry.ts';
import { type BacklogCommands, defineBacklogScripts } from './backlog-scripts.ts';
import type { PictureJob } from './jobs.ts';
import { askRedis } from './redis.ts';

/** The queues with a backlog: each picture has its next job in one of them. */
export const pictureQueues = ['pictures', 'fetches'] as const satisfies PictureJob['queue'][];

/** The jobs that wait in front of a queue, to look at and to remove. */
export interface WaitingList {
	/** Number of jobs in the backlog. Unlike all other calls, it reports the errors of Redis. */
	count(): Promise<number>;
	/** Some of the waiting jobs, the first levels first, and owner by owner. */
	list(start: number, count: number): Promise<WaitingJob[]>;
	/** The waiting job of a picture. */
	read(pictureId: string): Promise<WaitingJob | undefined>;
	/**
	 * Removes a picture's job from the backlog.
	 *
	 * @param isPatient leaves a job alone that is on its way into the queue
	 * @returns whether it is on its way
	 * @throws PicpipeError `queue-unavailable`
	 */
	remove(pictureId: string, jobId: string, isPatient?: boolean): Promise<boolean>;
}

/** Where the keys of a backlog and its queue are. */
interface BacklogPlace {
	readonly base: string;
	readonly bull: string;
}

export function backlogPlace(prefix: string, queue: PictureJob['queue']): BacklogPlace {
	return { base: `${prefix}:backlog:${queue}:`, bull: `${prefix}:${queue}:` };
}

export function openWaitingList(
	redis: Redis,
	{ base, bull }: BacklogPlace,
	commands: BacklogCommands = defineBacklogScripts(redis),
): WaitingList {
	const ask = <T>(call: () => Promise<T>): Promise<T> => askRedis(redis, call);
	return {
		count: () => redis.hlen(`${base}jobs`),

		async list(start, count) {
			const lines = async function* () {
				for (const level of await ask(() => redis.zrange(`${base}levels`, 0, -1))) {
					for (const owner of await ask(() => redis.zrange(`${base}owners:${level}`, 0, -1))) yield `${level}:${owner}`;
				}
			};
			return (await readLines(redis, base, lines(), start, count)).map(([id, entry]) => parseEntry(id, entry));
		},

		async read(pictureId) {
			const entry = await ask(() => redis.hget(`${base}jobs`, pictureId));
			return entry === null ? undefined : parseEntry(pictureId, entry);
		},

		async remove(pictureId, jobId, isPatient = false) {
			const how = isPatient ? ['wait'] : [];
			return (await ask(() => commands.backlogForget(base, bull, pictureId, jobId, ...how))) === 1;
		},
	};
}

/**
 * Some of the entries that wait in lines, one line after the other.
 *
 * @param base prefix of the lines (`line:<name>`) and of the hash of their entries (`jobs`)
 * @param lines names of the lines, in order; no more of them are asked for than needed
 * @returns ids and entries
 */
export async function readLines(
	redis: Redis,
	base: string,
	lines: AsyncIterable<string> | Iterable<string>,
	start: number,
	count: number,
): Promise<[id: string, entry: string][]> {
	const ids: string[] = [];
	let skip = start;
	for await (const name of lines) {
		const left = count - ids.length;
		if (left <= 0) break;
		const line = `${base}line:${name}`;
		const some = await askRedis(redis, () => redis.zrange(line, skip, skip + left - 1));
		skip = some.length > 0 ? 0 : skip - (await askRedis(redis, () => redis.zcard(line)));
		ids.push(...some);
	}
	if (ids.length === 0) return [];
	const entries = await askRedis(redis, () => redis.hmget(`${base}jobs`, ...ids));
	return ids.flatMap((id, at): [string, string][] => (entries[at] ? [[id, entries[at]]] : []));
}

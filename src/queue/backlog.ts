import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { type OfferedJob, offered, parseEntry, type WaitingJob } from './backlog-entry.ts';
import { defineBacklogScripts } from './backlog-scripts.ts';
import type { PictureJob } from './jobs.ts';
import { askRedis } from './redis.ts';
import { backlogPlace, openWaitingList, type WaitingList } from './waiting-list.ts';

/**
 * The backlog in front of a queue: jobs wait in Redis by level and owner, and BullMQ holds a small window of them. So what a job costs does
 * not depend on how many wait, an urgent one overtakes all others, and the owners of one level share the work.
 */
export interface Backlog extends Omit<WaitingList, 'remove'> {
	/**
	 * Takes a job, unless the backlog or the queue has it. It moves on to the queue when there is room.
	 *
	 * @throws PicpipeError `queue-unavailable`
	 */
	offer(job: OfferedJob): Promise<void>;
	/**
	 * Removes a picture's job from the backlog.
	 *
	 * @returns whether it may have reached the queue in this moment, from where the caller has to remove it once more
	 * @throws PicpipeError `queue-unavailable`
	 */
	forget(pictureId: string, jobId: string): Promise<boolean>;
	/** Removes every job. */
	clear(): Promise<void>;
	/** For each picture: true if its job waits here, the id of its job if that was moved to the queue, undefined if it is unknown. */
	find(pictureIds: readonly string[]): Promise<(string | true | undefined)[]>;
	/** Takes over jobs that lie in the queue from before there was a backlog. @returns how many */
	takeOver(): Promise<number>;
	/** Moves every failed job to the lowest level. @returns how many */
	takeFailed(): Promise<number>;
	/** Forgets some of the jobs that have ended without being reported. */
	tidy(): Promise<void>;
	/** Registers a worker, so that the queue's window has room for its jobs. */
	join(options: WorkerOptions): BacklogWorker;
	close(): void;
}

interface WorkerOptions {
	/** Jobs that the worker wants to find waiting in the queue. */
	readonly window: number;
}

/** A worker that takes jobs from the queue. */
interface BacklogWorker {
	/** It has begun a job, so there is room for another one. */
	started(pictureId: string): void;
	/** Did jobs wait in the backlog when it was last asked? */
	hasMore(): boolean;
	/** Changes how many jobs it wants to find waiting in the queue. */
	resize(window: number): void;
	/** A job has ended for good. @param work in megapixels, undefined if unknown */
	ended(pictureId: string, jobId: string, work?: number): void;
	/** Ends the registration. */
	leave(): Promise<void>;
}

interface BacklogOptions {
	readonly prefix: string;
	readonly queue: PictureJob['queue'];
	/** Adds a job to the queue; does nothing if the queue has it. */
	add(job: WaitingJob, place: 'front' | 'back'): Promise<unknown>;
	/** Workers of the queue that belong to a version without a backlog, which do not report what they take. */
	countOldWorkers(): Promise<number>;
}

/** Most jobs in one script, so that Redis is never busy with one for long. */
const perScript = 50;
/** Jobs in the queue while no worker is registered: no more than for one worker, so that the first worker begins with the first level. */
const windowWithoutWorkers = 1;
/** Jobs in the queue at least, while there are workers of a version without a backlog. */
const windowOfOldWorkers = 1_000;
/** How often a worker renews its registration, milliseconds. A quarter of what the script allows, so that a slow answer ends none. */
const heartbeat = 7_500;
/** How long a worker that stops waits for Redis, milliseconds. */
const leavePatience = 500;
/** How soon to look again if there are jobs and no room, milliseconds; events make it sooner. A dead process may hold the room. */
const lookAgain = 3_500;

/** @param redis scripts are defined on it, once for any number of backlogs */
export function openBacklog(redis: Redis, options: BacklogOptions): Backlog {
	const commands = defineBacklogScripts(redis);
	const place = backlogPlace(options.prefix, options.queue);
	const { base, bull } = place;
	const { remove, ...waiting } = openWaitingList(redis, place, commands);
	const offers: { readonly values: [string, string]; end(error?: unknown): void }[] = [];
	const started: string[] = [];
	const ended: (string | number)[] = [];
	let worker: [id: string, window: number] | undefined;
	let isRegistering = false;
	let running: Promise<void> | undefined;
	let isAsked = false;
	let hasMore = false;
	let isClosed = false;
	let again: NodeJS.Timeout | undefined;
	let hasOldWorkers = false;
	let countedAt = Number.NEGATIVE_INFINITY;

	/** @returns whether it has turned out that there are old workers */
	const noticeOldWorkers = async (): Promise<boolean> => {
		if (performance.now() - countedAt < heartbeat) return false;
		countedAt = performance.now();
		const had = hasOldWorkers;
		hasOldWorkers = (await askRedis(redis, options.countOldWorkers)) > 0;
		return hasOldWorkers && !had;
	};

	/** One script, and the jobs that it moved. @returns whether there may be more to move at once */
	const exchange = async (): Promise<boolean> => {
		const some = offers.splice(0, perScript);
		const asked = {
			offers: some.flatMap(({ values }) => values),
			started: started.splice(0, perScript),
			ended: ended.splice(0, 3 * perScript),
			...(isRegistering && worker && { worker }),
			without: windowWithoutWorkers,
			old: hasOldWorkers ? windowOfOldWorkers : 0,
			most: perScript,
		};
		try {
			const reply = await askRedis(redis, () => commands.backlogExchange(base, bull, JSON.stringify(asked)));
			const [window, left, ...moved] = reply;
			isRegistering = false;
			hasMore = left > 0;
			const jobs = Array.from({ length: moved.length / 3 }, (_, at) => {
				const [pictureId = '', place, entry = ''] = moved.slice(at * 3, at * 3 + 3);
				return { place: place as 'front' | 'back', job: parseEntry(pictureId, entry) };
			});
			// What is added to the front last is the first.
			const inOrder = [
				...jobs.filter(({ place }) => place === 'front').reverse(),
				...jobs.filter(({ place }) => place === 'back'),
			];
			const adding = inOrder.map(({ job, place }) => askRedis(redis, () => options.add(job, place)));
			// What could not be added goes back to its line after a while.
			await Promise.allSettled(adding);
			for (const { end } of some) end();
			clearTimeout(again);
			if (left > 0 && !isClosed && (worker || window === 0)) again = setTimeout(request, lookAgain).unref();
			if (left > 0 && (await noticeOldWorkers())) return true;
			return adding.length === perScript || offers.length > 0 || started.length > 0 || ended.length > 0;
		} catch (error) {
			for (const { end } of some) end(error);
			throw error;
		}
	};

	const run = async () => {
		try {
			do {
				// What happens at the same moment shares a script.
				await Promise.resolve();
				isAsked = false;
				if (await exchange()) isAsked = true;
			} while (isAsked);
		} catch (error) {
			// Whoever offered a job learns of it. The next event tries again, at the latest the heartbeat or the sweep.
			for (const { end } of offers.splice(0)) end(error);
		} finally {
			running = undefined;
		}
	};
	const request = () => {
		isAsked = true;
		if (!isClosed) running ??= run();
	};
	const register = () => {
		isRegistering = worker !== undefined;
		if (worker) request();
	};
	const beat = setInterval(register, heartbeat).unref();
	// Old workers do not ask for what a process has left that ended.
	const begin = () => {
		register();
		request();
	};
	redis.on('ready', begin);
	const ask = <T>(call: () => Promise<T>): Promise<T> => askRedis(redis, call);

	const takeAll = async (from: 'waiting' | 'failed'): Promise<number> => {
		const { bulk, perByte } = offered;
		const step = () =>
			ask(() => commands.backlogTakeOver(base, bull, from, perScript, windowWithoutWorkers, bulk, perByte));
		let total = 0;
		for (let moved = await step(); moved > 0; moved = await step()) total += moved;
		if (total > 0) request();
		return total;
	};

	return {
		...waiting,

		offer(job) {
			return new Promise((resolve, reject) => {
				const end = (error?: unknown) => (error === undefined ? resolve() : reject(error));
				offers.push({ values: offered.entry(job), end });
				request();
			});
		},

		async forget(pictureId, jobId) {
			const isMoving = await remove(pictureId, jobId, true);
			if (isMoving) {
				await running;
				await remove(pictureId, jobId);
			}
			// It may have made room.
			request();
			return isMoving;
		},

		async clear() {
			while ((await ask(() => commands.backlogClear(base, bull))) === 1);
		},

		async find(pictureIds) {
			if (pictureIds.length === 0) return [];
			const found = await ask(() => commands.backlogFind(base, bull, ...pictureIds));
			return found.map((one) => (one === '1' ? true : one === '0' ? undefined : one));
		},

		takeOver: () => takeAll('waiting'),

		takeFailed: () => takeAll('failed'),

		async tidy() {
			const most = 20;
			for (let page = 0; page < most && (await ask(() => commands.backlogTidy(base, bull))) !== 0; page++);
		},

		join({ window }) {
			worker = [randomUUID(), window];
			register();
			return {
				started(pictureId) {
					started.push(pictureId);
					request();
				},
				hasMore: () => hasMore,
				resize(size) {
					if (!worker || worker[1] === 0) return;
					worker = [worker[0], size];
					register();
				},
				ended(pictureId, jobId, work = -1) {
					ended.push(pictureId, jobId, work);
				},
				async leave() {
					if (!worker) return;
					worker = [worker[0], 0];
					register();
					// Without Redis the registration ends by itself.
					await Promise.race([running, sleep(leavePatience, undefined, { ref: false })]);
					worker = undefined;
				},
			};
		},

		close() {
			isClosed = true;
			clearInterval(beat);
			clearTimeout(again);
			redis.off('ready', begin);
		},
	};
}

import { type Job, type JobsOptions, type JobType, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { WaitingJob } from '../queue/backlog-entry.ts';
import { openDeliveryList } from '../queue/deliveries/deliveries.ts';
import { pictureIdOfJob, type QueueName } from '../queue/jobs.ts';
import {
	fetchJobOptions,
	keepCompleted,
	pictureJobOptions,
	type QueuesOptions,
	startsWithoutRedis,
} from '../queue/queues.ts';
import { backlogPlace, openWaitingList, pictureQueues, type WaitingList } from '../queue/waiting-list.ts';
import { ArenaJob, nameInList, type PictureJobKind, pictureJobs } from './job.ts';

/** Arena asks for this state of BullMQ 5 and before. The jobs of a paused queue are now `waiting`. */
const goneState = 'paused';
type ArenaJobType = JobType | typeof goneState;

/**
 * A queue with the interface that bull-arena 4.10 expects, on BullMQ 6. It restores methods that BullMQ dropped, and makes Arena's buttons
 * follow the same rules as the API.
 */
export class ArenaQueue extends Queue {
	readonly #options: QueuesOptions;
	/** The jobs in front of the queue, if it has a backlog. */
	readonly #waiting: WaitingList | undefined;

	constructor(name: QueueName, redis: Redis, options: QueuesOptions) {
		super(name, {
			// A connected client, because BullMQ cannot load ioredis from an ES module by itself.
			connection: redis,
			prefix: options.prefix,
			...startsWithoutRedis,
		});
		this.#options = options;
		const queue = pictureQueues.find((one) => one === name);
		if (queue) this.#waiting = openWaitingList(redis, backlogPlace(options.prefix, queue));
		else if (name === 'webhooks') this.#waiting = openDeliveryList(redis, options.prefix);
		// The connection's own listener logs errors. Without a listener here, each queue would throw them again.
		this.on('error', () => {});
	}

	/** Removed in BullMQ 6. Arena reads Redis statistics from it. */
	get client() {
		return this.getBackend().client;
	}

	protected override get Job(): typeof Job {
		return ArenaJob as typeof Job;
	}

	/** Splits log entries into lines: a worker writes several lines as one entry. */
	override async getJobLogs(...asked: Parameters<Queue['getJobLogs']>): ReturnType<Queue['getJobLogs']> {
		const { logs } = await super.getJobLogs(...asked);
		const lines = logs.flatMap((row) => row.split('\n'));
		return { logs: lines, count: lines.length };
	}

	/** Other keys of a queue (`meta`, `events`, ...) would be read as jobs if their names were requested as ids. */
	override async getJob(id: string): Promise<Job | undefined> {
		try {
			const job = (await super.getJob(id)) ?? (await this.#readWaiting(id));
			if (!job?.name || !Number.isFinite(job.timestamp)) return undefined;
			nameInList(job as Job);
			return job as Job;
		} catch (error) {
			if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return undefined;
			throw error;
		}
	}

	override async getJobs(types?: ArenaJobType | ArenaJobType[], start?: number, end?: number, ascending?: boolean) {
		const known = types === undefined ? [] : withoutGone([types].flat());
		// BullMQ treats an empty list as "all".
		if (types !== undefined && known.length === 0) return [];
		const jobs = await super.getJobs(known, start, end, ascending);
		const isWaiting = known[0] === 'waiting' || known[0] === 'wait';
		if (!this.#waiting || !isWaiting || start === undefined || end === undefined) return jobs;
		// Behind those in the queue, which come first.
		const { waiting = 0 } = await super.getJobCounts('waiting');
		const from = Math.max(start, waiting);
		const more = from > end ? [] : await this.#waiting.list(from - waiting, end - from + 1);
		return [...jobs, ...more.map((job) => this.#toJob(job))];
	}

	override async getJobCounts(...types: ArenaJobType[]) {
		const counts = await super.getJobCounts(...withoutGone(types));
		if (this.#waiting && counts.waiting !== undefined) counts.waiting += await this.#waiting.count();
		return counts;
	}

	async #readWaiting(id: string): Promise<Job | undefined> {
		const isOfPicture = pictureJobs.has(this.name);
		const waiting = await this.#waiting?.read(isOfPicture ? pictureIdOfJob(id) : id);
		return waiting?.id === id ? this.#toJob(waiting) : undefined;
	}

	/** A job of the backlog, as it will be in the queue. */
	#toJob({ pictureId, id, data, timestamp }: WaitingJob): Job {
		const name = pictureJobs.get(this.name)?.name ?? 'deliver';
		const job = new ArenaJob(this, name, data, { jobId: id, timestamp, attempts: this.#options.attempts }, id);
		job.markWaiting(async () => this.#waiting?.remove(pictureId, id));
		nameInList(job);
		return job;
	}

	/** For a dump of that state. */
	getPaused(): Promise<Job[]> {
		return this.getJobs(goneState);
	}

	/**
	 * Behind "Create" and "Trigger". Arena would keep such jobs for ever and number them. Here they are kept as long as other jobs, and a
	 * picture's job gets its derived id, so that the same work is not done twice.
	 */
	override async add(name: string, data: unknown, given: JobsOptions = {}): Promise<Job> {
		// Arena omits an empty name, so the data arrives in its place.
		if (typeof name !== 'string') throw new Error('Expected a name for the job but received none.');
		const kind = pictureJobs.get(this.name);
		if (kind) return this.#addPicture(kind, name, data, given);
		return super.add(name, data, { ...given, removeOnComplete: keepCompleted });
	}

	async #addPicture(kind: PictureJobKind, name: string, data: unknown, given: JobsOptions): Promise<Job> {
		if (name !== kind.name) throw new Error(`Expected ${kind.name} for the job's name but received ${name}.`);
		const { work, id: jobId } = kind.parse(data);
		const job = await this.getJob(jobId);
		const options = this.name === ('fetches' satisfies QueueName) ? fetchJobOptions : pictureJobOptions;
		if (!job) return super.add(name, work, { ...given, ...options(this.#options), jobId });
		// The job exists, so run it now, unless it runs or is about to.
		const state = await job.getState();
		if (state === 'completed' || state === 'failed') await job.retry(state);
		if (state === 'delayed') await job.promote();
		return job;
	}
}

function withoutGone(types: ArenaJobType[]): JobType[] {
	return types.filter((type) => type !== goneState);
}

import { type Job, type JobsOptions, type JobType, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { QueueName } from '../queue/jobs.ts';
import {
	fetchJobOptions,
	keepCompleted,
	pictureJobOptions,
	type QueuesOptions,
	startsWithoutRedis,
} from '../queue/queues.ts';
import { ArenaJob, nameInList, type PictureJobKind, pictureJobs } from './job.ts';

/** Arena asks for this state of BullMQ 5 and before; a paused queue's jobs are `waiting` now. */
const goneState = 'paused';
type ArenaJobType = JobType | typeof goneState;

/**
 * A queue as bull-arena 4.10 knows it, on BullMQ 6: what Arena calls and BullMQ dropped is brought back, and what people do with
 * Arena's buttons follows the same rules as what the API does.
 */
export class ArenaQueue extends Queue {
	readonly #options: QueuesOptions;

	constructor(name: QueueName, redis: Redis, options: QueuesOptions) {
		super(name, {
			// A made client, because BullMQ cannot load ioredis itself from an ES module.
			connection: redis,
			prefix: options.prefix,
			...startsWithoutRedis,
		});
		this.#options = options;
		// The connection's own listener reports trouble; without one here each queue would throw it again.
		this.on('error', () => {});
	}

	/** Gone in BullMQ 6; Arena reads Redis's statistics from it. */
	get client() {
		return this.getBackend().client;
	}

	protected override get Job(): typeof Job {
		return ArenaJob as typeof Job;
	}

	/** Line by line: what a worker tells together is one row. */
	override async getJobLogs(...asked: Parameters<Queue['getJobLogs']>): ReturnType<Queue['getJobLogs']> {
		const { logs } = await super.getJobLogs(...asked);
		const lines = logs.flatMap((row) => row.split('\n'));
		return { logs: lines, count: lines.length };
	}

	/** Other keys of a queue are read as a job when asked for by their name (`meta`, `events`, ...); they aren't any. */
	override async getJob(id: string): Promise<Job | undefined> {
		try {
			const job = await super.getJob(id);
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
		// BullMQ takes an empty list for "all".
		if (types !== undefined && known.length === 0) return [];
		return super.getJobs(known, start, end, ascending);
	}

	override async getJobCounts(...types: ArenaJobType[]) {
		return super.getJobCounts(...withoutGone(types));
	}

	/** For the dump of that state. */
	getPaused(): Promise<Job[]> {
		return this.getJobs(goneState);
	}

	/**
	 * Behind "Create" and "Trigger". Arena wants such jobs kept for ever and gives them a number as id; here they live as long as
	 * others, and a picture's has the id that keeps the same work from being done twice.
	 */
	override async add(name: string, data: unknown, given: JobsOptions = {}): Promise<Job> {
		// Arena leaves the name out, so that the data takes its place, when the field was empty.
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
		// It is there already, so let it run now unless it does or is about to.
		const state = await job.getState();
		if (state === 'completed' || state === 'failed') await job.retry(state);
		if (state === 'delayed') await job.promote();
		return job;
	}
}

function withoutGone(types: ArenaJobType[]): JobType[] {
	return types.filter((type) => type !== goneState);
}

import { once } from 'node:events';
import { type RequestOptions, request } from 'node:http';
import { Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { inject } from 'vitest';
import { type ArenaOptions, openArena } from '../../src/arena/arena.ts';
import { newPictureId } from '../../src/domain/picture.ts';
import { createLogger } from '../../src/observe/log.ts';
import { type ProcessJob, processJobIdOf } from '../../src/queue/jobs.ts';
import { pictureJobOptions } from '../../src/queue/queues.ts';
import { connectRedis } from '../../src/queue/redis.ts';
import { freshPrefix } from '../helpers/redis.ts';

/** Arena with queues of its own, and BullMQ beside it to look at what its buttons did. */
export interface TestArena {
	readonly address: string;
	readonly prefix: string;
	readonly redis: Redis;
	readonly pictures: Queue<ProcessJob>;
	/** Takes all jobs and settings away. */
	empty(): Promise<void>;
	close(): Promise<void>;
}

const attempts = 5;
const retryDelay = 60_000;

export async function openTestArena(
	options: Partial<Pick<ArenaOptions, 'password' | 'host' | 'port' | 'keys'>> & { redisUrl?: string } = {},
): Promise<TestArena> {
	const { redisUrl = inject('redisUrl'), ...given } = options;
	const prefix = freshPrefix();
	const producer = connectRedis(redisUrl, 'producer');
	const redis = connectRedis(redisUrl, 'worker');
	for (const one of [producer, redis]) one.on('error', () => {});
	const arena = await openArena({
		host: '127.0.0.1',
		port: 0,
		user: 'admin',
		prefix,
		attempts,
		retryDelay,
		redis: producer,
		log: createLogger('arena', 'silent'),
		...given,
	}).catch((error) => {
		producer.disconnect();
		redis.disconnect();
		throw error;
	});
	// As after the first moments of a real start; who brings a Redis of their own tests without one.
	if (options.redisUrl === undefined && producer.status !== 'ready') await once(producer, 'ready');
	const pictures = new Queue<ProcessJob>('pictures', { connection: redis, prefix });
	pictures.on('error', () => {});
	return {
		address: arena.address,
		prefix,
		redis,
		pictures,
		async empty() {
			const keys = await redis.keys(`${prefix}:*`);
			if (keys.length > 0) await redis.del(keys);
		},
		async close() {
			await arena.close();
			await pictures.close();
			producer.disconnect();
			redis.disconnect();
		},
	};
}

/** What the API would queue for an upload. */
export function workOn(filename: string): ProcessJob {
	return {
		version: 1,
		pictureId: newPictureId(),
		reason: 'upload',
		recipe: { name: 'web', digest: 'f00d'.repeat(16), variants: ['large', 'thumb'] },
		source: { type: 'image/jpeg', bytes: 2_800_000, sha256: 'beef'.repeat(16), filename },
		requestId: 'req-1',
	};
}

/** In an order in which `jobIn` can make one of each: those that must be taken from the queue first. */
export const states = ['completed', 'failed', 'active', 'waiting', 'prioritized', 'delayed'] as const;
export type State = (typeof states)[number];

export const logLine = '2026-01-02T03:04:05.678Z encode large.webp: 431.2 ms, 123456 bytes';

/** Queues one job and brings it, by real work where needed, into a state. @returns its id */
export async function jobIn(state: State, arena: TestArena, filename = `${state}.jpg`): Promise<string> {
	const work = workOn(filename);
	const jobId = processJobIdOf(work);
	await arena.pictures.add('process', work, {
		...pictureJobOptions({ attempts, retryDelay }),
		jobId,
		...(state === 'prioritized' && { priority: 7 }),
		...(state === 'delayed' && { delay: 600_000 }),
	});
	await arena.pictures.addJobLog(jobId, logLine);
	if (state === 'waiting' || state === 'prioritized' || state === 'delayed') return jobId;

	// Takes the job by hand, so that no worker runs on to take what buttons put back.
	const worker = new Worker(arena.pictures.name, null, {
		connection: arena.redis,
		prefix: arena.prefix,
		lockDuration: 600_000,
	});
	const job = await worker.getNextJob('token');
	if (job?.id !== jobId) throw new Error(`Expected job ${jobId} to be next but it is ${job?.id}.`);
	await job.updateProgress({ percent: 45, step: 'encode large.webp' });
	if (state === 'completed') await job.moveToCompleted({ outcome: 'ready', bytes: 4711 }, 'token', false);
	if (state === 'failed') await job.moveToFailed(new UnrecoverableError('corrupt at decode'), 'token', false);
	await worker.close();
	return jobId;
}

export interface Answer {
	readonly status: number;
	readonly headers: Record<string, string | string[] | undefined>;
	readonly body: string;
}

/** Like `fetch`, but sends any `Host` and any `Sec-Fetch-Site`. */
export function ask(address: string, path: string, options: RequestOptions & { body?: string } = {}): Promise<Answer> {
	const { body, ...rest } = options;
	// Node sends a DELETE's body without any length by itself.
	const length = body === undefined ? {} : { 'content-length': Buffer.byteLength(body) };
	return new Promise((resolve, reject) => {
		const sent = request(`${address}${path}`, { ...rest, headers: { ...rest.headers, ...length } }, (response) => {
			const chunks: Buffer[] = [];
			response.on('data', (chunk: Buffer) => chunks.push(chunk));
			response.on('error', reject);
			response.on('end', () => {
				const { statusCode = 0, headers } = response;
				resolve({ status: statusCode, headers, body: Buffer.concat(chunks).toString() });
			});
		});
		sent.on('error', reject);
		sent.end(body);
	});
}

import { pendingIds, purgePicture, readManifest } from '../catalog/manifest.ts';
import { isFinished, type Picture, parsePictureId } from '../domain/picture.ts';
import { isQueueUnavailable, PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { Attempts } from '../queue/attempts.ts';
import { conditionsPerScript, type JobCondition } from '../queue/conditions.ts';
import { jobOf, type PictureJob } from '../queue/jobs.ts';
import type { Queues } from '../queue/queues.ts';
import { pictureQueues } from '../queue/waiting-list.ts';
import { pendingKey } from '../storage/keys.ts';
import type { FirstSeen } from './first-seen.ts';
import { type Records, recordFailure, settle } from './record.ts';

/** Where the next sweep begins, if one ended before it had checked everything. */
interface SweepPlace {
	/** The last checked id; undefined to begin at the oldest. */
	read(): Promise<string | undefined>;
	/** @param id undefined when everything was checked */
	write(id: string | undefined): Promise<void>;
}

export interface PictureSweep extends Records {
	readonly queues: Queues;
	/** How long an original without a manifest has to be seen before it counts as abandoned, seconds. */
	readonly abandonedSeconds: number;
	readonly firstSeen: FirstSeen;
	/** Shared by all workers; every sweep begins at the oldest picture if absent. */
	readonly place?: SweepPlace | undefined;
	/** Longest time for checking pictures, milliseconds; the next sweep continues. */
	readonly sweepTime?: number | undefined;
	/** Counts pictures that were given up; not counted if absent. */
	readonly attemptCounts?: Attempts | undefined;
	readonly log: Logger;
}

/** What a sweep did with pictures. */
export type SweptPictures = Record<'pending' | Found, number>;
type Found = 'queued' | 'settled' | 'abandoned' | 'lost';

/** Manifests to read at the same time. */
const parallel = 8;
/** The default of `sweepTime`. */
const longestTime = 30_000;

/**
 * Checks every accepted but unfinished picture, the oldest first.
 *
 * @param result its numbers grow
 * @returns whether it has reached the newest
 */
export async function sweepPictures(context: PictureSweep, result: SweptPictures): Promise<boolean> {
	const ids: string[] = [];
	for await (const id of pendingIds(context.storage)) ids.push(id);
	const from = await context.place?.read();
	const end = performance.now() + (context.sweepTime ?? longestTime);
	// Ids are ordered by time.
	const left = ids.filter((id) => from === undefined || id > from).sort();
	for (let at = 0; at < left.length; at += conditionsPerScript) {
		if (at > 0 && performance.now() > end) {
			await context.place?.write(left[at - 1]);
			return false;
		}
		const some = left.slice(at, at + conditionsPerScript);
		result.pending += some.length;
		await sweepSome(context, some, result);
	}
	if (from !== undefined) await context.place?.write(undefined);
	return true;
}

async function sweepSome(context: PictureSweep, ids: readonly string[], result: SweptPictures): Promise<void> {
	const valid = ids.filter((id) => isPictureId(context, id));
	const haveJobs = await context.queues.haveJobs(valid);
	const waiting: Picture[] = [];
	const count = (found: Found | undefined) => {
		if (found) result[found]++;
	};
	const jobless = valid.filter((_, at) => !haveJobs[at]);
	const checkOne = async (id: string) => {
		const picture = await readManifest(context.storage, id);
		if (picture && !isFinished(picture.state)) waiting.push(picture);
		else count(await close(context, id, picture));
	};
	await forEach(context, jobless, (id) => id, checkOne);
	// Jobs of other versions, or from before a loss of keys, are in the queue although nobody knows them here.
	const lost = (await withConditions(context, waiting)).filter(({ condition }) => condition.state !== 'live');
	const bringOne = async (one: Checked) => count(await bringOn(context, one));
	await forEach(context, lost, ({ picture }) => picture.id, bringOne);
}

/** A failed check of one picture ends no other; only the loss of Redis ends the sweep. */
async function forEach<T>(
	context: PictureSweep,
	items: readonly T[],
	idOf: (item: T) => string,
	check: (item: T) => Promise<void>,
): Promise<void> {
	const checkOne = async (item: T) => {
		try {
			await check(item);
		} catch (error) {
			if (isQueueUnavailable(error)) throw error;
			context.log.error({ err: error, pictureId: idOf(item) }, 'could not check a picture; the next sweep tries again');
		}
	};
	for (let at = 0; at < items.length; at += parallel) await Promise.all(items.slice(at, at + parallel).map(checkOne));
}

function isPictureId(context: PictureSweep, id: string): boolean {
	try {
		parsePictureId(id);
		return true;
	} catch {
		context.log.error({ key: pendingKey(id) }, 'marker with an invalid id; ignored');
		return false;
	}
}

interface Checked {
	readonly picture: Picture;
	readonly job: PictureJob;
	readonly condition: JobCondition;
}

async function withConditions({ queues }: PictureSweep, pictures: readonly Picture[]): Promise<Checked[]> {
	const ofQueue = async (queue: PictureJob['queue']) => {
		const some = pictures.map((picture) => ({ picture, job: jobOf(picture) })).filter(({ job }) => job.queue === queue);
		const ids = some.map(({ job }) => job.id);
		const conditions = await queues.conditionsOf(queue, ids);
		return some.flatMap((one, at) => (conditions[at] ? { ...one, condition: conditions[at] } : []));
	};
	return (await Promise.all(pictureQueues.map(ofQueue))).flat();
}

/** Completes what was left of a picture that has ended or was never accepted. */
async function close(context: PictureSweep, id: string, picture: Picture | undefined): Promise<Found | undefined> {
	if (!picture) return purgeIfAbandoned(context, id);
	await settle(context, picture);
	return 'settled';
}

/** An upload writes its marker first and its manifest last. In between it is still in progress, or its process was killed. */
async function purgeIfAbandoned(context: PictureSweep, id: string): Promise<Found | undefined> {
	if (context.firstSeen.age(id) < context.abandonedSeconds * 1_000) return undefined;
	await purgePicture(context.storage, id);
	context.log.warn({ pictureId: id }, 'removed the remains of an unfinished upload');
	return 'abandoned';
}

/** BullMQ's reason for a job that it gave up because its workers died too often. */
const stalledTooOften = /stalled more than/;

/** Queues a picture that has no live job. */
async function bringOn(context: PictureSweep, { picture, job, condition }: Checked): Promise<Found> {
	const { state, failedReason, attempts } = condition;
	if (state === 'failed' && stalledTooOften.test(failedReason)) {
		const error = new PicpipeError('worker-lost', failedReason);
		await recordFailure(context, picture, error, Math.max(1, attempts));
		context.attemptCounts?.count(job.queue, 'failed', error.code);
		return 'lost';
	}
	// Its job ended while the manifest could not be written, because the storage was unavailable.
	await context.queues.forgetPicture(picture);
	await context.catalog.put(picture);
	await context.queues.enqueuePicture(picture, 'sweep');
	return 'queued';
}

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import * as z from 'zod';
import { stored } from '../domain/stored.ts';
import type { Logger } from '../observe/log.ts';
import { askRedis } from '../queue/redis.ts';
import type { Storage } from '../storage/storage.ts';
import type { Catalog } from './catalog.ts';
import { wholenessKeys } from './epoch.ts';
import { type RebuildProgress, type ReindexResult, reindex } from './reindex.ts';

/** Rebuilds of the index: one in the whole installation, which another process continues if its own dies. */

export interface RebuildDependencies {
	readonly redis: Redis;
	/** Prefix of every key. */
	readonly prefix: string;
	readonly storage: Storage;
	readonly catalog: Catalog;
	readonly log: Logger;
}

const progressSchema = stored({
	pictures: z.int(),
	removed: z.int(),
	unreadable: z.int(),
	days: z.int(),
	daysDone: z.int(),
	day: z.string(),
});

/** Lifetime of the lease without renewal, milliseconds: how soon another process continues the rebuild of a dead one. */
const leaseTime = 15_000;
/** Pause between two looks at the rebuild of another process, milliseconds. */
const lookAgain = 1_000;
/** Pause between two lines of progress in the log, milliseconds. */
const reportEvery = 5_000;

/** The progress of the rebuild that is under way or was interrupted; undefined if there is none. @throws PicpipeError `queue-unavailable` */
export async function readRebuild(redis: Redis, prefix: string): Promise<RebuildProgress | undefined> {
	const text = await askRedis(redis, () => redis.get(wholenessKeys(prefix).rebuild));
	return text === null ? undefined : progressSchema.safeParse(JSON.parse(text)).data;
}

/** Thrown by a rebuild whose lease or progress is gone: Redis lost them, or another process rebuilds. */
class RebuildLost extends Error {
	override readonly name = 'RebuildLost';
}

/**
 * Rebuilds the index unless another process does. Continues an interrupted rebuild.
 *
 * @param options.stopping ends the rebuild between two steps
 * @returns undefined if another process rebuilds it, or if this one was stopped or lost its lease
 */
export async function rebuildOnce(
	deps: RebuildDependencies,
	options: { readonly stopping?: AbortSignal } = {},
): Promise<ReindexResult | undefined> {
	const { redis, prefix, storage, catalog, log } = deps;
	const keys = wholenessKeys(prefix);
	const lease = await takeWorkLease(redis, keys.lease, leaseTime);
	if (!lease) return undefined;
	let reportedAt = performance.now();
	try {
		const from = await readRebuild(redis, prefix);
		log.info(from ?? {}, from ? 'continuing to rebuild the index' : 'rebuilding the index from the manifests');
		await saveProgress(redis, keys.rebuild, from ?? noProgress, { isFirst: true });
		const result = await reindex(storage, catalog, {
			from,
			async onProgress(progress) {
				if (lease.lost.aborted || options.stopping?.aborted) throw new RebuildLost();
				if (!(await saveProgress(redis, keys.rebuild, progress))) throw new RebuildLost();
				if (performance.now() - reportedAt < reportEvery) return;
				reportedAt = performance.now();
				log.info(progress, 'rebuilding the index');
			},
		});
		await askRedis(redis, () => redis.del(keys.rebuild));
		for (const key of result.unreadable) log.error({ key }, 'manifest unreadable; the picture was not changed');
		log.info({ pictures: result.pictures, removed: result.removed }, 'index rebuilt');
		return result;
	} catch (error) {
		if (!(error instanceof RebuildLost)) throw error;
		log.info('rebuild of the index interrupted');
		return undefined;
	} finally {
		await lease.release();
	}
}

const noProgress: RebuildProgress = { pictures: 0, removed: 0, unreadable: 0, days: 0, daysDone: 0, day: '' };

/** @returns false if Redis has lost the progress since, and with it the beginning of the index */
async function saveProgress(
	redis: Redis,
	key: string,
	progress: RebuildProgress,
	{ isFirst = false } = {},
): Promise<boolean> {
	const text = JSON.stringify(progress);
	return (await askRedis(redis, () => (isFirst ? redis.set(key, text) : redis.set(key, text, 'XX')))) !== null;
}

/** Rebuilds the index, also if it is complete. If another process is rebuilding it, waits for that and reports its progress. */
export async function rebuildNow(deps: RebuildDependencies): Promise<ReindexResult> {
	const { redis, prefix, catalog, log } = deps;
	const { lease } = wholenessKeys(prefix);
	for (;;) {
		const result = await rebuildOnce(deps);
		if (result) return result;
		let seen: RebuildProgress | undefined;
		for (let looks = 0; await askRedis(redis, () => redis.exists(lease)); looks++) {
			seen = (await readRebuild(redis, prefix)) ?? seen;
			if (looks % (reportEvery / lookAgain) === 0) log.info(seen ?? {}, 'another process is rebuilding the index');
			await sleep(lookAgain);
		}
		if (seen && (await catalog.isComplete())) return { ...seen, unreadable: [] };
	}
}

/** Work that only one process of the installation does at a time. */
export interface WorkLease {
	/** Aborted when the lease was lost: Redis forgot it, or could not be reached for too long. Another process may then hold it. */
	readonly lost: AbortSignal;
	/** Renews it now. @returns whether it is still held */
	renew(): Promise<boolean>;
	release(): Promise<void>;
}

/** KEYS: lease. ARGV: holder, milliseconds. Redis expires the lease by its own clock, so no process's clock matters. */
const renewScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
`;

/** KEYS: lease. ARGV: holder. */
const releaseScript = `
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
`;

/**
 * Takes a lease unless another process holds it. It is renewed until it is released; if its holder dies, it ends by itself.
 *
 * @param milliseconds lifetime without renewal
 * @returns undefined if another process holds it
 * @throws PicpipeError `queue-unavailable`
 */
export async function takeWorkLease(redis: Redis, key: string, milliseconds: number): Promise<WorkLease | undefined> {
	redis.defineCommand('workLeaseRenew', { numberOfKeys: 1, lua: renewScript });
	redis.defineCommand('workLeaseRelease', { numberOfKeys: 1, lua: releaseScript });
	const commands = redis as Redis & {
		workLeaseRenew(key: string, holder: string, milliseconds: number): Promise<0 | 1>;
		workLeaseRelease(key: string, holder: string): Promise<null>;
	};
	const holder = randomUUID();
	if (!(await askRedis(redis, () => redis.set(key, holder, 'PX', milliseconds, 'NX')))) return undefined;
	const lost = new AbortController();
	let renewedAt = performance.now();
	const renew = async () => {
		const askedAt = performance.now();
		const isHeld = await askRedis(redis, () => commands.workLeaseRenew(key, holder, milliseconds)).catch(
			() => undefined,
		);
		if (isHeld === 1) renewedAt = askedAt;
		if (isHeld === 0 || performance.now() - renewedAt > milliseconds) {
			clearInterval(timer);
			lost.abort();
		}
		return !lost.signal.aborted;
	};
	const timer = setInterval(() => void renew(), milliseconds / 3).unref();
	return {
		lost: lost.signal,
		renew,
		async release() {
			clearInterval(timer);
			// If Redis does not answer, the lease expires.
			await askRedis(redis, () => commands.workLeaseRelease(key, holder)).catch(() => {});
		},
	};
}

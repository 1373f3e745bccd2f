import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { within } from '../observe/clock.ts';
import { isRefusal, type Logger } from '../observe/log.ts';

/** How often a Redis that seems connected is asked, and how long it may take to answer, milliseconds. */
const heartbeat = { every: 2_000, patience: 2_000 };
/** Unanswered heartbeats in a row that count as an outage. One alone may be this process's own event loop. */
const missedHeartbeats = 2;
/** Time until an outage is reported again, milliseconds; it doubles with each report. */
const reportPause = { first: 10_000, longest: 3_600_000 };
/** How long Redis may take to answer before a stopping process continues without it, and the pause between two questions, milliseconds. */
const stopping = { patience: 600, pause: 200 };

/** Lifetime of the key that a heartbeat writes, milliseconds. */
const beatLifetime = 1;

/**
 * Reports when Redis is away, for the whole process: one warning, further ones with growing pauses, and one line when it is back. A Redis that
 * accepts connections but does not answer is away too, and so is one that refuses to write.
 *
 * @param prefix of the key that is written to find out
 */
export function reportOutages(redis: Redis, prefix: string, log: Logger): void {
	const write = () => redis.set(`${prefix}:heartbeat`, '', 'PX', beatLifetime);
	let awaySince: number | undefined;
	let reporting: NodeJS.Timeout | undefined;
	let missed = 0;
	const report = (reason: string, pause: number) => {
		const seconds = Math.round((performance.now() - (awaySince ?? 0)) / 1_000);
		const what = isRefusal(new Error(reason)) ? 'refusing to write' : 'unreachable';
		const said = seconds === 0 ? `Redis is ${what}; retrying` : `Redis has been ${what} for ${seconds} s; retrying`;
		log.warn({ reason, seconds }, said);
		reporting = setTimeout(() => report(reason, Math.min(pause * 2, reportPause.longest)), pause).unref();
	};
	const isAway = (reason: string) => {
		if (awaySince !== undefined) return;
		awaySince = performance.now();
		report(reason, reportPause.first);
	};
	const isBack = () => {
		missed = 0;
		if (awaySince === undefined) return;
		clearTimeout(reporting);
		const seconds = Math.round((performance.now() - awaySince) / 1_000);
		awaySince = undefined;
		log.info({ seconds }, 'Redis is reachable again');
	};
	const beat = async () => {
		if (redis.status !== 'ready') return;
		const trouble = await troubleOf(redis, heartbeat.patience, write);
		if (trouble === undefined) isBack();
		else if (isRefusal(trouble)) isAway(trouble.message);
		else if (++missed >= missedHeartbeats) isAway(`no answer within ${heartbeat.patience} ms`);
	};
	const beating = setInterval(() => void beat(), heartbeat.every + heartbeat.patience).unref();
	redis.on('error', (error: Error) => isAway(error.message));
	redis.on('ready', isBack);
	redis.once('end', () => {
		clearInterval(beating);
		clearTimeout(reporting);
	});
}

/** Why Redis does not answer within this time, milliseconds; undefined if it does. Waits for a connection that is being restored. */
async function troubleOf(redis: Redis, patience: number, question: () => Promise<unknown>): Promise<Error | undefined> {
	const late = new AbortController();
	const ask = async () => {
		if (redis.status !== 'ready') await once(redis, 'ready', { signal: late.signal });
		await question();
	};
	try {
		await within(patience, ask(), () => new Error('late'));
		return undefined;
	} catch (error) {
		return error as Error;
	} finally {
		late.abort();
	}
}

/** Resolves as soon as Redis does not answer; never if it answers until the signal aborts. */
export async function untilAway(redis: Redis, signal: AbortSignal): Promise<void> {
	const ping = () => redis.ping();
	while (!signal.aborted && (await troubleOf(redis, stopping.patience, ping)) === undefined) {
		await sleep(stopping.pause, undefined, { signal }).catch(() => {});
	}
	if (signal.aborted) await new Promise(() => {});
}

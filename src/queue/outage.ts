import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { within } from '../observe/clock.ts';
import type { Logger } from '../observe/log.ts';

/** How often a Redis that seems connected is asked, and how long it may take to answer, milliseconds. */
const heartbeat = { every: 2_000, patience: 2_000 };
/** Unanswered heartbeats in a row that count as an outage. One alone may be this process's own event loop. */
const missedHeartbeats = 2;
/** Time until an outage is reported again, milliseconds; it doubles with each report. */
const reportPause = { first: 10_000, longest: 3_600_000 };
/** How long Redis may take to answer before a stopping process continues without it, and the pause between two questions, milliseconds. */
const stopping = { patience: 600, pause: 200 };

/**
 * Reports when Redis is away, for the whole process: one warning, further ones with growing pauses, and one line when it is back. A Redis that
 * accepts connections but does not answer is away too.
 */
export function reportOutages(redis: Redis, log: Logger): void {
	let awaySince: number | undefined;
	let reporting: NodeJS.Timeout | undefined;
	let missed = 0;
	const report = (reason: string, pause: number) => {
		const seconds = Math.round((performance.now() - (awaySince ?? 0)) / 1_000);
		const said =
			seconds === 0 ? 'Redis is unreachable; retrying' : `Redis has been unreachable for ${seconds} s; retrying`;
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
		if (await answers(redis, heartbeat.patience)) isBack();
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

/** Does Redis answer within this time, milliseconds? Waits for a connection that is being restored. */
async function answers(redis: Redis, patience: number): Promise<boolean> {
	const late = new AbortController();
	const ask = async () => {
		if (redis.status !== 'ready') await once(redis, 'ready', { signal: late.signal });
		await redis.ping();
	};
	try {
		await within(patience, ask(), () => new Error('late'));
		return true;
	} catch {
		return false;
	} finally {
		late.abort();
	}
}

/** Resolves as soon as Redis does not answer; never if it answers until the signal aborts. */
export async function untilAway(redis: Redis, signal: AbortSignal): Promise<void> {
	while (!signal.aborted && (await answers(redis, stopping.patience))) {
		await sleep(stopping.pause, undefined, { signal }).catch(() => {});
	}
	if (signal.aborted) await new Promise(() => {});
}

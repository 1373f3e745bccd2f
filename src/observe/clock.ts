import type { Redis } from 'ioredis';
import type { Logger } from './log.ts';

/**
 * The earliest possible current time, milliseconds since 1970: the earlier of the wall clock and the start time plus the elapsed time. If
 * the wall clock jumps ahead, objects that are deleted by age are deleted late, never early.
 */
export function earliestNow(): number {
	return Math.min(Date.now(), performance.timeOrigin + performance.now());
}

/** Waits for work, but no longer than `milliseconds`. The work continues. @throws the work's error, or `late()` when the time is over */
export async function within<T>(milliseconds: number, work: Promise<T>, late: () => Error): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const over = new Promise<never>((_resolve, reject) => {
		timer = setTimeout(() => reject(late()), milliseconds);
	});
	try {
		return await Promise.race([work, over]);
	} finally {
		clearTimeout(timer);
	}
}

/** How often Redis is asked for the time, milliseconds. In between, the monotonic clock counts. */
const askEvery = 10_000;
/** A reply that took longer tells too little, milliseconds; only the first one is used in any case. */
const slowReply = 1_000;
/** Difference that is worth a warning, milliseconds. */
const tolerance = 5_000;

/** The machine's own. */
const OwnDate = globalThis.Date;
/** What to add to the monotonic clock; undefined until Redis has answered. */
let ahead: number | undefined;
let followers = 0;
let know: () => void;
const known = new Promise<void>((resolve) => {
	know = resolve;
});

const now = () => (ahead === undefined ? OwnDate.now() : Math.floor(ahead + performance.now()));

const RedisDate = new Proxy(OwnDate, {
	construct: (target, values, newTarget) =>
		Reflect.construct(target, values.length === 0 ? [now()] : values, newTarget) as Date,
	get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
});

/**
 * Sets this process's clock, `Date`, to that of Redis, so that all processes of an installation agree. BullMQ compares the due times of jobs with
 * the clock of whoever asks, in 25 places of five files: with one clock ahead by a day, one worker would promote all retries of the day.
 * A clock that jumps while the process runs changes nothing either. Ends with the connection.
 */
export function followRedisClock(redis: Redis, log: Logger): void {
	let reported = 0;
	const measure = async () => {
		const asked = performance.now();
		const [seconds, microseconds] = (await redis.time()).map(Number) as [number, number];
		const answered = performance.now();
		const took = answered - asked;
		if (ahead !== undefined && took > slowReply) return;
		const next = seconds * 1_000 + microseconds / 1_000 - (asked + answered) / 2;
		// Differences that the measurement itself may have made are none.
		if (ahead === undefined || Math.abs(next - ahead) > took / 2 + 1) ahead = next;
		know();
		const apart = OwnDate.now() - now();
		if (Math.abs(apart - reported) <= tolerance) return;
		reported = apart;
		const secondsAhead = Math.round(apart / 1_000);
		if (Math.abs(apart) > tolerance)
			log.warn({ secondsAhead }, 'the clock of this machine and that of Redis differ: picpipe goes by that of Redis');
		else log.info('the clock of this machine and that of Redis agree again');
	};
	const tryMeasuring = () => {
		// Without an answer the last one holds.
		if (redis.status === 'ready') measure().catch(() => {});
	};
	const timer = setInterval(tryMeasuring, askEvery).unref();
	redis.on('ready', tryMeasuring);
	redis.once('end', () => {
		clearInterval(timer);
		followers -= 1;
		if (followers > 0) return;
		ahead = undefined;
		globalThis.Date = OwnDate;
	});
	followers += 1;
	globalThis.Date = RedisDate;
}

/** Resolves when Redis has told the time once. Nothing that compares times with other processes may begin earlier. */
export function untilRedisTime(): Promise<void> {
	return known;
}

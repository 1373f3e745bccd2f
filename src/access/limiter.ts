import type { Redis } from 'ioredis';
import { PicpipeError } from '../errors.ts';
import type { Caller } from './caller.ts';
import { openCounters } from './counters.ts';
import { rateText } from './key-rights.ts';
import { openLeases } from './leases.ts';

/** A limit of a caller and its remaining amount, as in draft-ietf-httpapi-ratelimit-headers-11. */
export interface PolicyState {
	readonly name: 'rate' | 'concurrency' | 'day' | 'token';
	readonly quota: number;
	/** The counted unit; requests if absent. */
	readonly unit?: 'concurrent-requests' | 'pictures';
	/** Seconds. */
	readonly window?: number;
	/** Undefined if this request does not count towards it. */
	readonly remaining?: number;
	/** Seconds until the whole quota is available again. */
	readonly resetsIn?: number;
}

export interface Entered {
	readonly policies: readonly PolicyState[];
	/** The exceeded limit as an error; undefined if the request may continue. */
	readonly refusal: PicpipeError | undefined;
	/** Call it when the request is over. */
	leave(): void;
}

/** Enforces the limits of callers over all API processes. Never throws because Redis is away. */
export interface Limiter {
	/** Counts a request. @param uploads whether it uploads pictures, so that the remaining pictures matter */
	enter(caller: Caller, uploads: boolean): Promise<Entered>;
	/**
	 * Counts a picture that is about to be admitted, or queued again, which costs as much.
	 *
	 * @returns a function that undoes the count if that fails
	 * @throws PicpipeError `quota-exceeded`
	 */
	chargePicture(caller: Caller): Promise<() => Promise<void>>;
	close(): void;
}

const daySeconds = 86_400;
/** Nobody can tell when a concurrent request will end, so retry soon; seconds. */
const concurrencyRetry = 1;

/** @param prefix of every key in Redis */
export function openLimiter(redis: Redis, prefix: string): Limiter {
	const counters = openCounters(redis, `${prefix}:limits`);
	const leases = openLeases(redis, `${prefix}:limits:concurrency`);

	const countRate = async ({ id, limits: { rate } }: Caller): Promise<PolicyState | undefined> => {
		if (!rate) return undefined;
		const { count, endsIn } = await counters.add(`rate:${id}`, rate.seconds);
		const resetsIn = Math.max(1, Math.ceil(endsIn / 1_000));
		// A count below zero remaining means that this request exceeded the limit.
		return { name: 'rate', quota: rate.requests, window: rate.seconds, remaining: rate.requests - count, resetsIn };
	};

	const takePlace = async ({ id, limits: { concurrency } }: Caller) => {
		if (concurrency === undefined) return undefined;
		const { held, release } = await leases.take(id, concurrency);
		const policy: PolicyState = {
			name: 'concurrency',
			quota: concurrency,
			unit: 'concurrent-requests',
			remaining: release ? Math.max(0, concurrency - held) : -1,
		};
		return { policy, release };
	};

	const lookAtPictures = (caller: Caller, uploads: boolean): Promise<PolicyState[]> =>
		Promise.all(
			pictureLimits(caller).map(async ({ name, quota, counter, window, endsIn }) => {
				const policy = { name, quota, unit: 'pictures' as const, ...(name === 'day' && { window }) };
				if (!uploads) return policy;
				// Nothing is left, so the picture would be refused at the end. The request is refused now, before its body is read.
				const left = quota - (await counters.look(counter));
				return { ...policy, remaining: left > 0 ? left : -1, resetsIn: endsIn() };
			}),
		);

	return {
		async enter(caller, uploads) {
			const [rate, place, pictures] = await Promise.all([
				countRate(caller),
				takePlace(caller),
				lookAtPictures(caller, uploads),
			]);
			const found = [rate, place?.policy, ...pictures].filter((one) => one !== undefined);
			const refusal = refusalOf(caller, found);
			if (refusal) place?.release?.();
			const policies = found.map((one) =>
				one.remaining === undefined ? one : { ...one, remaining: Math.max(0, one.remaining) },
			);
			return { policies, refusal, leave: () => place?.release?.() };
		},

		async chargePicture(caller) {
			const charged: ReturnType<typeof pictureLimits> = [];
			const giveBack = async () => {
				await Promise.all(charged.map(({ counter, window }) => counters.takeBack(counter, window)));
			};
			for (const limit of pictureLimits(caller)) {
				charged.push(limit);
				const { count } = await counters.add(limit.counter, limit.window);
				if (count <= limit.quota) continue;
				await giveBack();
				throw picturesUsedUp(limit.name, limit.quota, limit.endsIn());
			}
			return giveBack;
		},

		close: () => leases.close(),
	};
}

/** The limits of a caller that count pictures, with their counters. */
function pictureLimits({ id, limits, grant }: Caller) {
	const now = Date.now();
	const day = new Date(now).toISOString().slice(0, 10);
	const found: {
		name: 'day' | 'token';
		quota: number;
		counter: string;
		/** Lifetime of the counter, seconds. */
		window: number;
		/** Seconds until the limit ends. */
		endsIn: () => number;
	}[] = [];
	if (limits.perDay !== undefined) {
		// The counter's name contains the day, so tomorrow's counter is a different one, whenever today's ends.
		const endsIn = () =>
			Math.max(1, Math.ceil((Date.parse(`${day}T00:00:00Z`) + daySeconds * 1_000 - Date.now()) / 1_000));
		found.push({ name: 'day', quota: limits.perDay, counter: `day:${id}:${day}`, window: daySeconds, endsIn });
	}
	if (grant) {
		const endsIn = () => Math.max(1, Math.ceil(grant.expires - Date.now() / 1_000));
		// An upload may begin in the last second and end much later.
		const window = endsIn() + daySeconds;
		found.push({ name: 'token', quota: grant.maxPictures, counter: `token:${grant.id}`, window, endsIn });
	}
	return found;
}

function picturesUsedUp(name: 'day' | 'token', quota: number, retryAfter: number): PicpipeError {
	const limit =
		name === 'day' ? `${quota} pictures a day (until 00:00 UTC)` : `${quota} pictures with this upload token`;
	// A used-up token stays used up, so there is no time to retry.
	const when = name === 'day' ? { retryAfter } : {};
	return new PicpipeError('quota-exceeded', `Expected at most ${limit} but received more.`, {
		violatedPolicies: [name],
		...when,
	});
}

/** The exceeded limit that lasts longest; its message names all exceeded limits. */
function refusalOf(caller: Caller, found: readonly PolicyState[]): PicpipeError | undefined {
	const exceeded = found.filter(({ remaining }) => remaining !== undefined && remaining < 0);
	if (exceeded.length === 0) return undefined;
	const violatedPolicies = exceeded.map(({ name }) => name);
	const is = (name: PolicyState['name']) => exceeded.find((one) => one.name === name);
	const pictures = is('token') ?? is('day');
	if (pictures) {
		const error = picturesUsedUp(pictures.name as 'day' | 'token', pictures.quota, pictures.resetsIn ?? 1);
		return new PicpipeError(error.code, error.message, { retryAfter: error.retryAfter, violatedPolicies });
	}
	const { rate, concurrency } = caller.limits;
	const fast = is('rate');
	if (fast && rate) {
		const detail = `Expected at most ${rateText(rate)} but received more.`;
		return new PicpipeError('rate-exceeded', detail, { retryAfter: fast.resetsIn, violatedPolicies });
	}
	const detail = `Expected at most ${concurrency} concurrent requests but received more.`;
	return new PicpipeError('concurrency-exceeded', detail, { retryAfter: concurrencyRetry, violatedPolicies });
}

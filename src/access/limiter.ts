import type { Redis } from 'ioredis';
import { PicpipeError } from '../errors.ts';
import type { Caller } from './caller.ts';
import { openCounters } from './counters.ts';
import { rateText } from './key-rights.ts';
import { openLeases } from './leases.ts';

/** One limit of a caller and how much of it is left, as in draft-ietf-httpapi-ratelimit-headers-11. */
export interface PolicyState {
	readonly name: 'rate' | 'concurrency' | 'day' | 'token';
	readonly quota: number;
	/** What is counted; requests when absent. */
	readonly unit?: 'concurrent-requests' | 'pictures';
	/** Seconds. */
	readonly window?: number;
	/** Undefined where this request does not touch it. */
	readonly remaining?: number;
	/** Seconds until all of it is there again. */
	readonly resetsIn?: number;
}

export interface Entered {
	readonly policies: readonly PolicyState[];
	/** What the request may not go beyond; undefined when it may go on. */
	readonly refusal: PicpipeError | undefined;
	/** To be called when the request is over. */
	leave(): void;
}

/** Holds callers to their limits, over all apis. Never throws because Redis is away. */
export interface Limiter {
	/** Counts a request. @param uploads whether it brings pictures in, so that those that are left matter */
	enter(caller: Caller, uploads: boolean): Promise<Entered>;
	/**
	 * Counts a picture that is about to be admitted.
	 *
	 * @returns gives it back when it was not
	 * @throws PicpipeError `quota-exceeded`
	 */
	chargePicture(caller: Caller): Promise<() => Promise<void>>;
	close(): void;
}

const daySeconds = 86_400;
/** When a place is free again nobody knows, so: soon, seconds. */
const concurrencyRetry = 1;

/** @param prefix first part of every key in Redis, of the installation */
export function openLimiter(redis: Redis, prefix: string): Limiter {
	const counters = openCounters(redis, `${prefix}:limits`);
	const leases = openLeases(redis, `${prefix}:limits:concurrency`);

	const countRate = async ({ id, limits: { rate } }: Caller): Promise<PolicyState | undefined> => {
		if (!rate) return undefined;
		const { count, endsIn } = await counters.add(`rate:${id}`, rate.seconds);
		const resetsIn = Math.max(1, Math.ceil(endsIn / 1_000));
		// One below none says that this very request was one too many.
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
				// At the end of it the next upload would be refused, so this one is, before its body is read.
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

/** The limits of a caller that count pictures, and the counters they are held in. */
function pictureLimits({ id, limits, grant }: Caller) {
	const now = Date.now();
	const day = new Date(now).toISOString().slice(0, 10);
	const found: {
		name: 'day' | 'token';
		quota: number;
		counter: string;
		/** Seconds that the counter lives. */
		window: number;
		/** Seconds to the end of the limit. */
		endsIn: () => number;
	}[] = [];
	if (limits.perDay !== undefined) {
		// The day stands in the name: whenever its counter ends, tomorrow's is another.
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
	// A token that is used up stays so.
	const when = name === 'day' ? { retryAfter } : {};
	return new PicpipeError('quota-exceeded', `Expected at most ${limit} but received more.`, {
		violatedPolicies: [name],
		...when,
	});
}

/** Of all limits that are exceeded, the one that lasts longest, with the names of all. */
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

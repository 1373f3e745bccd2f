import { describe, expect, it } from 'vitest';
import { readConfig } from '../../src/config/index.ts';
import { PicpipeError } from '../../src/errors.ts';
import { scheduledDelay } from '../../src/queue/retry.ts';
import { attemptsBefore } from '../../src/webhooks/publish.ts';

const schedule = [5, 300, 1_800];
const longest = 600;

/** What BullMQ asks after this many attempts of a job. */
function delayAfter(attemptsMade: number, options: { before?: number; retryAfter?: number } = {}): number {
	const { before = 0, retryAfter } = options;
	const cause = new PicpipeError('webhook-refused', 'no', retryAfter === undefined ? {} : { retryAfter });
	// biome-ignore lint/suspicious/noExplicitAny: of a job only its data is asked for
	const job: any = { data: { attemptsBefore: before } };
	return Number(scheduledDelay(schedule, longest)(attemptsMade, 'scheduled', new Error('no', { cause }), job));
}

describe('the schedule of deliveries', () => {
	it('is that of Standard Webhooks by default, from 5 seconds to a day', () => {
		const { webhookSchedule } = readConfig({});
		const hours = (...list: number[]) => list.map((one) => one * 3_600);
		expect(webhookSchedule).toEqual([5, 300, 1_800, ...hours(2, 5, 10, 14, 20, 24)]);
	});

	it('gives each attempt its delay, a tenth of it random', () => {
		for (const [place, seconds] of schedule.entries()) {
			const delays = Array.from({ length: 50 }, () => delayAfter(place + 1));
			expect(Math.min(...delays)).toBeGreaterThanOrEqual(seconds * 900);
			expect(Math.max(...delays)).toBeLessThanOrEqual(seconds * 1_100);
			expect(new Set(delays).size).toBeGreaterThan(1);
		}
	});

	it('continues where an earlier job stopped', () => {
		expect(delayAfter(1, { before: 2 })).toBeGreaterThanOrEqual(1_800 * 900);
	});

	it('waits longer if the receiver asks for it, and no longer than allowed', () => {
		expect(delayAfter(1, { retryAfter: 60 })).toBe(60_000);
		expect(delayAfter(1, { retryAfter: 100_000 })).toBe(longest * 1_000);
		expect(delayAfter(3, { retryAfter: 1 })).toBeGreaterThanOrEqual(1_800 * 900);
	});

	it('counts attempts that are over by time, and leaves one', () => {
		const ages = [0, 4, 5, 304, 305, 2_104, 2_105, 1e6];
		expect(ages.map((age) => attemptsBefore(schedule, age * 1_000))).toEqual([0, 0, 1, 1, 2, 2, 3, 3]);
		expect(attemptsBefore(schedule, -5_000)).toBe(0);
	});
});

import type { Job } from 'bullmq';
import type { z } from 'zod';
import { PicpipeError } from '../errors.ts';
import { jobError } from '../queue/retry.ts';

/**
 * The data of a job.
 *
 * @param onInvalid called before the error is thrown
 * @throws an error for BullMQ that ends the job, `invalid-job`
 */
export function parseJob<T>(job: Job<unknown>, schema: z.ZodType<T>, onInvalid: () => void): T {
	const parsed = schema.safeParse(job.data);
	if (parsed.success) return parsed.data;
	onInvalid();
	const [issue] = parsed.error.issues;
	const expected = `Expected the data of a ${job.name} job but ${issue?.path.join('.')}: ${issue?.message}`;
	throw jobError(new PicpipeError('invalid-job', expected));
}

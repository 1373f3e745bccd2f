import type { Job } from 'bullmq';
import type { z } from 'zod';
import { PicpipeError } from '../errors.ts';
import { jobVersion } from '../queue/jobs.ts';
import { jobError } from '../queue/retry.ts';
import { CannotServe } from './leave.ts';

/**
 * The data of a job.
 *
 * @param onInvalid called before the error is thrown
 * @throws an error for BullMQ that ends the job, `invalid-job`; CannotServe for data of a newer version
 */
export function parseJob<T>(job: Job<unknown>, schema: z.ZodType<T>, onInvalid: () => void): T {
	const { version } = (job.data ?? {}) as { readonly version?: unknown };
	if (typeof version === 'number' && version > jobVersion) throw new CannotServe([`job data version ${version}`]);
	const parsed = schema.safeParse(job.data);
	if (parsed.success) return parsed.data;
	onInvalid();
	const [issue] = parsed.error.issues;
	const expected = `Expected the data of a ${job.name} job but ${issue?.path.join('.')}: ${issue?.message}`;
	throw jobError(new PicpipeError('invalid-job', expected));
}

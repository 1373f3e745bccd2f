import * as z from 'zod';
import type { StateCounts } from '../../catalog/catalog.ts';
import {
	type Batch,
	type ClosedBatch,
	type FinishedBatch,
	maximumBatchName,
	maximumExpected,
} from '../../domain/batch.ts';
import { shownUrl } from '../../domain/picture.ts';
import { fetchFields, webhookUrl } from '../contract.ts';

/** What the calls about batches take and give. */

export const createBatchSchema = z
	.strictObject({
		name: z.string().max(maximumBatchName).optional().describe('For people.'),
		expect: z
			.int()
			.min(1)
			.max(maximumExpected)
			.optional()
			.describe('It is closed when so many pictures are in it. Without it somebody has to close it.'),
		close: z.boolean('expected true or false').default(false).describe('Close it at once, behind the `urls`.'),
		webhook: webhookUrl
			.optional()
			.describe('Address that is told of its end, beside the endpoints of all, as the `webhook` of an upload.'),
		urls: z
			.array(fetchFields.address)
			.min(1, 'expected at least one URL')
			.optional()
			.describe('Addresses of its first pictures.'),
		recipe: fetchFields.recipe,
		tags: fetchFields.tags,
		priority: fetchFields.priority,
	})
	.refine(({ urls, recipe, close }) => urls !== undefined || (recipe === undefined && !close), {
		path: ['urls'],
		message: 'expected addresses, because recipe and close are about them',
	});

/** A batch as the API shows it. @param counts undefined where nobody can tell */
export function batchView(
	{ id, name, createdAt, expect, webhook }: Batch,
	closed: ClosedBatch | undefined,
	finished: FinishedBatch | undefined,
	counts: StateCounts | undefined,
) {
	const self = `/v1/batches/${id}`;
	const total = counts && Object.values(counts).reduce((sum, count) => sum + count, 0);
	return {
		id,
		name,
		state: finished ? 'finished' : closed ? 'closed' : 'open',
		createdAt,
		expect,
		webhook: webhook === undefined ? undefined : shownUrl(webhook),
		counts: counts && { ...counts, total },
		...(closed && { closed: { at: closed.at, reason: closed.reason } }),
		...(finished && { finished: { at: finished.at, ready: finished.ready, failed: finished.failed } }),
		links: { self, close: `${self}/close`, pictures: `/v1/pictures?batch=${id}` },
	};
}

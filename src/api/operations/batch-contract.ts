import * as z from 'zod';
import type { StateCounts } from '../../catalog/catalog.ts';
import {
	type Batch,
	type ClosedBatch,
	type FinishedBatch,
	maximumBatchName,
	maximumExpected,
} from '../../domain/batch.ts';
import { pictureStates, shownUrl } from '../../domain/picture.ts';
import { fetchFields, webhookUrl } from '../contract.ts';

/** Requests and responses about batches. */

export const createBatchSchema = z
	.strictObject({
		name: z.string().max(maximumBatchName).optional().describe('A name to recognise the batch by.'),
		expect: z
			.int()
			.min(1)
			.max(maximumExpected)
			.optional()
			.describe('Number of pictures after which the batch closes by itself. Without it, close the batch yourself.'),
		close: z
			.boolean('expected true or false')
			.default(false)
			.describe('Close the batch at once, with the `urls` in it.'),
		webhook: webhookUrl
			.optional()
			.describe(
				'URL notified when the batch finishes, in addition to the endpoints; signed as the `webhook` of an upload is.',
			),
		urls: z
			.array(fetchFields.remoteUrl)
			.min(1, 'expected at least one URL')
			.optional()
			.describe('URLs of the first pictures.'),
		recipe: fetchFields.recipe,
		tags: fetchFields.tags,
		meta: fetchFields.meta,
		priority: fetchFields.priority,
	})
	.refine(({ urls, recipe, close }) => urls !== undefined || (recipe === undefined && !close), {
		path: ['urls'],
		message: 'expected URLs, because recipe and close apply to them',
	});

function finishedView({ at, ready, failed, withFailures = 0 }: FinishedBatch) {
	return { at, ready, failed, withFailures };
}

/** A batch as the API shows it. @param counts undefined if unknown */
export function batchView(
	{ id, name, createdAt, owner, expect, webhook }: Batch,
	closed: ClosedBatch | undefined,
	finished: FinishedBatch | undefined,
	counts: StateCounts | undefined,
) {
	const self = `/v1/batches/${id}`;
	const total = counts && pictureStates.reduce((sum, state) => sum + counts[state], 0);
	return {
		id,
		name,
		state: finished ? 'finished' : closed ? 'closed' : 'open',
		createdAt,
		owner,
		expect,
		webhook: webhook === undefined ? undefined : shownUrl(webhook),
		counts: counts && { ...counts, total },
		...(closed && { closed: { at: closed.at, reason: closed.reason } }),
		...(finished && { finished: finishedView(finished) }),
		links: { self, close: `${self}/close`, pictures: `/v1/pictures?batch=${id}` },
	};
}

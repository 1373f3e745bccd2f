import { setTimeout as sleep } from 'node:timers/promises';
import type { RequestHandler } from 'express';
import { closeBatch, createBatch, readBatch, readClosed, readFinished } from '../../catalog/batch.ts';
import { finishBatch } from '../../catalog/finish-batch.ts';
import { type Batch, batchIdOf, newBatchId } from '../../domain/batch.ts';
import { digest } from '../../domain/digest.ts';
import { PicpipeError } from '../../errors.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { parse, preferredWait } from '../contract.ts';
import { viewOf } from '../picture-view.ts';
import { withBatch } from '../resolve.ts';
import { receiveUrls } from '../upload/from-url.ts';
import { runIdempotent } from '../upload/idempotency.ts';
import { parseIdempotencyKey } from '../upload/idempotency-key.ts';
import { refusalsOf } from '../upload/response.ts';
import { checkWebhook } from '../upload/upload-policy.ts';
import { batchView, createBatchSchema } from './batch-contract.ts';

/** `POST /v1/batches`: creates a batch, optionally with its first pictures. With an `Idempotency-Key` it is created once. */
export function createBatchHandler(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const caller = callerOf(response);
		if (caller.grant) {
			throw new PicpipeError('insufficient-scope', 'Expected an API key but received an upload token.', {
				scope: 'upload',
			});
		}
		const { urls, close, name, expect, webhook, ...fields } = parse(createBatchSchema, request.body ?? {});
		const { requestId, log } = response.locals;
		const key = request.get('idempotency-key');
		const batch: Batch = {
			version: 1,
			id: key === undefined ? newBatchId() : batchIdOf(digest(caller.id, parseIdempotencyKey(key))),
			createdAt: new Date().toISOString(),
			owner: caller.owner,
			...(name !== undefined && { name }),
			...(expect !== undefined && { expect }),
			...(webhook !== undefined && { webhook: checkWebhook(context, webhook) }),
			requestId,
		};
		// Checked before anything is created.
		const upload =
			urls && (await receiveUrls(context, response, { urls, ...fields, batch: batch.id, body: request.body }));
		const isNew = await createBatch(context.storage, batch);
		if (isNew) log.info({ batchId: batch.id }, 'batch created');
		const results = upload ? (await runIdempotent(context, request, response, () => upload)).results : [];
		if (close) await closeBatch(context.storage, batch.id, 'asked');
		if (close) await finishBatch(endsOf(context), batch.id);
		const pictures = results.flatMap(({ picture }) => picture ?? []);
		response
			.status(201)
			.location(`/v1/batches/${batch.id}`)
			.json({
				...(await shownBatch(context, (await readBatch(context.storage, batch.id)) ?? batch)),
				...(urls && { pictures: pictures.map(viewOf(context, request)), refused: refusalsOf(results, response) }),
			});
	};
}

/** How often a batch is checked while a request waits for it, milliseconds. */
const lookAgain = 250;

/** `GET /v1/batches/{id}`; with `Prefer: wait=N`, responds when it is finished or the time is up */
export function getBatch(context: ApiContext): RequestHandler {
	return withBatch(context, async (batch, request, response) => {
		const seconds = preferredWait(request.get('prefer'));
		for (const end = performance.now() + seconds * 1_000; performance.now() < end; await sleep(lookAgain)) {
			if (response.destroyed) return;
			if (context.stopping.aborted || (await readFinished(context.storage, batch.id))) break;
		}
		if (seconds > 0) response.set('Preference-Applied', `wait=${seconds}`);
		response.json(await shownBatch(context, batch));
	});
}

/** `POST /v1/batches/{id}/close`; a closed batch is left unchanged */
export function closeBatchHandler(context: ApiContext): RequestHandler {
	return withBatch(context, async (batch, _request, response) => {
		await closeBatch(context.storage, batch.id, 'asked');
		await finishBatch(endsOf(context), batch.id);
		response.locals.log.info({ batchId: batch.id }, 'batch closed');
		response.json(await shownBatch(context, batch));
	});
}

function endsOf({ storage, catalog, webhooks, log }: ApiContext) {
	return { storage, catalog, publisher: webhooks.publisher, log };
}

async function shownBatch(context: ApiContext, batch: Batch) {
	const [closed, finished, counts] = await Promise.all([
		readClosed(context.storage, batch.id),
		readFinished(context.storage, batch.id),
		// Unknown while Redis is away.
		context.catalog.countBatch(batch.id).catch(() => undefined),
	]);
	return batchView(batch, closed, finished, counts);
}

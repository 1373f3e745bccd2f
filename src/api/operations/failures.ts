import type { RequestHandler } from 'express';
import { parsePictureId } from '../../domain/picture.ts';
import { type ErrorCode, errorTable, isRetryable, nextStepOf } from '../../errors.ts';
import { retryFailures } from '../../intake/reprocess.ts';
import type { ApiContext } from '../context.ts';
import { pageQuerySchema, parse, retryFailuresSchema } from '../contract.ts';
import { summaryView } from '../picture-view.ts';

/** `GET /v1/failures`: pictures that failed or lack variants, grouped by cause */
export function listFailures(context: ApiContext): RequestHandler {
	return async (_request, response) => {
		const [groups, { total, classes }] = await Promise.all([
			context.catalog.failures(),
			context.catalog.countFailures(),
		]);
		const failures = groups.map(({ class: failureClass, code, count, firstAt, lastAt, latest }) => ({
			class: failureClass,
			code,
			title: errorTable[code].title,
			next: nextStepOf(code),
			/** Whether picpipe retried it by itself. */
			retried: isRetryable(failureClass),
			count,
			firstAt: new Date(firstAt).toISOString(),
			lastAt: new Date(lastAt).toISOString(),
			latest,
			links: { pictures: `/v1/pictures?class=${failureClass}&code=${code}` },
		}));
		response.json({ total, classes, failures });
	};
}

/** `POST /v1/failures/retry`: all failed pictures, or those of a class or code */
export function retryAllFailures(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const wanted = parse(retryFailuresSchema, request.body ?? {});
		const { log } = response.locals;
		const counts = await retryFailures(context, wanted, log);
		log.info({ ...wanted, ...counts }, 'failed pictures queued again');
		response.status(202).json(counts);
	};
}

/** Failures that killed a process, or may have: inspect each of these pictures before a retry. */
const deadly = ['imaging-process-died', 'picture-timeout', 'worker-lost'] as const satisfies ErrorCode[];

/** `GET /v1/failures/quarantine`: newest first */
export function listQuarantine(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const { cursor, limit } = parse(pageQuerySchema, request.query);
		const before = cursor === undefined ? undefined : parsePictureId(cursor);
		const query = { before, limit };
		const pages = await Promise.all(deadly.map((code) => context.catalog.list({ ...query, code })));
		// Variants of one picture may have failed in several ways.
		const byId = new Map(pages.flatMap(({ pictures }) => pictures.map((picture) => [picture.id, picture])));
		const found = [...byId.values()].sort((one, other) => (one.id < other.id ? 1 : -1));
		const pictures = found.slice(0, limit);
		const isLast = found.length <= limit && pages.every(({ next }) => next === undefined);
		response.json({
			pictures: pictures.map((one) => summaryView(one)),
			...(!isLast && { next: pictures.at(-1)?.id ?? pages.find(({ next }) => next !== undefined)?.next }),
		});
	};
}

import type { RequestHandler } from 'express';
import { confinedTo } from '../../access/ownership.ts';
import type { PictureSummary } from '../../catalog/lists/summary.ts';
import { type Picture, parsePictureId } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { listQuerySchema, mostFullPictures, parse, tagsQuerySchema } from '../contract.ts';
import { summaryView, viewOf } from '../picture-view.ts';
import { findPicture } from '../resolve.ts';

/** Lists of pictures and of tags, from the index. */

/** Manifests to read at the same time. */
const parallel = 8;

/** `GET /v1/pictures` */
export function listPictures(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const { cursor, view, since, until, ...query } = parse(listQuerySchema, request.query);
		if (view === 'full' && query.limit > mostFullPictures) {
			throw new PicpipeError(
				'invalid-field',
				`limit: expected at most ${mostFullPictures} with view=full, received ${query.limit}.`,
			);
		}
		// Names have cursors of their own.
		const before = cursor === undefined || query.filename !== undefined ? cursor : parsePictureId(cursor);
		const own = confinedTo(callerOf(response));
		if (own !== undefined && query.owner !== undefined && query.owner !== own) {
			response.json({ pictures: [], total: { count: 0, exact: true } });
			return;
		}
		const { pictures, next, total } = await context.catalog.list({
			...query,
			since: since === undefined ? undefined : Date.parse(since),
			until: until === undefined ? undefined : Date.parse(until),
			owner: own ?? query.owner,
			before,
			// Counted once, with the first page.
			isCounted: cursor === undefined,
		});
		const shown =
			view === 'full'
				? (await readAll(context, pictures)).map(viewOf(context, request))
				: pictures.map((one) => summaryView(one));
		response.json({
			pictures: shown,
			...(next && { next }),
			...(total && { total: { count: total.count, exact: total.isExact } }),
		});
	};
}

/** The pictures of a page from their manifests, without those that were deleted meanwhile. */
async function readAll(context: ApiContext, summaries: readonly PictureSummary[]): Promise<Picture[]> {
	const found: Picture[] = [];
	for (let at = 0; at < summaries.length; at += parallel) {
		const pictures = await Promise.all(summaries.slice(at, at + parallel).map(({ id }) => findPicture(context, id)));
		found.push(...pictures.filter((picture) => picture !== undefined));
	}
	return found;
}

/** `GET /v1/tags` */
export function listTags(context: ApiContext): RequestHandler {
	return async (request, response) => {
		const { cursor = 0, ...query } = parse(tagsQuerySchema, request.query);
		const { tags, next } = await context.catalog.tags({
			...query,
			owner: confinedTo(callerOf(response)),
			offset: cursor,
		});
		response.json({ tags, ...(next !== undefined && { next: String(next) }) });
	};
}

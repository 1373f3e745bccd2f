import type { Request, RequestHandler, Response } from 'express';
import { PicpipeError } from '../../errors.ts';
import { jsonCodings, maximumJson } from './json.ts';
import { hasBody } from './problem.ts';

/** How much of what clients send one API process holds in memory at the same time. */
export interface PlaceLimits {
	/** Uploads that are received at the same time. Each holds a fraction of a megabyte. */
	readonly maxUploads: number;
	/** Size of all JSON bodies that are being handled, megabytes. */
	readonly jsonMegabytes: number;
}

/** Seconds until a refused client may try again. JSON is handled in no time; an upload takes as long as its client. */
const retryAfter = { json: 1, upload: 5 };

/**
 * Creates middleware that gives each request body a place in memory, and refuses a body for which there is none before a byte of it is
 * read. A place is held until the response is sent, or until `leavePlace` is called for a response that has to wait.
 *
 * @param takesUploads whether bodies that are not JSON are read too
 */
export function openPlaces({ maxUploads, jsonMegabytes }: PlaceLimits): (takesUploads: boolean) => RequestHandler {
	const jsonBytes = jsonMegabytes * 1_000_000;
	const held = { json: 0, upload: 0 };

	const hold = (request: Request, response: Response, kind: keyof typeof held, amount: number) => {
		held[kind] += amount;
		const leave = () => {
			held[kind] -= amount;
			request.body = undefined;
			response.locals.leavePlace = undefined;
			response.off('close', leave);
		};
		response.locals.leavePlace = leave;
		response.once('close', leave);
		// The client may have left in the meantime, and then no event follows.
		if (response.closed) leave();
	};

	return (takesUploads) => (request, response, next) => {
		if (!hasBody(request)) return next();
		const isJson = Boolean(request.is('application/json'));
		if (!isJson && !takesUploads) return next();
		requireCoding(request, response, isJson ? jsonCodings : []);
		if (isJson) {
			const bytes = jsonSize(request);
			if (held.json + bytes > jsonBytes) throw busy('JSON (PICPIPE_JSON_MEGABYTES)', retryAfter.json);
			hold(request, response, 'json', bytes);
		} else {
			if (held.upload >= maxUploads) throw busy(`${maxUploads} uploads (PICPIPE_MAX_UPLOADS)`, retryAfter.upload);
			hold(request, response, 'upload', 1);
		}
		next();
	};
}

/** The size that a body can have at most. */
function jsonSize({ headers }: Request): number {
	const isExact = headers['content-encoding'] === undefined && headers['transfer-encoding'] === undefined;
	return isExact ? Math.min(Number(headers['content-length']), maximumJson) : maximumJson;
}

/**
 * Compressed uploads are refused, not decompressed: pictures do not shrink, and a few bytes could become gigabytes.
 *
 * @throws PicpipeError `unsupported-media-type`
 */
function requireCoding(request: Request, response: Response, codings: readonly string[]): void {
	const coding = request.get('content-encoding')?.trim().toLowerCase() ?? 'identity';
	const accepted = [...codings, 'identity'];
	if (accepted.includes(coding)) return;
	// RFC 9110, 15.5.16.
	response.set('Accept-Encoding', accepted.join(', '));
	throw new PicpipeError(
		'unsupported-media-type',
		`Expected ${codings.length === 0 ? 'a body without Content-Encoding' : `${codings.join(', ')} or no Content-Encoding`} but received ${coding.slice(0, 100)}.`,
	);
}

function busy(most: string, seconds: number): PicpipeError {
	return new PicpipeError('server-busy', `Expected no more ${most} at the same time; try again later.`, {
		retryAfter: seconds,
	});
}

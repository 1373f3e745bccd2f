import { posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import { PicpipeError } from '../errors.ts';
import type { ByteRange, Storage } from '../storage/storage.ts';

/** A stored object and how it goes out. */
export interface Served {
	readonly key: string;
	/** Media type. */
	readonly type: string;
	/** SHA-256 of the bytes, which makes a strong ETag. */
	readonly sha256: string;
	readonly cacheControl: string;
	/** Name to save it under; without one it is shown in place, if it may be. */
	readonly filename?: string | undefined;
}

/**
 * Types that a browser shows as a picture and as nothing else. Any other is only saved: an SVG that is opened as a page is a program
 * of whoever sent it.
 */
const shownInPlace = new Set(['jpeg', 'png', 'webp', 'avif', 'heic', 'gif', 'tiff'].map((format) => `image/${format}`));

/**
 * Streams an object: 200, 206 for a single range, 304 for an unchanged one, 416 for a range outside; HEAD alike.
 * Several ranges in one request are answered with the whole, as RFC 9110 (14.2) allows.
 *
 * @throws PicpipeError `original-missing` when the object is gone, `range-not-satisfiable`
 */
export async function serveObject(storage: Storage, served: Served, request: Request, response: Response) {
	const found = await storage.stat(served.key);
	if (!found) throw new PicpipeError('original-missing', 'The stored object is gone.');
	const etag = `"${served.sha256}"`;
	response.set({
		'Content-Type': served.type,
		ETag: etag,
		'Last-Modified': found.modifiedAt.toUTCString(),
		'Cache-Control': served.cacheControl,
		'Accept-Ranges': 'bytes',
		'X-Content-Type-Options': 'nosniff',
		// Whatever the bytes turn out to be, a browser may show them as a picture and nothing else.
		'Content-Security-Policy': "default-src 'none'; sandbox",
	});
	const filename = served.filename ?? (shownInPlace.has(served.type) ? undefined : posix.basename(served.key));
	if (filename) response.attachment(filename).type(served.type);
	if (request.fresh) return void response.status(304).end();

	const range = requestedRange(request, response, found.bytes, [etag, found.modifiedAt.toUTCString()]);
	response.status(range ? 206 : 200);
	response.set('Content-Length', String(range ? range.end - range.start + 1 : found.bytes));
	if (range) response.set('Content-Range', `bytes ${range.start}-${range.end}/${found.bytes}`);
	if (request.method === 'HEAD') return void response.end();

	const object = await storage.get(served.key, range);
	if (!object) throw new PicpipeError('original-missing', 'The stored object is gone.');
	try {
		await pipeline(object.stream, response);
	} catch (error) {
		// The client left; nobody is there to be told.
		if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
	}
}

function requestedRange(
	request: Request,
	response: Response,
	bytes: number,
	validators: readonly string[],
): ByteRange | undefined {
	const condition = request.get('if-range');
	if (condition !== undefined && !validators.includes(condition)) return undefined;
	const ranges = request.range(bytes, { combine: true });
	if (ranges === undefined || ranges === -2) return undefined;
	if (ranges === -1) {
		response.set('Content-Range', `bytes */${bytes}`);
		throw new PicpipeError(
			'range-not-satisfiable',
			`Expected a range within ${bytes} bytes but received "${request.get('range')}".`,
		);
	}
	const [range] = ranges;
	return ranges.type === 'bytes' && ranges.length === 1 && range ? range : undefined;
}

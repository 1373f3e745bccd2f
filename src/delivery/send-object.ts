import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { create as disposition } from 'content-disposition';
import type { Request, Response } from 'express';
import { PicpipeError } from '../errors.ts';
import type { ByteRange, Storage } from '../storage/storage.ts';
import type { ImageResult } from './memory-cache.ts';

/** How a stored object is sent. */
export interface Outgoing {
	/** Media type. */
	readonly type: string;
	readonly cacheControl: string;
	/** File name for saving. Without a name, browsers show the object in place if its type allows. */
	readonly filename?: string | undefined;
	/** Browsers save the object instead of showing it. Types that browsers must not show are always saved. */
	readonly isAttachment?: boolean | undefined;
	/** Path below which nginx sends stored objects itself. */
	readonly accelRedirect?: string | undefined;
}

/** A stored object and how it is sent. */
export interface Served extends Outgoing {
	readonly key: string;
	/** SHA-256 of the bytes, which makes a strong ETag. */
	readonly sha256: string;
}

/**
 * Types that browsers only ever show as a picture. All others are saved: an SVG that is opened as a page can run its uploader's scripts.
 */
const shownInPlace = new Set(['jpeg', 'png', 'webp', 'avif', 'heic', 'gif', 'tiff'].map((format) => `image/${format}`));

/**
 * Streams an object: 200, 206 for a single range, 304 if unchanged, 416 for a range outside the object; the same for HEAD. A request for
 * several ranges gets the whole object, as RFC 9110 (14.2) allows.
 *
 * @throws PicpipeError `original-missing` if the object is gone, `range-not-satisfiable`
 */
export async function serveObject(storage: Storage, served: Served, request: Request, response: Response) {
	const found = await storage.stat(served.key);
	if (!found) throw gone();
	const { key, type, sha256 } = served;
	const outgoing = { ...served, isAttachment: served.filename !== undefined };
	await serveResult(storage, { ...found, key, type, etag: `"${sha256}"` }, outgoing, request, response);
}

/** The header fields of an image, except those that depend on the range that is sent. */
export function headersOf({ key, etag, modifiedAt }: ImageResult, outgoing: Outgoing): Record<string, string> {
	const isShown = shownInPlace.has(outgoing.type) && outgoing.isAttachment !== true;
	const filename = outgoing.filename ?? (isShown ? undefined : posix.basename(key));
	return {
		'Content-Type': outgoing.type,
		ETag: etag,
		'Last-Modified': modifiedAt.toUTCString(),
		'Cache-Control': outgoing.cacheControl,
		'Accept-Ranges': 'bytes',
		'X-Content-Type-Options': 'nosniff',
		// Whatever the bytes are, a browser may only show them as a picture.
		'Content-Security-Policy': "default-src 'none'; sandbox",
		...(filename !== undefined && {
			'Content-Disposition': disposition(filename, { type: isShown ? 'inline' : 'attachment' }),
		}),
	};
}

/** Sends a known result, from memory if it is cached. @throws as `serveObject` */
export async function serveResult(
	storage: Storage,
	result: ImageResult,
	outgoing: Outgoing,
	request: Request,
	response: Response,
): Promise<void> {
	const { key, etag, modifiedAt, bytes, data } = result;
	const modified = modifiedAt.toUTCString();
	response.set(headersOf(result, outgoing));
	if (request.fresh) return void response.status(304).end();
	if (outgoing.accelRedirect !== undefined) {
		// nginx handles ranges and the length itself.
		return void response.set('X-Accel-Redirect', outgoing.accelRedirect + key).end();
	}

	const range = requestedRange(request, response, bytes, [etag, modified]);
	response.status(range ? 206 : 200);
	response.set('Content-Length', String(range ? range.end - range.start + 1 : bytes));
	if (range) response.set('Content-Range', `bytes ${range.start}-${range.end}/${bytes}`);
	if (request.method === 'HEAD') return void response.end();
	if (data) return void response.end(range ? data.subarray(range.start, range.end + 1) : data);

	const object = await storage.get(key, range);
	if (!object) throw gone();
	await send(object.stream, response);
}

async function send(stream: Readable, response: Response): Promise<void> {
	try {
		await pipeline(stream, response);
	} catch (error) {
		// The client has left.
		if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
	}
}

function gone(): PicpipeError {
	return new PicpipeError('original-missing', 'The stored object is gone.');
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

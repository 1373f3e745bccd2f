import { posix } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { create as disposition } from 'content-disposition';
import type { Request, Response } from 'express';
import { PicpipeError } from '../errors.ts';
import type { ByteRange, Storage } from '../storage/storage.ts';
import { isUnchanged, rangeOf } from './conditions.ts';
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
 * Streams an object: 200, 206 for a single range, 304 for an unchanged one, 412 for one that does not match the conditions, 416 for a range
 * outside. HEAD gets the same headers as a GET of the whole.
 *
 * @throws PicpipeError `original-missing` when the object is gone, `precondition-failed`, `range-not-satisfiable`
 */
export async function serveObject(storage: Storage, served: Served, request: Request, response: Response) {
	const found = await storage.stat(served.key);
	if (!found) throw gone();
	const { key, type, sha256 } = served;
	const outgoing = { ...served, isAttachment: served.filename !== undefined };
	await serveResult(storage, { ...found, key, type, etag: `"${sha256}"` }, outgoing, request, response);
}

/** Header fields of an image. */
type ImageHeaders = Record<string, string> & { readonly 'Content-Type': string };

/** The header fields of an image, except those that depend on the range that is sent. */
export function headersOf({ key, etag, modifiedAt }: ImageResult, outgoing: Outgoing): ImageHeaders {
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
	const { key, bytes, data } = result;
	const { 'Content-Type': type, ...fields } = headersOf(result, outgoing);
	response.set(fields);
	if (outgoing.accelRedirect !== undefined) {
		// nginx evaluates conditions and ranges itself, with an ETag of its own, and knows the length.
		return void response.set({ 'Content-Type': type, 'X-Accel-Redirect': outgoing.accelRedirect + key }).end();
	}
	// The client has the type already (RFC 9110, 15.4.5).
	if (isUnchanged(request, result)) return void response.status(304).end();
	response.set('Content-Type', type);

	const range = requestedRange(request, response, result);
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

function requestedRange(request: Request, response: Response, result: ImageResult): ByteRange | undefined {
	try {
		return rangeOf(request, result);
	} catch (error) {
		response.set('Content-Range', `bytes */${result.bytes}`);
		throw error;
	}
}

import type { Request } from 'express';
import { PicpipeError } from '../errors.ts';

/** What conditions and ranges of a request are compared with. */
export interface Representation {
	/** A strong validator, in its quotes. */
	readonly etag: string;
	readonly modifiedAt: Date;
	readonly bytes: number;
}

/** Bytes of a range, both ends included. */
interface Range {
	readonly start: number;
	readonly end: number;
}

/**
 * Evaluates the preconditions of a GET or HEAD request in the order of RFC 9110, 13.2.2.
 *
 * @returns true when the client has the bytes already, which is answered with 304
 * @throws PicpipeError `precondition-failed`
 */
export function isUnchanged(request: Request, { etag, modifiedAt }: Representation): boolean {
	const match = request.get('if-match');
	const unmodifiedSince = request.get('if-unmodified-since');
	if (match !== undefined) {
		if (!hasTag(match, etag, 'strong')) throw failed('If-Match', match, etag);
	} else if (unmodifiedSince !== undefined && isModifiedSince(unmodifiedSince, modifiedAt) === true) {
		throw failed('If-Unmodified-Since', unmodifiedSince, modifiedAt.toUTCString());
	}
	const noneMatch = request.get('if-none-match');
	if (noneMatch !== undefined) return hasTag(noneMatch, etag, 'weak');
	const modifiedSince = request.get('if-modified-since');
	return modifiedSince !== undefined && isModifiedSince(modifiedSince, modifiedAt) === false;
}

/**
 * The requested range. Several ranges, other units and other methods than GET get the whole, as RFC 9110 (14.2) allows or requires.
 *
 * @throws PicpipeError `range-not-satisfiable`
 */
export function rangeOf(request: Request, { etag, modifiedAt, bytes }: Representation): Range | undefined {
	const field = request.get('range');
	if (field === undefined || request.method !== 'GET') return undefined;
	const condition = request.get('if-range');
	if (condition !== undefined && condition !== etag && condition !== modifiedAt.toUTCString()) return undefined;
	// RFC 9110, 14.1.2: units are case-insensitive, and an empty part of a list counts for nothing.
	const [, first = '', last = ''] = /^bytes=[\s,]*(\d*)-(\d*)[\s,]*$/i.exec(field) ?? [];
	if (first + last === '') return undefined;
	if (first !== '' && last !== '' && Number(first) > Number(last)) return undefined;
	// The last bytes; of a shorter file, all of them.
	const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
	const end = first === '' || last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
	if (start < bytes) return { start, end };
	throw new PicpipeError('range-not-satisfiable', `Expected a range within ${bytes} bytes but received "${field}".`);
}

/** Whether a list of entity tags, or `*`, has this one. A weak tag never matches in a strong comparison (RFC 9110, 8.8.3.2). */
function hasTag(field: string, etag: string, comparison: 'strong' | 'weak'): boolean {
	if (field.trim() === '*') return true;
	const tags: readonly string[] = field.match(/(?:W\/)?"[^"]*"/g) ?? [];
	return tags.includes(etag) || (comparison === 'weak' && tags.includes(`W/${etag}`));
}

/** HTTP dates have no fractions of a second. Undefined for something that is no date, which counts for nothing. */
function isModifiedSince(date: string, modifiedAt: Date): boolean | undefined {
	const since = Date.parse(date);
	return Number.isNaN(since) ? undefined : Math.floor(modifiedAt.getTime() / 1_000) * 1_000 > since;
}

function failed(name: string, received: string, actual: string): PicpipeError {
	return new PicpipeError(
		'precondition-failed',
		`Expected ${name} to match ${actual} but received ${JSON.stringify(received.slice(0, 200))}.`,
	);
}

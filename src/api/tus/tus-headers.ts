import type { Request, Response } from 'express';
import { PicpipeError } from '../../errors.ts';
import type { Checksum } from '../../intake/upload-parts.ts';

/**
 * The headers of tus 1.0 (https://tus.io/protocols/resumable-upload), read strictly: an invalid value is a PicpipeError
 * `invalid-upload-header`.
 */

export const tusVersion = '1.0.0';
export const tusExtensions = [
	'creation',
	'creation-with-upload',
	'creation-defer-length',
	'checksum',
	'termination',
	'expiration',
	'concatenation',
];
/** SHA-1 is mandatory for servers; the others are safer. */
export const checksumAlgorithms = ['sha1', 'sha256', 'sha512'];

/** The content type of bytes at an offset. */
export const offsetType = 'application/offset+octet-stream';

/**
 * Requires the `Tus-Resumable` header, except for GET, which is not part of tus, and OPTIONS, which asks for the version.
 *
 * @throws PicpipeError `unsupported-tus-version`
 */
export function requireTus(request: Request, response: Response): void {
	const given = request.get('tus-resumable');
	if (given === tusVersion || (given === undefined && request.method === 'GET')) return;
	response.set('Tus-Version', tusVersion);
	const shown = given === undefined ? 'none' : JSON.stringify(given.slice(0, 40));
	throw new PicpipeError('unsupported-tus-version', `Expected ${tusVersion} for Tus-Resumable but received ${shown}.`);
}

/** `Upload-Offset`, bytes. */
export function offsetOf(request: Request): number {
	const given = request.get('upload-offset');
	if (given === undefined) throw invalid('Upload-Offset', 'the offset that the body begins at', given);
	return wholeNumber('Upload-Offset', given);
}

/** `Upload-Length`, bytes; undefined when absent. */
export function lengthOf(request: Request): number | undefined {
	const given = request.get('upload-length');
	return given === undefined ? undefined : wholeNumber('Upload-Length', given);
}

/** The length of a new upload; undefined if it is deferred by `Upload-Defer-Length`. */
export function firstLengthOf(request: Request): number | undefined {
	const length = lengthOf(request);
	const deferred = request.get('upload-defer-length');
	if (deferred !== undefined && deferred !== '1') throw invalid('Upload-Defer-Length', '1', deferred);
	if ((length === undefined) === (deferred === undefined)) {
		throw invalid('Upload-Length', 'either it or Upload-Defer-Length', request.get('upload-length'));
	}
	return length;
}

/** A name without spaces and commas, and an optional value in Base64. */
const metadataPair = /^([^\s,]+)(?: +([A-Za-z0-9+/]*={0,2}))?$/;

/** `Upload-Metadata`, decoded. */
export function metadataOf(header: string | undefined): Record<string, string> {
	const fields = new Map<string, string>();
	for (const pair of (header ?? '').split(',').map((one) => one.trim())) {
		if (pair === '' && !header?.includes(',')) continue;
		const [, name, value = ''] = metadataPair.exec(pair) ?? [];
		if (name === undefined || value.length % 4 === 1) {
			throw invalid('Upload-Metadata', 'names, each with a value in Base64 behind a space, separated by commas', pair);
		}
		if (fields.has(name)) throw invalid('Upload-Metadata', 'each name once', name);
		fields.set(name, Buffer.from(value, 'base64').toString());
	}
	return Object.fromEntries(fields);
}

/** `Upload-Checksum`; undefined if absent. */
export function checksumOf(request: Request): Checksum | undefined {
	const given = request.get('upload-checksum');
	if (given === undefined) return undefined;
	const [, algorithm = '', sum = ''] = /^(\S+) +([A-Za-z0-9+/]+={0,2})$/.exec(given) ?? [];
	if (!checksumAlgorithms.includes(algorithm)) {
		throw invalid('Upload-Checksum', `one of ${checksumAlgorithms.join(', ')} and the sum in Base64`, given);
	}
	return { algorithm, digest: Buffer.from(sum, 'base64') };
}

/** `Upload-Concat`: undefined, a partial upload, or the ids of the uploads to join. */
export function concatOf(request: Request): 'partial' | { readonly ids: readonly string[] } | undefined {
	const given = request.get('upload-concat');
	if (given === undefined || given === 'partial') return given;
	const urls = /^final;\s*(\S.*)$/.exec(given)?.[1]?.trim().split(/\s+/);
	const ids = urls?.map((url) => /(?:^|\/)v1\/uploads\/([a-z0-9_]+)\/?(?:\?.*)?$/.exec(url)?.[1]);
	if (!ids?.every((id) => id !== undefined)) {
		throw invalid('Upload-Concat', 'partial, or final; and the URLs of partial uploads', given);
	}
	return { ids };
}

function wholeNumber(name: string, text: string): number {
	if (!/^\d{1,15}$/.test(text)) throw invalid(name, 'a whole number of bytes', text);
	return Number(text);
}

function invalid(name: string, expected: string, received: string | undefined): PicpipeError {
	const shown = received === undefined ? 'none' : JSON.stringify(received.slice(0, 100));
	return new PicpipeError('invalid-upload-header', `Expected ${expected} for ${name} but received ${shown}.`);
}

import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import { PicpipeError } from '../../errors.ts';

/** Lets through who shows one of the keys as a bearer token (RFC 6750); everybody when there are no keys. */
export function authenticate(keys: readonly string[] | undefined): RequestHandler {
	const known = keys?.map(sha256);
	return (request, _response, next) => {
		if (!known) return next();
		const given = /^Bearer (\S+)$/i.exec(request.get('authorization') ?? '')?.[1];
		// Digests have one length, so the comparison takes the same time whatever was sent.
		const digest = sha256(given ?? '');
		const matches = known.filter((key) => timingSafeEqual(key, digest)).length;
		if (given === undefined || matches === 0) {
			throw new PicpipeError(
				'unauthorized',
				'Expected the header "Authorization: Bearer <key>" with one of PICPIPE_API_KEYS.',
			);
		}
		next();
	};
}

function sha256(text: string): Buffer {
	return createHash('sha256').update(text).digest();
}

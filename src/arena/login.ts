import { createHash, timingSafeEqual } from 'node:crypto';
import type { RequestHandler } from 'express';
import type { Logger } from '../observe/log.ts';

export interface Credentials {
	readonly user: string;
	readonly password: string;
}

/** Asks for name and password with HTTP Basic (RFC 7617), which every browser and curl can answer. */
export function login(expected: Credentials, log: Logger): RequestHandler {
	return (request, response, next) => {
		const given = readBasic(request.headers.authorization);
		// Both are always compared, so that the time taken does not tell which one was wrong.
		const isUser = isEqual(given?.user ?? '', expected.user);
		const isPassword = isEqual(given?.password ?? '', expected.password);
		if (given && isUser && isPassword) return next();
		if (given) log.warn({ address: request.socket.remoteAddress }, 'a login to Arena was refused');
		response.setHeader('WWW-Authenticate', 'Basic realm="picpipe Arena", charset="UTF-8"');
		response.status(401).type('text/plain').send('A name and a password are needed.\n');
	};
}

function readBasic(header: string | undefined): Credentials | undefined {
	const encoded = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(header ?? '')?.[1];
	if (encoded === undefined) return undefined;
	const text = Buffer.from(encoded, 'base64').toString('utf8');
	const colon = text.indexOf(':');
	return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Digests are of one length, as `timingSafeEqual` needs, and hide that of the password. */
function isEqual(given: string, expected: string): boolean {
	const digest = (text: string) => createHash('sha256').update(text).digest();
	return timingSafeEqual(digest(given), digest(expected));
}

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import type { KeyRing } from '../access/key-ring.ts';
import { hasScope } from '../access/scope.ts';
import { requireThisMachine } from '../http/this-machine.ts';
import type { Logger } from '../observe/log.ts';

export interface Credentials {
	readonly user: string;
	readonly password: string;
}

export interface LoginOptions {
	readonly user: string;
	/** Arena's own. */
	readonly password?: string | undefined;
	/** One that may do everything is as good as Arena's own password. */
	readonly keys?: Pick<KeyRing, 'isNeeded' | 'find'> | undefined;
	readonly log: Logger;
}

/**
 * Asks for name and password with HTTP Basic (RFC 7617), which every browser and curl can answer. The password may be an API key with the scope
 * `admin`, and the name then anything. Where there is neither a password nor any key, only this machine is let in.
 */
export function login({ user, password, keys, log }: LoginOptions): RequestHandler {
	return async (request, response, next) => {
		const given = readBasic(request);
		if (password !== undefined && given) {
			// Both are always compared, so that the time taken does not tell which one was wrong.
			const isUser = isEqual(given.user, user);
			const isPassword = isEqual(given.password, password);
			if (isUser && isPassword) return next();
		}
		if (password === undefined && !(await keys?.isNeeded())) {
			requireThisMachine(request);
			return next();
		}
		const key = given?.password ?? readBearer(request);
		const caller = key === undefined ? undefined : await keys?.find(key);
		if (caller && hasScope(caller.scopes, 'admin')) return next();
		if (key !== undefined) log.warn({ address: request.socket.remoteAddress }, 'a login to Arena was refused');
		response.setHeader('WWW-Authenticate', 'Basic realm="picpipe Arena", charset="UTF-8"');
		const own = password === undefined ? '' : 'that of PICPIPE_ARENA_PASSWORD, or ';
		response
			.status(401)
			.type('text/plain')
			.send(`A name and a password are needed. The password is ${own}an API key with the scope "admin".\n`);
	};
}

function readBasic({ headers }: Request): Credentials | undefined {
	const encoded = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(headers.authorization ?? '')?.[1];
	if (encoded === undefined) return undefined;
	const text = Buffer.from(encoded, 'base64').toString('utf8');
	const colon = text.indexOf(':');
	return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function readBearer({ headers }: Request): string | undefined {
	return /^bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
}

/** Digests are of one length, as `timingSafeEqual` needs, and hide that of the password. */
function isEqual(given: string, expected: string): boolean {
	const digest = (text: string) => createHash('sha256').update(text).digest();
	return timingSafeEqual(digest(given), digest(expected));
}

import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Request, RequestHandler } from 'express';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';
import { hasScope } from '../access/key-rights.ts';
import type { KeyRing } from '../access/key-ring.ts';
import { requireThisMachine } from '../http/this-machine.ts';
import type { Logger } from '../observe/log.ts';

interface Credentials {
	readonly user: string;
	readonly password: string;
}

export interface LoginOptions {
	readonly user: string;
	/** Arena's own password. */
	readonly password?: string | undefined;
	/** A key with the scope `admin` is as good as Arena's own password. */
	readonly keys?: Pick<KeyRing, 'isNeeded' | 'find'> | undefined;
	readonly log: Logger;
}

/** Credentials to remember as good. */
const mostAccepted = 1_000;

/**
 * Requires HTTP Basic authentication (RFC 7617), which every browser and curl support. The password may be an API key with the scope
 * `admin`; the name is then ignored. Without a password and without keys, only this machine has access.
 *
 * Wrong guesses slow down an IP address: until the pause is over, even the right password is refused, so that guesses during it tell nothing.
 * Who logged in before with the same credentials is not held up.
 */
export function login({ user, password, keys, log }: LoginOptions): RequestHandler {
	const guesses = openGuesses();
	const accepted = new LRUCache<string, true>({ max: mostAccepted });
	const secret = randomBytes(32);
	const markOf = (header = '') => createHmac('sha256', secret).update(header).digest('base64');

	const isRight = async (request: Request): Promise<boolean> => {
		const given = readBasic(request);
		if (password !== undefined && given) {
			// Both are always compared, so that the time does not reveal which one was wrong.
			const isUser = isEqual(given.user, user);
			const isPassword = isEqual(given.password, password);
			if (isUser && isPassword) return true;
		}
		const key = given?.password ?? readBearer(request);
		const caller = key === undefined ? undefined : await keys?.find(key);
		return caller !== undefined && hasScope(caller.scopes, 'admin');
	};

	return async (request, response, next) => {
		if (password === undefined && !(await keys?.isNeeded())) {
			requireThisMachine(request);
			return next();
		}
		const { authorization } = request.headers;
		if (readBasic(request) || readBearer(request)) {
			const address = request.socket.remoteAddress ?? '';
			const mark = markOf(authorization);
			const isKnown = accepted.has(mark);
			// Counted before the answer is known: guesses may come at the same time.
			const pause = isKnown ? 0 : guesses.count(address);
			if (pause > 0) {
				log.debug({ address, pause }, 'Arena login refused after wrong guesses');
				const text = `Too many wrong passwords came from this IP address. Try again in ${pause} s.\n`;
				response.status(429).set('Retry-After', String(pause)).type('text/plain').send(text);
				return;
			}
			if (await isRight(request)) {
				accepted.set(mark, true);
				if (!isKnown) guesses.forgive(address);
				return next();
			}
			accepted.delete(mark);
			log.warn({ address }, 'Arena login refused');
		}
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

/** Digests have equal lengths, as `timingSafeEqual` requires, and hide the length of the password. */
function isEqual(given: string, expected: string): boolean {
	const digest = (text: string) => createHash('sha256').update(text).digest();
	return timingSafeEqual(digest(given), digest(expected));
}

/** Wrong guesses before the first pause. People mistype, and browsers send several requests at once. */
const freeGuesses = 10;
/** Pause after the guess that follows, milliseconds; it doubles with each further one. */
const pauses = { first: 1_000, longest: 15 * 60_000 };
/** Guesses are forgotten this long after the last one, milliseconds. */
const memory = 60 * 60_000;
/** IP addresses to remember. The least recently seen one is forgotten first. */
const mostAddresses = 10_000;
/** Leading bits of an IPv6 address that stand for one network: its owner can use any address in it. */
const networkBits = 64;

/** Counts wrong guesses of each IP address. */
interface Guesses {
	/** Counts a guess as wrong, unless the address has to pause. @returns seconds until the next guess is allowed; 0 if this one is */
	count(address: string): number;
	/** The guess was right: forgets those before it. */
	forgive(address: string): void;
}

/** @param now milliseconds of a clock that never goes back */
export function openGuesses(now = () => performance.now()): Guesses {
	const seen = new LRUCache<string, { wrong: number; until: number }>({ max: mostAddresses, ttl: memory });
	return {
		count(address) {
			const key = networkOf(address);
			const { wrong, until } = seen.get(key) ?? { wrong: 0, until: 0 };
			const left = until - now();
			if (left > 0) return Math.ceil(left / 1_000);
			const over = wrong + 1 - freeGuesses;
			const pause = over < 0 ? 0 : Math.min(pauses.first * 2 ** over, pauses.longest);
			seen.set(key, { wrong: wrong + 1, until: now() + pause });
			return 0;
		},
		forgive: (address) => void seen.delete(networkOf(address)),
	};
}

function networkOf(address: string): string {
	if (!ipaddr.isValid(address)) return address;
	const parsed = ipaddr.process(address);
	if (parsed.kind() === 'ipv4') return parsed.toString();
	return ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/${networkBits}`).toString();
}

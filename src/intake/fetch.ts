import { basename } from 'node:path/posix';
import { parse as parseDisposition } from 'content-disposition';
import type { Config } from '../config/index.ts';
import { shownUrl } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { get, type RemoteResponse } from '../http/client.ts';
import { checkUrl, type OutgoingRules, type Resolve } from '../http/guard.ts';
import { secondsOf } from '../http/retry-after.ts';
import { tooLarge } from './receive.ts';

export interface FetchLimits {
	readonly rules: OutgoingRules;
	readonly maxBytes: number;
	/** Most redirects followed. */
	readonly redirects: number;
	readonly connectSeconds: number;
	readonly idleSeconds: number;
	/** Longest time for one file. */
	readonly seconds: number;
}

/** What the settings say about fetching. */
export function fetchLimitsOf(config: Config): FetchLimits {
	return {
		rules: {
			schemes: config.fetchSchemes,
			hosts: config.fetchHosts,
			ports: config.fetchPorts,
			networks: config.fetchNetworks ?? [],
			settings: 'PICPIPE_FETCH',
		},
		maxBytes: config.maxBytes,
		redirects: config.fetchRedirects,
		connectSeconds: config.fetchConnectSeconds,
		idleSeconds: config.fetchIdleSeconds,
		seconds: config.fetchSeconds,
	};
}

export interface FetchOptions {
	/** Ends the fetch, also while the body is read. */
	readonly signal: AbortSignal;
	/** Told of each redirect, as a sentence. */
	onRedirect?(line: string): void;
	/** Hosts at which the file has to lie, as `PICPIPE_DELIVERY_HOSTS` has them, beside those of the limits. */
	readonly hosts?: '*' | readonly string[] | undefined;
	readonly resolve?: Resolve | undefined;
}

/** Checks an address by all rules that it has to keep. @throws PicpipeError what `checkUrl` throws */
export function checkFetched(address: string | URL, rules: OutgoingRules, hosts: FetchOptions['hosts'] = '*'): URL {
	return checkUrl(checkUrl(address, rules), { ...rules, hosts, settings: 'PICPIPE_DELIVERY' });
}

/** A file on another server whose body can be read now. */
export interface RemoteFile {
	readonly body: AsyncIterable<Buffer>;
	/** Bytes that the server has announced. */
	readonly bytes: number | undefined;
	/** What the server says that it is, which decides nothing. */
	readonly type: string | undefined;
	/** As the server names it, if it does. */
	readonly filename: string | undefined;
}

/** A server that chooses by these sends what it would send to a program, not to a page; and not compressed once more. */
const headers = { accept: 'image/*, */*;q=0.5', 'accept-encoding': 'identity', 'user-agent': 'picpipe' };

/**
 * Asks for a file and follows redirects, each of which is checked like the first address.
 *
 * @throws PicpipeError what `checkUrl` and `get` throw; `too-many-redirects`, `remote-missing`, `remote-refused`, `remote-unavailable`
 * (with `retryAfter` where the server asked for it), `file-too-large`
 */
export async function openRemoteFile(address: string, limits: FetchLimits, options: FetchOptions): Promise<RemoteFile> {
	let url = checkFetched(address, limits.rules, options.hosts);
	for (let redirects = 0; ; redirects++) {
		const answer = await get(url, { ...limits, headers, signal: options.signal, resolve: options.resolve });
		try {
			const next = redirectOf(answer, url);
			if (next === undefined) return fileOf(answer, url, limits);
			if (redirects === limits.redirects) {
				throw new PicpipeError(
					'too-many-redirects',
					`Expected at most ${limits.redirects} redirects (${limits.rules.settings}_REDIRECTS) but ${url.host} redirects again.`,
				);
			}
			options.onRedirect?.(`${answer.status} of ${url.host}: on to ${shownUrl(next.href)}`);
			url = checkFetched(next, limits.rules, options.hosts);
			answer.discard();
		} catch (error) {
			answer.discard();
			throw error;
		}
	}
}

/** Where an answer leads on to (RFC 9110, 15.4). */
function redirectOf({ status, headers: { location } }: RemoteResponse, url: URL): URL | undefined {
	if (![301, 302, 303, 307, 308].includes(status)) return undefined;
	const next = location === undefined ? null : URL.parse(location, url.href);
	if (next) return next;
	throw new PicpipeError('remote-refused', `Expected a URL behind the ${status} of ${url.host} but there is none.`);
}

function fileOf(answer: RemoteResponse, url: URL, { maxBytes }: FetchLimits): RemoteFile {
	const { status, headers: given, body } = answer;
	if (status !== 200 && status !== 203) throw refusal(answer, url);
	const encoding = given['content-encoding'] ?? 'identity';
	if (encoding.toLowerCase() !== 'identity') {
		throw new PicpipeError(
			'remote-refused',
			`Expected an unencoded file but ${url.host} sends it encoded (${encoding.slice(0, 50)}).`,
		);
	}
	const bytes = given['content-length'] === undefined ? undefined : Number(given['content-length']);
	if (bytes !== undefined && bytes > maxBytes) throw tooLarge(maxBytes);
	return { body, bytes, type: given['content-type'], filename: filenameOf(given['content-disposition']) };
}

/** Statuses that ask to try again (RFC 9110, 15.5.9; RFC 8470, 5.2; RFC 6585, 4), beside all of the server's own fault. */
const passing = [408, 425, 429];

function refusal({ status, headers: given }: RemoteResponse, url: URL): PicpipeError {
	const said = `Expected a picture at ${shownUrl(url.href)} but the server answered ${status}.`;
	if (status === 404 || status === 410) return new PicpipeError('remote-missing', said);
	if (status < 500 && !passing.includes(status)) return new PicpipeError('remote-refused', said);
	const retryAfter = secondsOf(given['retry-after']);
	return new PicpipeError('remote-unavailable', said, retryAfter === undefined ? {} : { retryAfter });
}

function filenameOf(disposition: string | undefined): string | undefined {
	try {
		return (disposition && parseDisposition(disposition).parameters.filename) || undefined;
	} catch {
		return undefined;
	}
}

/** The last part of an address, for display. */
export function filenameOfUrl({ pathname }: URL): string | undefined {
	const name = basename(pathname);
	try {
		return decodeURIComponent(name) || undefined;
	} catch {
		return name;
	}
}

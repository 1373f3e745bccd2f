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
	/** Most redirects to follow. */
	readonly redirects: number;
	readonly connectSeconds: number;
	readonly idleSeconds: number;
	/** Longest time for one file, seconds. */
	readonly seconds: number;
}

/** The limits for fetching, from the configuration. */
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
	/** Called for each redirect, with a sentence for the log. */
	onRedirect?(line: string): void;
	/** Hosts that the file may come from, in the format of `PICPIPE_DELIVERY_HOSTS`, in addition to the limits. */
	readonly hosts?: '*' | readonly string[] | undefined;
	readonly resolve?: Resolve | undefined;
}

/** Checks a URL against all rules. @throws PicpipeError as `checkUrl` */
export function checkFetched(address: string | URL, rules: OutgoingRules, hosts: FetchOptions['hosts'] = '*'): URL {
	return checkUrl(checkUrl(address, rules), { ...rules, hosts, settings: 'PICPIPE_DELIVERY' });
}

/** A file on another server, ready to be read. */
export interface RemoteFile {
	readonly body: AsyncIterable<Buffer>;
	/** Content-Length, if the server sent one. */
	readonly bytes: number | undefined;
	/** Content-Type as sent. Nothing depends on it. */
	readonly type: string | undefined;
	/** The file name from the server's headers, if any. */
	readonly filename: string | undefined;
}

/** With these headers, a server that negotiates sends the picture and not an HTML page, and does not compress it again. */
const headers = { accept: 'image/*, */*;q=0.5', 'accept-encoding': 'identity', 'user-agent': 'picpipe' };

/**
 * Requests a file and follows redirects. Each redirect is checked like the first URL.
 *
 * @throws PicpipeError as `checkUrl` and `get`; `too-many-redirects`, `remote-missing`, `remote-refused`, `remote-unavailable`
 * (with `retryAfter` if the server sent it), `file-too-large`
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

/** Target of a redirect (RFC 9110, 15.4). */
function redirectOf({ status, headers: { location } }: RemoteResponse, url: URL): URL | undefined {
	if (![301, 302, 303, 307, 308].includes(status)) return undefined;
	const next = location === undefined ? null : URL.parse(location, url.href);
	if (next) return next;
	throw new PicpipeError(
		'remote-refused',
		`Expected a Location header in the ${status} response of ${url.host} but received none that is a URL.`,
	);
}

function fileOf(answer: RemoteResponse, url: URL, { maxBytes }: FetchLimits): RemoteFile {
	const { status, headers: given, body } = answer;
	if (status !== 200 && status !== 203) throw refusal(answer, url);
	const encoding = given['content-encoding'] ?? 'identity';
	if (encoding.toLowerCase() !== 'identity') {
		throw new PicpipeError(
			'remote-refused',
			`Expected a file without content encoding but ${url.host} encoded it (${encoding.slice(0, 50)}).`,
		);
	}
	const bytes = given['content-length'] === undefined ? undefined : Number(given['content-length']);
	if (bytes !== undefined && bytes > maxBytes) throw tooLarge(maxBytes);
	return { body, bytes, type: given['content-type'], filename: filenameOf(given['content-disposition']) };
}

/** Client error statuses worth another attempt (RFC 9110, 15.5.9; RFC 8470, 5.2; RFC 6585, 4), besides all server errors. */
const passing = [408, 425, 429];

function refusal({ status, headers: given }: RemoteResponse, url: URL): PicpipeError {
	// Without the path, which may hold a file name: BullMQ keeps the message in its stream of events, where a deletion does not reach.
	const said = `Expected a picture from ${url.host} but the server responded with ${status}.`;
	if (status === 404 || status === 410) return new PicpipeError('remote-missing', said);
	if (status < 500 && !passing.includes(status)) return new PicpipeError('remote-refused', said);
	const retryAfter = secondsOf(given['retry-after']);
	return new PicpipeError('remote-unavailable', said, retryAfter === undefined ? {} : { retryAfter });
}

function filenameOf(disposition: string | undefined): string | undefined {
	try {
		return disposition === undefined
			? undefined
			: parseDisposition(asUtf8(disposition)).parameters.filename || undefined;
	} catch {
		return undefined;
	}
}

/** Node reads headers as Latin-1, and many servers send names in UTF-8 without encoding them, which browsers understand. */
function asUtf8(header: string): string {
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(header, 'latin1'));
	} catch {
		return header;
	}
}

/** The last path segment of a URL, for display. */
export function filenameOfUrl({ pathname }: URL): string | undefined {
	const name = basename(pathname);
	try {
		return decodeURIComponent(name) || undefined;
	} catch {
		return name;
	}
}

import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { PicpipeError } from '../errors.ts';
import { guardedAgent, type OutgoingRules, type Resolve } from './guard.ts';

/** Options of a request to another server. */
export interface RequestOptions {
	readonly rules: OutgoingRules;
	readonly headers: Readonly<Record<string, string>>;
	/** Longest time to connect, including DNS and the TLS handshake, seconds. */
	readonly connectSeconds: number;
	/** Longest wait for the next byte from the server, seconds. */
	readonly idleSeconds: number;
	/** Aborts the request, or the rest of its body, with the signal's reason. */
	readonly signal: AbortSignal;
	/** Resolves names; by default the system's resolver. */
	readonly resolve?: Resolve | undefined;
}

/** The response of another server. */
export interface RemoteResponse {
	readonly status: number;
	readonly headers: IncomingHttpHeaders;
	/** The body as it arrives. Throws PicpipeError `remote-unavailable`, `remote-timeout`, or the signal's reason. */
	readonly body: AsyncIterable<Buffer>;
	/** Closes the connection if the rest of the body is not needed. */
	discard(): void;
}

/** Sends a GET request. See `send`. */
export function get(url: URL, options: RequestOptions): Promise<RemoteResponse> {
	return send(url, 'GET', options);
}

/** Sends a POST request. See `send`. */
export function post(url: URL, body: Buffer, options: RequestOptions): Promise<RemoteResponse> {
	const headers = { ...options.headers, 'content-length': String(body.length) };
	return send(url, 'POST', { ...options, headers }, body);
}

/**
 * Sends one request to another server. Redirects are left to the caller, who checks each URL with `checkUrl`. No cookies, no keep-alive, no
 * proxies from the environment.
 *
 * @param url as `checkUrl` returned it
 * @throws PicpipeError as `guardedAgent`; `remote-unavailable`, `remote-timeout`, `remote-untrusted`; the signal's reason
 */
async function send(url: URL, method: 'GET' | 'POST', options: RequestOptions, body?: Buffer): Promise<RemoteResponse> {
	const { signal, connectSeconds, idleSeconds } = options;
	const control = new AbortController();
	const ended = AbortSignal.any([signal, control.signal]);
	const waitFor = (what: string, seconds: number) =>
		setTimeout(() => control.abort(tooLong(url, what, seconds)), seconds * 1_000);
	let timer = waitFor('a connection', connectSeconds);
	try {
		ended.throwIfAborted();
		const agent = await orAborted(guardedAgent(url, options.rules, options.resolve), ended);
		const start = url.protocol === 'https:' ? httpsRequest : httpRequest;
		const request = start(url, { method, agent, headers: options.headers, signal: ended });
		// It may fail again after it was abandoned and has no other listener.
		request.on('error', () => {});
		request.once('socket', (socket) => {
			socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => {
				clearTimeout(timer);
				timer = waitFor('a response', idleSeconds);
			});
		});
		request.end(body);
		const [response] = (await once(request, 'response')) as [IncomingMessage];
		return {
			status: response.statusCode ?? 0,
			headers: response.headers,
			body: bodyOf(url, response, options),
			discard: () => void response.destroy(),
		};
	} catch (error) {
		throw ended.aborted ? ended.reason : remoteError(url, error);
	} finally {
		clearTimeout(timer);
	}
}

async function* bodyOf(
	url: URL,
	response: IncomingMessage,
	{ signal, idleSeconds }: RequestOptions,
): AsyncIterable<Buffer> {
	const chunks = response[Symbol.asyncIterator]();
	// The reader gets its errors. Without a reader, they must not end the process.
	response.on('error', () => {});
	try {
		for (;;) {
			// Only the wait for the server counts: the reader may be slow.
			const timer = setTimeout(() => response.destroy(tooLong(url, 'more bytes', idleSeconds)), idleSeconds * 1_000);
			const { value, done } = await chunks.next().finally(() => clearTimeout(timer));
			if (done) return;
			yield value;
		}
	} catch (error) {
		throw signal.aborted ? signal.reason : remoteError(url, error);
	} finally {
		response.destroy();
	}
}

function tooLong(url: URL, what: string, seconds: number): PicpipeError {
	return new PicpipeError('remote-timeout', `Expected ${what} from ${url.host} within ${seconds} s but received none.`);
}

/** @throws the signal's reason if it aborts first; the work may continue, and its result is ignored */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
	return new Promise((resolve, reject) => {
		const abort = () => reject(signal.reason);
		signal.addEventListener('abort', abort, { once: true });
		work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
	});
}

/** Codes of Node and OpenSSL for untrusted certificates (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
const certificateCodes =
	/^(CERT_|ERR_TLS_CERT|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH|PATH_LENGTH_EXCEEDED)/;

function remoteError(url: URL, error: unknown): PicpipeError {
	if (error instanceof PicpipeError) return error;
	const { code = 'unknown' } = error as NodeJS.ErrnoException;
	if (certificateCodes.test(code)) {
		return new PicpipeError(
			'remote-untrusted',
			`Expected a valid certificate from ${url.host} but it is invalid (${code}).`,
			{
				cause: error,
			},
		);
	}
	return new PicpipeError(
		'remote-unavailable',
		`Expected a response from ${url.host} but the connection failed (${code}).`,
		{
			cause: error,
		},
	);
}

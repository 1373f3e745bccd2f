import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../config/index.ts';
import { PicpipeError } from '../errors.ts';
import { hostName, isLoopbackName, quote } from './same-site.ts';

/** Headers that proxies add. With any of them, the request came through a proxy and may come from anywhere. */
const proxyHeaders = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'];

/**
 * Passes only requests from this machine, for a server without other protection. Headers cannot fake this: the IP address is that of the
 * connection.
 *
 * - A web site whose name resolves to 127.0.0.1 ("DNS rebinding") has the same origin for the browser; only `Host` reveals it.
 * - A proxy on this machine connects from loopback for everyone; the headers that proxies add reveal it.
 *
 * @throws PicpipeError `cross-site` for a name that is not loopback's, `unauthorized` for any other IP address or a proxy
 */
export function requireThisMachine(request: IncomingMessage): void {
	const { host } = request.headers;
	// Every browser sends `Host`; only HTTP/1.0 programs omit it.
	if (host !== undefined && !isLoopbackName(hostName(host))) {
		throw new PicpipeError('cross-site', `Expected a request to a local name but received one to ${quote(host)}.`);
	}
	const hint = 'Without an API key, only this machine has access; `picpipe keys add` creates a key.';
	const proxy = proxyHeaders.find((name) => request.headers[name] !== undefined);
	if (proxy !== undefined) {
		throw new PicpipeError(
			'unauthorized',
			`Expected a request from this machine but received one through a proxy (${proxy}). ${hint}`,
		);
	}
	// An IPv4 address on a dual-stack socket (RFC 4291, 2.5.5.2).
	const address = request.socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
	if (!isLoopback(address)) {
		throw new PicpipeError(
			'unauthorized',
			`Expected a request from this machine but received one from ${quote(address)}. ${hint}`,
		);
	}
}

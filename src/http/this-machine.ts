import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../config/index.ts';
import { PicpipeError } from '../errors.ts';
import { hostName, isLoopbackName, quote } from './same-site.ts';

/** Headers that proxies and content delivery networks add: with one of them the request began on the other side, which may be anywhere. */
const proxyHeader =
	/^(?:forwarded|via|x-(?:original-)?forwarded(?:-.*)?|x-real-ip|x-(?:cluster-)?client-ip|(?:true|fastly|fly)-client-ip|cf-connecting-ip(?:v6)?)$/;

/**
 * Passes only requests from this machine, for a server without other protection. Headers cannot fake this: the IP address is that of the
 * connection.
 *
 * - A web site whose name resolves to 127.0.0.1 ("DNS rebinding") has the same origin to the browser; only `Host` tells it apart.
 * - A proxy on this machine connects from loopback for everybody. The headers that proxies add reveal it, or HTTP/1.0, which nginx speaks unless
 *   it is configured otherwise. A proxy that adds no header and speaks HTTP/1.1 looks like a program on this machine (docs/nginx.md).
 *
 * @throws PicpipeError `cross-site` for a name that is not loopback's, `unauthorized` for any other IP address or a proxy
 */
export function requireThisMachine(request: IncomingMessage): void {
	const { host } = request.headers;
	// Every browser sends `Host`; only HTTP/1.0 programs omit it.
	if (host !== undefined && !isLoopbackName(hostName(host))) {
		throw new PicpipeError(
			'cross-site',
			`Expected a request to a local name but received one to ${quote(host)}. Without an API key, only this machine has access; \`picpipe keys add\` creates a key, and PICPIPE_CORS_ORIGINS allows web sites.`,
		);
	}
	const hint = 'Without an API key, only this machine has access; `picpipe keys add` creates a key.';
	const proxy = Object.keys(request.headers).find((name) => proxyHeader.test(name));
	if (proxy !== undefined) {
		throw new PicpipeError(
			'unauthorized',
			`Expected a request from this machine but received one through a proxy (${proxy}). ${hint}`,
		);
	}
	if (request.httpVersion === '1.0') {
		throw new PicpipeError(
			'unauthorized',
			`Expected a request of HTTP/1.1 but received one of HTTP/1.0, which proxies speak. ${hint}`,
		);
	}
	// An IPv4 address on a socket of both families (RFC 4291, 2.5.5.2).
	const address = request.socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '') ?? '';
	if (!isLoopback(address)) {
		throw new PicpipeError(
			'unauthorized',
			`Expected a request from this machine but received one from ${quote(address)}. ${hint}`,
		);
	}
}

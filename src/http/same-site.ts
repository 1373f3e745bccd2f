import type { RequestHandler, Response } from 'express';
import { isLoopback } from '../config/index.ts';
import { PicpipeError } from '../errors.ts';

/** Methods that change nothing (RFC 9110, 9.2.1). */
const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A `Host` field: a name or IP address, IPv6 in brackets, and an optional port (RFC 9110, 7.2). */
const hostField = /^(?<name>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i;

export interface SameSiteOptions {
	/**
	 * Decides which host names are allowed, without port and in lower case. All are allowed by default. Needed where only the loopback
	 * address protects the server: a web site whose name resolves to 127.0.0.1 ("DNS rebinding") has the same origin for the browser, and
	 * only the `Host` field reveals it.
	 */
	readonly allowedHosts?: ((name: string) => boolean) | undefined;
	/** A sentence with the setting that allows other sites. */
	readonly hint?: string;
	/** Decides whether a request may come from another site. None may by default. */
	readonly mayBeForeign?: ((response: Response) => boolean) | undefined;
}

/**
 * Refuses requests that a browser sends on behalf of another web site. People who are logged in here, or who run picpipe on their own
 * machine, also visit other sites, and a form or script there can send requests with their browser. Programs other than browsers, such as
 * curl, send neither `Sec-Fetch-Site` nor `Origin` and pass.
 *
 * Passes `PicpipeError('cross-site')` to the app's error handler.
 *
 * @example
 * app.use(sameSiteOnly({ allowedHosts: isLoopbackName }));
 */
export function sameSiteOnly(options: SameSiteOptions = {}): RequestHandler {
	return (request, response, next) => {
		const { host, origin, 'sec-fetch-site': site } = request.headers;
		// Every browser sends `Host`; only HTTP/1.0 programs omit it.
		if (options.allowedHosts && host !== undefined && !options.allowedHosts(hostName(host))) {
			next(new PicpipeError('cross-site', `Expected a request to a local name but received one to ${quote(host)}.`));
		} else if (
			!safeMethods.has(request.method) &&
			!isFromHere(host, origin, site) &&
			!options.mayBeForeign?.(response)
		) {
			const from = origin === undefined ? '' : ` but received one from ${quote(origin)}`;
			const hint = options.hint === undefined ? '' : ` ${options.hint}`;
			next(new PicpipeError('cross-site', `Expected a ${request.method} request from this site${from}.${hint}`));
		} else {
			next();
		}
	};
}

/** `localhost`, a name under it (RFC 6761, 6.3) or a loopback address. */
export function isLoopbackName(name: string): boolean {
	return name.endsWith('.localhost') || isLoopback(name.replace(/^\[(.*)\]$/, '$1'));
}

function isFromHere(
	host: string | undefined,
	origin: string | undefined,
	site: string | string[] | undefined,
): boolean {
	// https://www.w3.org/TR/fetch-metadata: scripts cannot set it, and it is right even behind a proxy that rewrites `Host`.
	// Browsers omit it for plain HTTP to other machines; `Origin` has to suffice there.
	if (site !== undefined) return site === 'same-origin' || site === 'none';
	if (origin === undefined) return true;
	return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}

/** A `Host` field without port and trailing dot, in lower case. Empty, and so never allowed, if it is not a host. */
export function hostName(field: string): string {
	return hostField.exec(field)?.groups?.name?.toLowerCase().replace(/\.$/, '') ?? '';
}

/** Untrusted text for a message: short and without control characters. */
export function quote(text: string): string {
	return JSON.stringify(text.slice(0, 200));
}

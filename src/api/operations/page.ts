import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import type { RequestHandler, Response } from 'express';
import { PicpipeError } from '../../errors.ts';
import { packageFolder } from '../../programs.ts';
import type { ApiContext } from '../context.ts';

/** The dashboard: a few static files in the package's folder. */
const folder = join(packageFolder, 'web');

/** The dashboard loads nothing from other servers, runs nothing inline, and never creates markup from text. */
const contentSecurityPolicy = [
	"default-src 'none'",
	"script-src 'self'",
	"style-src 'self'",
	// blob: pictures fetched with a key; data: placeholders.
	"img-src 'self' blob: data:",
	"connect-src 'self'",
	"form-action 'none'",
	"frame-ancestors 'none'",
	"base-uri 'none'",
	"require-trusted-types-for 'script'",
	"trusted-types 'none'",
].join('; ');

/** `GET /` */
export function dashboard(): RequestHandler {
	return (_request, response) => send(response, join(folder, 'index.html'));
}

/** `GET /assets/{file}`: only files that exist when the API starts, so a name cannot lead anywhere else. */
export function dashboardAsset(): RequestHandler {
	const assets = join(folder, 'assets');
	const paths = new Map(readdirSync(assets).map((name) => [name, join(assets, name)]));
	// Draws the placeholders; the package ships it for browsers.
	paths.set('thumbhash.js', createRequire(import.meta.url).resolve('thumbhash'));
	return (request, response) => {
		const path = paths.get(String(request.params.file));
		if (path === undefined) throw new PicpipeError('not-found', `There is nothing at GET ${request.path}.`);
		send(response, path);
	};
}

/** `GET /dashboard.json`: what the page needs before its first API call. */
export function dashboardSettings({ config, keys }: ApiContext): RequestHandler {
	return async (_request, response) => {
		// If this is unknown, every call is refused anyway.
		const needsKey = await keys.isNeeded().catch(() => true);
		response.set('Cache-Control', 'no-store').json({ needsKey, maxBytes: config.maxBytes });
	};
}

function send(response: Response, path: string): void {
	// The names contain no version, so browsers revalidate each time; the ETag makes that cheap.
	response.set({ 'Content-Security-Policy': contentSecurityPolicy, 'Cache-Control': 'no-cache' });
	// Ranges of HEAD requests would be answered, and nobody needs parts of small files.
	response.sendFile(basename(path), { root: dirname(path), cacheControl: false, acceptRanges: false });
}

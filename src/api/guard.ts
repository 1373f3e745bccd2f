import type { Request, RequestHandler } from 'express';
import { type Caller, localCaller, requireScope, tokenCaller } from '../access/caller.ts';
import type { Scope } from '../access/key-rights.ts';
import type { KeyRing } from '../access/key-ring.ts';
import type { Limiter, PolicyState } from '../access/limiter.ts';
import { deedOfScope, scopeForOwn } from '../access/ownership.ts';
import { isUploadToken, readUploadToken } from '../access/upload-token.ts';
import { PicpipeError } from '../errors.ts';
import { requireThisMachine } from '../http/this-machine.ts';
import { type ApiContext, callerOf } from './context.ts';
import { readJson } from './middleware/json.ts';
import { openPlaces } from './middleware/places.ts';

/** Requirements of a route. */
export interface Needs {
	readonly method: string;
	/** The scope that the caller's key needs; `open` needs no key. */
	readonly scope: Scope | 'open';
	/** The route shows or changes something that has an owner: callers with `upload` may use it for what is theirs, see `access/ownership.ts`. */
	readonly owned?: boolean | undefined;
	/** Accepts pictures: upload tokens are valid, and requests are refused while the queue or the disk is full. */
	readonly intake?: boolean | undefined;
	/** Resumes an upload: upload tokens are valid, even expired ones. */
	readonly resumable?: boolean | undefined;
}

/**
 * Creates the middleware before a route's handler, in this order: authentication, scope, limits of the key, load, a place in memory. No byte of the body is
 * read before all of them have passed.
 */
export function openGuard(context: ApiContext): (needs: Needs) => RequestHandler[] {
	const authenticate = authentication(context.keys);
	const roomLeft: RequestHandler = async (_request, _response, next) => {
		await context.pressure.check();
		next();
	};
	const takePlace = openPlaces(context.config);
	const json = readJson();
	return ({ method, scope, owned = false, intake = false, resumable = false }) => {
		// Of the open routes, only those with POST have a body.
		if (scope === 'open') return method === 'GET' ? [] : [takePlace(false), acceptBody, json];
		const tokens = resumable ? 'resume' : intake ? 'begin' : 'none';
		const access = [authenticate({ scope, owned, tokens }), limitOf(context.limiter, intake)];
		return [...access, ...(intake ? [roomLeft] : []), takePlace(intake), acceptBody, json];
	};
}

/** The body is read from here on. A client that sent `Expect: 100-continue` gets the go-ahead. */
const acceptBody: RequestHandler = (request, response, next) => {
	// The request was not read until now, so a lost connection has not been noticed yet.
	if (request.destroyed && !request.readableEnded) throw new PicpipeError('upload-aborted');
	if (/^100-continue$/i.test(request.get('expect') ?? '')) response.writeContinue();
	next();
};

/** Which upload tokens a route accepts: none, those to begin an upload, or those to resume one, including expired ones. */
type TokenUse = 'none' | 'begin' | 'resume';

interface Required {
	readonly scope: Scope;
	readonly owned: boolean;
	readonly tokens: TokenUse;
}

/**
 * Creates the middleware that identifies the caller and checks the scope: by a key or an upload token as the bearer token (RFC 6750), or as
 * this machine while no key exists. It sets `response.locals.caller`, and `deed` for the checks of `resolve.ts`.
 */
function authentication(keys: KeyRing): (required: Required) => RequestHandler {
	const local = localCaller();
	const callerOf = async (id: string) =>
		(await keys.isNeeded()) ? keys.byId(id) : id === local.id ? local : undefined;

	return ({ scope, owned, tokens }) =>
		async (request, response, next) => {
			const text = bearerOf(request) ?? (tokens === 'none' ? undefined : tokenOf(request));
			let caller: Caller | undefined;
			if (text !== undefined && isUploadToken(text)) {
				if (tokens === 'none')
					throw new PicpipeError(
						'insufficient-scope',
						'Expected an API key but received an upload token, which is valid for uploads only.',
						{ scope },
					);
				const { grant, caller: signer } = await readUploadToken(text, callerOf, tokens === 'resume');
				caller = tokenCaller(signer, grant);
			} else if (await keys.isNeeded()) {
				caller = text === undefined ? undefined : await keys.find(text);
			} else {
				requireThisMachine(request);
				caller = local;
			}
			if (!caller) {
				throw new PicpipeError(
					'unauthorized',
					'Expected the header "Authorization: Bearer <key>" with a key of `picpipe keys add` or of PICPIPE_API_KEYS.',
				);
			}
			response.locals.caller = caller;
			response.locals.deed = deedOfScope(scope);
			requireScope(caller, scope, owned ? [scopeForOwn] : []);
			next();
		};
}

function bearerOf(request: Request): string | undefined {
	return /^Bearer +(\S+) *$/i.exec(request.get('authorization') ?? '')?.[1];
}

/** An upload token in the query, for forms that cannot set a header. A key in the query is never accepted: URLs end up in logs. */
function tokenOf(request: Request): string | undefined {
	const { token } = request.query;
	return typeof token === 'string' && isUploadToken(token) ? token : undefined;
}

/** Enforces the limits of the caller's key, and reports the remaining amounts: draft-ietf-httpapi-ratelimit-headers-11. */
function limitOf(limiter: Limiter, uploads: boolean): RequestHandler {
	return async (_request, response, next) => {
		const { policies, refusal, leave } = await limiter.enter(callerOf(response), uploads);
		response.once('close', leave);
		// The client may have left in the meantime, and then no event follows.
		if (response.closed) leave();
		if (policies.length > 0) response.set(rateLimitHeaders(policies));
		if (refusal) throw refusal;
		next();
	};
}

/** Both fields are lists of structured fields (RFC 9651): strings with parameters. */
function rateLimitHeaders(policies: readonly PolicyState[]): Record<string, string> {
	const policy = policies.map(({ name, quota, unit, window }) => item(name, { q: quota, w: window, qu: unit }));
	const states = policies
		.filter(({ remaining }) => remaining !== undefined)
		.map(({ name, remaining, resetsIn }) => item(name, { r: remaining, t: resetsIn }));
	return { 'RateLimit-Policy': policy.join(', '), ...(states.length > 0 && { RateLimit: states.join(', ') }) };
}

function item(name: string, parameters: Readonly<Record<string, number | string | undefined>>): string {
	const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
	return [
		`"${name}"`,
		...given.map(([key, value]) => `${key}=${typeof value === 'string' ? `"${value}"` : value}`),
	].join(';');
}

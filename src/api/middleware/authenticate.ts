import type { Request, RequestHandler } from 'express';
import { type Caller, localCaller, requireScope } from '../../access/caller.ts';
import type { KeyRing } from '../../access/key-ring.ts';
import type { Scope } from '../../access/scope.ts';
import { isUploadToken, readUploadToken } from '../../access/upload-token.ts';
import { PicpipeError } from '../../errors.ts';
import { requireThisMachine } from '../../http/this-machine.ts';

/** What upload tokens are good for on a route: nothing, to begin an upload, or to go on with one, even when they have ended meanwhile. */
export type TokenUse = 'none' | 'begin' | 'go-on';

/**
 * Makes the middleware that finds out who is calling, and lets them on when they may: with a key or an upload token as the bearer token
 * (RFC 6750), or as this machine as long as there is no key. Afterwards `response.locals.caller` is there.
 */
export function authentication(keys: KeyRing): (scope: Scope, tokens: TokenUse) => RequestHandler {
	const local = localCaller();
	const callerOf = async (id: string) =>
		(await keys.isNeeded()) ? keys.byId(id) : id === local.id ? local : undefined;

	return (scope, tokens) => async (request, response, next) => {
		const text = bearerOf(request) ?? (tokens === 'none' ? undefined : tokenOf(request));
		let caller: Caller | undefined;
		if (text !== undefined && isUploadToken(text)) {
			if (tokens === 'none')
				throw new PicpipeError(
					'insufficient-scope',
					'Expected a key but received an upload token, which is good for uploads only.',
					{ scope },
				);
			const { grant, caller: signer } = await readUploadToken(text, callerOf, tokens === 'go-on');
			caller = { ...signer, grant };
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
		requireScope(caller, scope);
		next();
	};
}

function bearerOf(request: Request): string | undefined {
	return /^Bearer +(\S+) *$/i.exec(request.get('authorization') ?? '')?.[1];
}

/** An upload token in the address, for forms that can't set a header. A key is never taken from there: addresses end up in logs. */
function tokenOf(request: Request): string | undefined {
	const { token } = request.query;
	return typeof token === 'string' && isUploadToken(token) ? token : undefined;
}

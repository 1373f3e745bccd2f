import express, { type RequestHandler } from 'express';
import type { Scope } from '../access/scope.ts';
import { PicpipeError } from '../errors.ts';
import type { ApiContext } from './context.ts';
import { authentication } from './middleware/authenticate.ts';
import { limit } from './middleware/limit.ts';

/** Largest JSON body, bytes: room for a hundred signed addresses. Only uploads are larger, and they are no JSON. */
const maximumJson = 512 * 1024;

/** What a route asks of whoever calls it. */
export interface Needs {
	readonly method: string;
	/** What the caller's key has to allow; `open` needs no key. */
	readonly scope: Scope | 'open';
	/** Brings pictures in: upload tokens are taken too, and nothing while the queue or the disk is full. */
	readonly intake?: boolean | undefined;
	/** Goes on with an upload: upload tokens are taken too, even when they have ended meanwhile. */
	readonly goesOn?: boolean | undefined;
}

/**
 * Makes what stands before a route's handler, in this order: who is it, may they, is it not too much, is there room. Not a byte of the body is read
 * before all of that is answered.
 */
export function openGuard(context: ApiContext): (needs: Needs) => RequestHandler[] {
	const authenticate = authentication(context.keys);
	const roomLeft: RequestHandler = async (_request, _response, next) => {
		await context.pressure.check();
		next();
	};
	const json = express.json({ limit: maximumJson });
	return ({ method, scope, intake = false, goesOn = false }) => {
		// Nothing that anybody may ask for takes a body, but for what is posted.
		if (scope === 'open') return method === 'GET' ? [] : [takeBody, json];
		const tokens = goesOn ? 'go-on' : intake ? 'begin' : 'none';
		const access = [authenticate(scope, tokens), limit(context.limiter, intake)];
		return [...access, ...(intake ? [roomLeft] : []), takeBody, json];
	};
}

/** From here on the body is wanted: a client that has asked first (`Expect: 100-continue`) is told to send it. */
const takeBody: RequestHandler = (request, response, next) => {
	// It was not read while others were asked, and so nobody has seen the client leave.
	if (request.destroyed && !request.readableEnded) throw new PicpipeError('upload-aborted');
	if (/^100-continue$/i.test(request.get('expect') ?? '')) response.writeContinue();
	next();
};

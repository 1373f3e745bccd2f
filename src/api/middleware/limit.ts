import type { RequestHandler } from 'express';
import type { Limiter, PolicyState } from '../../access/limiter.ts';
import { callerOf } from '../context.ts';

/** Holds the caller to the limits of its key, and tells how much is left: draft-ietf-httpapi-ratelimit-headers-11. */
export function limit(limiter: Limiter, uploads: boolean): RequestHandler {
	return async (_request, response, next) => {
		const { policies, refusal, leave } = await limiter.enter(callerOf(response), uploads);
		response.once('close', leave);
		// The client may have left in the meantime, and then nothing is told any more.
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

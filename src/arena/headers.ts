import { randomBytes } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import helmet from 'helmet';

/**
 * As strict as Arena's pages allow: they use style attributes, and the JSON editor has a style sheet and images of its own and validates
 * its content in a worker from a blob.
 */
export const arenaHeaders: RequestHandler = helmet({
	contentSecurityPolicy: {
		useDefaults: false,
		directives: {
			defaultSrc: ["'none'"],
			scriptSrc: ["'self'", (_request, response) => `'nonce-${nonceOf(response as Response)}'`],
			styleSrc: ["'self'", "'unsafe-inline'"],
			imgSrc: ["'self'", 'data:'],
			// Bootstrap declares an icon font that Arena neither ships nor uses. Browsers report the violation, which is harmless.
			fontSrc: ["'self'"],
			connectSrc: ["'self'"],
			workerSrc: ['blob:'],
			baseUri: ["'none'"],
			formAction: ["'none'"],
			frameAncestors: ["'none'"],
		},
	},
	xFrameOptions: { action: 'deny' },
	// Whether the whole host uses TLS is the operator's decision.
	strictTransportSecurity: false,
});

/** The nonce of a response. Only scripts with this nonce may run. */
export function nonceOf(response: Response): string {
	response.locals.nonce ??= randomBytes(16).toString('base64');
	return response.locals.nonce as string;
}

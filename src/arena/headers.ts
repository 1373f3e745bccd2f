import { randomBytes } from 'node:crypto';
import type { RequestHandler, Response } from 'express';
import helmet from 'helmet';

/**
 * As tight as Arena's pages allow: they have styles in attributes, the JSON editor brings a style sheet and pictures of its own,
 * and checks what is typed in a worker made from a blob.
 */
export const arenaHeaders: RequestHandler = helmet({
	contentSecurityPolicy: {
		useDefaults: false,
		directives: {
			defaultSrc: ["'none'"],
			scriptSrc: ["'self'", (_request, response) => `'nonce-${nonceOf(response as Response)}'`],
			styleSrc: ["'self'", "'unsafe-inline'"],
			imgSrc: ["'self'", 'data:'],
			// Bootstrap names an icon font that Arena neither ships nor uses; browsers complain of the rule even so.
			fontSrc: ["'self'"],
			connectSrc: ["'self'"],
			workerSrc: ['blob:'],
			baseUri: ["'none'"],
			formAction: ["'none'"],
			frameAncestors: ["'none'"],
		},
	},
	xFrameOptions: { action: 'deny' },
	// Whether there is TLS for the whole host is not ours to say.
	strictTransportSecurity: false,
});

/** The nonce of a response: scripts that have it may run. */
export function nonceOf(response: Response): string {
	response.locals.nonce ??= randomBytes(16).toString('base64');
	return response.locals.nonce as string;
}

import type { RequestHandler } from 'express';
import * as z from 'zod';
import { maximumUrlLifetime } from '../../config/delivery.ts';
import { settings } from '../../config/index.ts';
import { signedPath } from '../../delivery/sign.ts';
import { below, maximumUrlLength } from '../../delivery/sign-path.ts';
import { PicpipeError } from '../../errors.ts';
import type { ApiContext } from '../context.ts';
import { parse } from '../contract.ts';

export const signBodySchema = z
	.strictObject({
		options: z
			.string()
			.max(maximumUrlLength, `expected at most ${maximumUrlLength} characters`)
			.describe('Options of imgproxy, such as `rs:fit:300:200/q:80`.'),
		id: z.string().optional().describe('Id of the picture.'),
		url: z.string().optional().describe('URL of a remote picture, instead of `id`.'),
		format: z.string().optional().describe('Format of the image, such as `webp`; decided by `options` when absent.'),
		expires: z.int().min(1).max(maximumUrlLifetime).optional().describe('Seconds after which the URL expires.'),
	})
	.refine(({ id, url }) => (id === undefined) !== (url === undefined), {
		path: ['id'],
		message: 'expected either id or url, and not both',
	});

/** `POST /v1/sign` */
export function sign(context: ApiContext): RequestHandler {
	const { deliveryKeys, presetsOnly, publicUrl, imgproxyPrefix: prefix } = context.config;
	return (request, response) => {
		const { options, id, url = '', format, expires } = parse(signBodySchema, request.body ?? {});
		const [pair] = deliveryKeys ?? [];
		if (!pair) {
			throw new PicpipeError(
				'delivery-keys-missing',
				`Expected a key and a salt in ${settings.deliveryKeys.variable} for signing but received none; \`openssl rand -hex 32\` makes a key or a salt.`,
			);
		}
		const expiresAt = expires === undefined ? undefined : Math.floor(Date.now() / 1_000) + expires;
		const source = id === undefined ? { url } : { id };
		const presets = context.recipeBook.presets.imgproxy;
		const path = signedPath({ options, source, extension: format, expiresAt, prefix }, pair, { presets, presetsOnly });
		const base = publicUrl ?? `${request.protocol}://${request.get('host') ?? request.hostname}`;
		response.set('Cache-Control', 'no-store').json({ path, url: below(base, path) });
	};
}

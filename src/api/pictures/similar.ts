import type { RequestHandler } from 'express';
import { PicpipeError } from '../../errors.ts';
import type { ApiContext } from '../context.ts';
import { parse, similarQuerySchema } from '../contract.ts';
import { viewOf, withPicture } from '../resolve.ts';

/** `GET /v1/pictures/{id}/similar` */
export function getSimilar(context: ApiContext): RequestHandler {
	return withPicture(context, async (picture, request, response) => {
		const query = parse(similarQuerySchema, request.query);
		const { phash } = picture.analysis;
		if (phash === undefined) {
			throw new PicpipeError(
				'not-hashed',
				'Expected a picture with a perceptual hash: process it with a recipe that has `analyse: [phash]`.',
			);
		}
		const view = viewOf(context, request);
		const { pictures, isComplete } = await context.catalog.similar({ ...query, phash, except: picture.id });
		response.json({
			pictures: pictures.map(({ picture, distance }) => ({ distance, picture: view(picture) })),
			complete: isComplete,
		});
	});
}

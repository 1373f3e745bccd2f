import type { RequestHandler } from 'express';
import { signUploadToken } from '../../access/upload-token.ts';
import { urgentPriority } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { defaultTokenSeconds, parse, uploadTokenBodySchema } from '../contract.ts';
import { requireJoinableBatch } from '../resolve.ts';
import { chooseRecipe } from '../upload/choose-recipe.ts';

/** `POST /v1/upload-tokens` */
export function createUploadToken(context: ApiContext): RequestHandler {
	const { maxBytes, maxFiles, uploadTokenSeconds } = context.config;
	return async (request, response) => {
		const caller = callerOf(response);
		const wishes = parse(uploadTokenBodySchema, request.body ?? {});
		const { name: recipe } = await chooseRecipe(context, caller, wishes.recipe);
		const { batch } = wishes;
		if (batch !== undefined) await requireJoinableBatch(context, caller, batch);
		const lifetime =
			atMost('expiresIn', wishes.expiresIn, uploadTokenSeconds) ?? Math.min(defaultTokenSeconds, uploadTokenSeconds);
		const grant = {
			recipe,
			tags: wishes.tags,
			...(wishes.meta && { meta: wishes.meta }),
			priority: wishes.priority,
			...(batch !== undefined && { batch }),
			maxBytes: atMost('maxBytes', wishes.maxBytes, maxBytes) ?? maxBytes,
			maxPictures: wishes.maxPictures ?? maxFiles,
		};
		const expires = Math.floor(Date.now() / 1_000) + lifetime;
		const token = signUploadToken({ ...grant, caller: caller.id, expires }, caller.signingSecret);
		response
			.status(201)
			.set('Cache-Control', 'no-store')
			.json({
				token,
				expiresAt: new Date(expires * 1_000).toISOString(),
				...grant,
				...(grant.priority === urgentPriority && { priority: 'urgent' }),
			});
	};
}

function atMost(name: string, wanted: number | undefined, most: number): number | undefined {
	if (wanted !== undefined && wanted > most) {
		throw new PicpipeError('invalid-field', `${name}: expected at most ${most}, received ${wanted}.`);
	}
	return wanted;
}

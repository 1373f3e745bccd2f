import type { RequestHandler } from 'express';
import { requireRecipe } from '../../access/caller.ts';
import { signUploadToken } from '../../access/upload-token.ts';
import { requireOpenBatch } from '../../catalog/batch.ts';
import { PicpipeError } from '../../errors.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { defaultTokenSeconds, parse, uploadTokenBodySchema } from '../contract.ts';
import { chooseRecipe } from '../upload/choose-recipe.ts';

/** `POST /v1/upload-tokens` */
export function createUploadToken(context: ApiContext): RequestHandler {
	const { maxBytes, maxFiles, uploadTokenSeconds } = context.config;
	return async (request, response) => {
		const caller = callerOf(response);
		const wishes = parse(uploadTokenBodySchema, request.body ?? {});
		const recipe = chooseRecipe(context, wishes.recipe).name;
		requireRecipe(caller, recipe);
		const { batch } = wishes;
		if (batch !== undefined) await requireOpenBatch(context.storage, batch);
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
			.json({ token, expiresAt: new Date(expires * 1_000).toISOString(), ...grant });
	};
}

function atMost(name: string, wanted: number | undefined, most: number): number | undefined {
	if (wanted !== undefined && wanted > most) {
		throw new PicpipeError('invalid-field', `${name}: expected at most ${most}, received ${wanted}.`);
	}
	return wanted;
}

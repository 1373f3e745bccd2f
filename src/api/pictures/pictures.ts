import type { Request, RequestHandler, Response } from 'express';
import { requireRecipe } from '../../access/caller.ts';
import { confinedTo } from '../../access/ownership.ts';
import { findOrMake } from '../../delivery/find-or-make.ts';
import { acceptedBy } from '../../delivery/negotiate.ts';
import { type Outgoing, serveObject, serveResult } from '../../delivery/send-object.ts';
import { isFailing, isFinished, isReceived, type Picture } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { type Again, admitAgain } from '../../intake/admit.ts';
import { isUpToDate } from '../../intake/missing-variants.ts';
import { deleteEverything } from '../../purge/delete-picture.ts';
import type { ProcessReason } from '../../queue/jobs.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { parse, processBodySchema, similarQuerySchema } from '../contract.ts';
import { summaryView, viewOf } from '../picture-view.ts';
import { withDeletable, withManifest, withPicture } from '../resolve.ts';
import { chooseRecipe, recipeOf } from '../upload/choose-recipe.ts';
import { leavingOf } from '../upload/wait-for-pictures.ts';

/** A variant keeps its URL when the picture is processed again, so caches have to revalidate. The ETag makes that cheap. */
const variantCaching = 'private, no-cache';
/** An original has all its metadata, possibly the location of a photograph, so shared caches must not store it. */
const originalCaching = 'private, no-cache';

/** `GET /v1/pictures/{id}` */
export function getPicture(context: ApiContext): RequestHandler {
	return withPicture(context, (picture, request, response) => {
		response.json(viewOf(context, request)(picture));
	});
}

/** `GET /v1/pictures/{id}/original` */
export function getOriginal(context: ApiContext): RequestHandler {
	return withPicture(context, (picture, request, response) => {
		if (!isReceived(picture)) throw new PicpipeError('not-fetched');
		const { key, type, sha256, filename } = picture.source;
		const { accelRedirect } = context.config;
		const served = { key, type, sha256, filename, cacheControl: originalCaching, accelRedirect };
		return serveObject(context.storage, served, request, response);
	});
}

/**
 * `GET /v1/pictures/{id}/variants/{name}`: the first encoding of the variant, or `{name}.{format}`. A missing variant of the recipe is
 * made.
 */
export function getVariant(context: ApiContext): RequestHandler {
	return withPicture(context, async (picture, request, response) => {
		const [name = '', format] = String(request.params.variant).split('.');
		const variant = picture.variants.find(
			(one) => one.name === name && (format === undefined || one.format === format),
		);
		const stored = variant && (await context.storage.stat(variant.key));
		if (variant && stored) {
			const { key, type, sha256 } = variant;
			const made = { ...stored, key, type, etag: `"${sha256}"` };
			return serveResult(context.storage, made, outgoingVariant(context, type), request, response);
		}
		if (!isReceived(picture) || !isFinished(picture.state) || !picture.facts) throw noVariantYet(picture, request);
		const result = await findOrMake(
			context.delivery.parts,
			{ picture, target: { kind: 'variant', name, ...(format !== undefined && { format }) }, mayBeOriginal: true },
			{
				accepted: acceptedBy(undefined),
				milliseconds: context.config.renderSeconds * 1_000,
				signal: leavingOf(response).signal,
				requestId: response.locals.requestId,
			},
		);
		if (!result) throw new PicpipeError('render-unfinished');
		await serveResult(context.storage, result, outgoingVariant(context, result.type), request, response);
	});
}

function outgoingVariant({ config: { accelRedirect } }: ApiContext, type: string): Outgoing {
	return { type, cacheControl: variantCaching, accelRedirect };
}

function noVariantYet({ recipe, variants, state, failure }: Picture, { params }: Request): PicpipeError {
	const [name = ''] = String(params.variant).split('.');
	if (state === 'failed' && failure && Object.hasOwn(recipe.definition.variants, name)) {
		return new PicpipeError(failure.code, failure.message, { step: failure.step });
	}
	const made = variants.map((one) => `${one.name}.${one.format}`).join(', ');
	return new PicpipeError(
		'variant-not-found',
		made
			? `Expected one of ${made} but received "${params.variant}".`
			: `The picture is ${state} and has no variants yet.`,
	);
}

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
		const { pictures, isComplete } = await context.catalog.similar({
			...query,
			phash,
			owner: confinedTo(callerOf(response)),
			except: picture.id,
		});
		response.json({
			pictures: pictures.map(({ picture, distance }) => ({ distance, picture: summaryView(picture) })),
			complete: isComplete,
		});
	});
}

/** `POST /v1/pictures/{id}/retry` */
export function retryPicture(context: ApiContext): RequestHandler {
	return withManifest(context, async (picture, request, response) => {
		if (!isFailing(picture)) {
			const all = picture.state === 'ready' ? ' and has all its variants' : '';
			throw new PicpipeError('not-failed', `Expected a picture with failures but this one is ${picture.state}${all}.`);
		}
		requireRecipe(callerOf(response), picture.recipe.name);
		const again = await queueAgain(context, response, picture, 'retry');
		response.status(202).location(`/v1/pictures/${again.id}`).json(viewOf(context, request)(again));
	});
}

/** Queues a picture again. That counts like a new picture, because it costs the workers as much. @throws PicpipeError `quota-exceeded` */
async function queueAgain(
	context: ApiContext,
	response: Response,
	picture: Picture,
	reason: ProcessReason,
	again: Again = {},
): Promise<Picture> {
	const refund = await context.limiter.chargePicture(callerOf(response));
	try {
		const { requestId, log } = response.locals;
		return await admitAgain(context, { ...picture, requestId }, reason, log, again);
	} catch (error) {
		await refund();
		throw error;
	}
}

/** `POST /v1/pictures/{id}/process`: 200 if the picture is up to date */
export function processAgain(context: ApiContext): RequestHandler {
	return withManifest(context, async (picture, request, response) => {
		const { recipe: asked, force } = parse(processBodySchema, request.body ?? {});
		const caller = callerOf(response);
		const recipe = asked === undefined ? recipeOf(context, picture) : await chooseRecipe(context, caller, asked);
		requireRecipe(caller, recipe.name);
		if (!force && (await isUpToDate(context, picture, recipe))) {
			response.json(viewOf(context, request)(picture));
			return;
		}
		const again = await queueAgain(context, response, picture, 'reprocess', { recipe, force });
		response.status(202).location(`/v1/pictures/${again.id}`).json(viewOf(context, request)(again));
	});
}

/** `DELETE /v1/pictures/{id}`: deletes the picture and everything known about it, and finishes a deletion that was interrupted */
export function deletePicture(context: ApiContext): RequestHandler {
	return withDeletable(context, async (picture, _request, response) => {
		const deps = { ...context, renderUse: context.delivery.renderUse };
		await deleteEverything(deps, picture, response.locals.requestId);
		context.delivery.memory.forget(picture.id);
		response.locals.log.info({ pictureId: picture.id }, 'picture deleted');
		response.status(204).end();
	});
}

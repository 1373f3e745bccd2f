import type { Request, RequestHandler, Response } from 'express';
import type { ImageUrl } from '../../delivery/dialects/image-request.ts';
import { type DeliveryRequest, findOrMake } from '../../delivery/find-or-make.ts';
import type { ImageResult } from '../../delivery/memory-cache.ts';
import { type Accepted, acceptedBy } from '../../delivery/negotiate.ts';
import { placeholderOf } from '../../delivery/placeholder.ts';
import { serveResult } from '../../delivery/send-object.ts';
import { type ReceivedPicture, shownUrl } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import type { ApiContext } from '../context.ts';
import { leavingOf } from '../upload/wait-for-pictures.ts';
import { crossOriginFields, isPast, outgoingOf } from './cache-headers.ts';
import { cacheKeyOf } from './cached-response.ts';
import { type AllowedSource, checkSource, findSource } from './find-source.ts';
import { pathBelow, type ReadImageUrl, readCloudinary, readImgproxy, readIpx } from './read-url.ts';

/** `GET /img/<signature>/<options>/<source>` */
export function serveImgproxy(context: ApiContext): RequestHandler {
	return serveAs(context, '/img', readImgproxy);
}

/** `GET /ipx/<modifiers>/<id>` */
export function serveIpx(context: ApiContext): RequestHandler {
	return context.config.ipx ? serveAs(context, '/ipx', readIpx) : turnedOff('PICPIPE_IPX');
}

/** `GET /cld/<account>/image/upload/<transformations>/<id>` */
export function serveCloudinary(context: ApiContext): RequestHandler {
	return context.config.cloudinary ? serveAs(context, '/cld', readCloudinary) : turnedOff('PICPIPE_CLOUDINARY');
}

function turnedOff(setting: string): RequestHandler {
	return () => {
		throw new PicpipeError('not-found', `This URL is turned off; ${setting}=true turns it on.`);
	};
}

/** Seconds after which a client may ask again for an image that is being made. */
const retryAfterSeconds = 1;

function serveAs(context: ApiContext, root: string, read: ReadImageUrl): RequestHandler {
	return async (request, response) => {
		response.set(crossOriginFields);
		const path = pathBelow(request, root);
		const accepted = acceptedBy(request.get('accept'));
		const cacheKey = cacheKeyOf(context, root + path, accepted, request.query.s);
		const cached = context.delivery.memory.get(cacheKey);
		const url = cached?.url ?? read(context, path, request);
		const { expiresAt } = url.image;
		if (isPast(expiresAt)) {
			throw new PicpipeError('url-expired', `Expected a request before ${new Date(expiresAt * 1_000).toISOString()}.`);
		}
		if (cached) return send(context, url, cached.result, request, response);
		await serveImage(context, { url, accepted, cacheKey }, request, response);
	};
}

/** An image to find or make, and the key of its result in the memory cache. */
interface Task {
	readonly url: ImageUrl;
	readonly accepted: Accepted;
	readonly cacheKey: string;
}

async function serveImage(
	context: ApiContext,
	{ url, accepted, cacheKey }: Task,
	request: Request,
	response: Response,
): Promise<void> {
	const { image } = url;
	const { memory, parts } = context.delivery;
	const { requestId, log } = response.locals;
	const isAtOnce = request.query.placeholder !== undefined || prefersRespondAsync(request);
	const end = performance.now() + (isAtOnce ? 0 : context.config.renderSeconds * 1_000);
	const left = () => Math.max(0, end - performance.now());
	const { signal } = leavingOf(response);
	const source = checkSource(context, image.source);
	const wait = () => ({ accepted, milliseconds: left(), signal, requestId });
	try {
		const picture = await findSource(context, source, { ...wait(), log });
		if (!picture) return respondAsync(request, response);
		const mayBeOriginal = mayServeOriginals(context, url);
		const result = await findOrMake(parts, { picture, target: image.target, mayBeOriginal }, wait());
		if (!result) return respondAsync(request, response, picture);
		memory.set(cacheKey, picture.id, { url, result });
		await send(context, url, result, request, response);
	} catch (error) {
		if (response.headersSent) throw error;
		const fallback = await findFallback(context, url, error, wait());
		if (!fallback) throw error;
		log.warn({ err: error, ...loggedSource(source) }, 'serving the fallback picture');
		await send(context, url, { ...fallback, isStandIn: true }, request, response);
	}
}

/** Once API keys protect the pictures, an unsigned URL must not hand out what people uploaded. */
function mayServeOriginals({ config, keys }: ApiContext, { isSigned }: ImageUrl): boolean {
	return isSigned || config.deliveryUnsignedOriginals || keys.wasNeeded === false;
}

function loggedSource(source: AllowedSource): object {
	return 'id' in source ? { pictureId: source.id } : { url: shownUrl(source.url.href) };
}

async function send(
	{ config, storage }: ApiContext,
	url: ImageUrl,
	result: ImageResult,
	request: Request,
	response: Response,
): Promise<void> {
	if (result.isNegotiated) response.vary('Accept');
	await serveResult(storage, result, outgoingOf(config, url, result), request, response);
}

/** `Prefer: respond-async` (RFC 7240, 4.1) */
function prefersRespondAsync(request: Request): boolean {
	return /\brespond-async\b/i.test(request.get('prefer') ?? '');
}

/** The image is still being made: responds with a placeholder, or with 202 and `Retry-After`. */
function respondAsync(request: Request, response: Response, picture?: ReceivedPicture): void {
	response.set('Cache-Control', 'no-store');
	if (request.query.placeholder !== undefined) {
		const { type, data } = placeholderOf(picture ?? {});
		response.type(type).send(data);
		return;
	}
	if (prefersRespondAsync(request)) response.set('Preference-Applied', 'respond-async');
	response
		.status(202)
		.set('Retry-After', String(retryAfterSeconds))
		.location(request.originalUrl)
		.json({ status: 'rendering', ...(picture && { pictureId: picture.id }) });
}

/** The configured fallback picture with the same options, unless the URL itself was at fault. */
async function findFallback(
	context: ApiContext,
	url: ImageUrl,
	error: unknown,
	wait: DeliveryRequest,
): Promise<ImageResult | undefined> {
	const id = context.config.deliveryFallback;
	if (id === undefined || !(error instanceof PicpipeError) || error.class === 'request') return undefined;
	try {
		const finding = { ...wait, log: context.log };
		const picture = await findSource(context, { id }, { ...finding, requestId: wait.requestId ?? '' });
		const { target } = url.image;
		const mayBeOriginal = mayServeOriginals(context, url);
		return picture && (await findOrMake(context.delivery.parts, { picture, target, mayBeOriginal }, wait));
	} catch (err) {
		context.log.warn({ err, pictureId: id }, 'the fallback picture (PICPIPE_DELIVERY_FALLBACK) cannot be served');
		return undefined;
	}
}

import { posix } from 'node:path';
import type { Request, RequestHandler, Response } from 'express';
import type { ImageRequest, ImageUrl } from '../../delivery/dialects/image-request.ts';
import { deliver } from '../../delivery/find-or-make.ts';
import type { Result } from '../../delivery/memory-cache.ts';
import { type Accepted, acceptedBy } from '../../delivery/negotiate.ts';
import { placeholderOf } from '../../delivery/placeholder.ts';
import { fieldsOf, type Outgoing, serveResult } from '../../delivery/send-object.ts';
import { type ReceivedPicture, shownUrl } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import type { ApiContext } from '../context.ts';
import { exposedByDelivery } from '../middleware/delivery-cors.ts';
import { leavingOf } from '../upload/wait-for-end.ts';
import { pathBelow, type ReadImageUrl, readCloudinary, readImgproxy, readIpx } from './read-url.ts';
import { type AllowedSource, checkSource, findSource } from './source.ts';

/** `GET /img/<signature>/<options>/<source>` */
export function deliverImgproxy(context: ApiContext): RequestHandler {
	return deliverAs(context, '/img', readImgproxy);
}

/** `GET /ipx/<modifiers>/<id>` */
export function deliverIpx(context: ApiContext): RequestHandler {
	return context.config.ipx ? deliverAs(context, '/ipx', readIpx) : turnedOff('PICPIPE_IPX');
}

/** `GET /cld/<account>/image/upload/<transformations>/<id>` */
export function deliverCloudinary(context: ApiContext): RequestHandler {
	return context.config.cloudinary ? deliverAs(context, '/cld', readCloudinary) : turnedOff('PICPIPE_CLOUDINARY');
}

function turnedOff(setting: string): RequestHandler {
	return () => {
		throw new PicpipeError('not-found', `There is nothing at this address; ${setting}=true turns it on.`);
	};
}

/** So long caches may keep what stands in for something better, or for something that failed, seconds. */
const standInSeconds = 30;
/** After so long a client may ask again for what is being made, seconds. */
const askAgainSeconds = 1;

/** Pictures are shown on other sites; that is what their addresses are for. */
const crossOriginFields = {
	'Access-Control-Allow-Origin': '*',
	'Access-Control-Expose-Headers': exposedByDelivery.join(', '),
	'Cross-Origin-Resource-Policy': 'cross-origin',
	'Timing-Allow-Origin': '*',
	'X-Content-Type-Options': 'nosniff',
};

/** What results are remembered by. @param signature behind the address, as IPX's languages have it */
function questionOf(path: string, { avif, webp }: Accepted, signature: unknown = ''): string {
	return `${path} ${signature} ${avif} ${webp}`;
}

/** @param expiresAt seconds since 1970; never when absent */
function isPast(expiresAt: number | undefined): expiresAt is number {
	return expiresAt !== undefined && Date.now() / 1_000 >= expiresAt;
}

/** A result that is kept in memory, and all header fields of the answer but those of the connection. */
export interface HotAnswer {
	readonly data: Buffer;
	readonly fields: Record<string, string>;
}

/** What an address without a query was answered a moment ago, if all of that answer is in memory. */
export function hotAnswer(
	{ config, delivery }: ApiContext,
	path: string,
	accept: string | undefined,
): HotAnswer | undefined {
	const known = delivery.memory.recall(questionOf(path, acceptedBy(accept)));
	if (!known || config.accelRedirect !== undefined) return undefined;
	const { address, result } = known;
	const { data } = result;
	if (!data) return undefined;
	if (isPast(address.image.expiresAt)) return undefined;
	return {
		data,
		fields: {
			...crossOriginFields,
			...fieldsOf(result, outgoingOf(config, address, result)),
			...(result.isNegotiated && { Vary: 'Accept' }),
			'Content-Length': String(data.length),
		},
	};
}

function deliverAs(context: ApiContext, root: string, read: ReadImageUrl): RequestHandler {
	return async (request, response) => {
		response.set(crossOriginFields);
		const path = pathBelow(request, root);
		const accepted = acceptedBy(request.get('accept'));
		const question = questionOf(root + path, accepted, request.query.s);
		const known = context.delivery.memory.recall(question);
		const address = known?.address ?? read(context, path, request);
		const { expiresAt } = address.image;
		if (isPast(expiresAt)) {
			throw new PicpipeError('url-expired', `Expected a request before ${new Date(expiresAt * 1_000).toISOString()}.`);
		}
		if (known) return send(context, address, known.result, request, response);
		await answer(context, { address, accepted, question }, request, response);
	};
}

/** What an address is answered with, and what it is remembered by. */
interface Asked {
	readonly address: ImageUrl;
	readonly accepted: Accepted;
	readonly question: string;
}

async function answer(
	context: ApiContext,
	{ address, accepted, question }: Asked,
	request: Request,
	response: Response,
): Promise<void> {
	const { image } = address;
	const { memory, parts } = context.delivery;
	const { requestId, log } = response.locals;
	const isHurried = request.query.placeholder !== undefined || isPreferredLater(request);
	const end = performance.now() + (isHurried ? 0 : context.config.renderSeconds * 1_000);
	const left = () => Math.max(0, end - performance.now());
	const { signal } = leavingOf(response);
	const source = checkSource(context, image.source);
	const ask = () => ({ accepted, milliseconds: left(), signal, requestId });
	try {
		const picture = await findSource(context, source, { ...ask(), log });
		if (!picture) return later(request, response);
		const result = await deliver(parts, { picture, target: image.target }, ask());
		if (!result) return later(request, response, picture);
		memory.remember(question, picture.id, { address, result });
		await send(context, address, result, request, response);
	} catch (error) {
		if (response.headersSent) throw error;
		const instead = await fallback(context, image, error, ask());
		if (!instead) throw error;
		log.warn({ err: error, ...shownSource(source) }, 'the fallback picture is shown instead');
		await send(context, address, { ...instead, isStandIn: true }, request, response);
	}
}

function shownSource(source: AllowedSource): object {
	return 'id' in source ? { pictureId: source.id } : { url: shownUrl(source.url.href) };
}

async function send(
	{ config, storage }: ApiContext,
	address: ImageUrl,
	result: Result,
	request: Request,
	response: Response,
): Promise<void> {
	if (result.isNegotiated) response.vary('Accept');
	await serveResult(storage, result, outgoingOf(config, address, result), request, response);
}

function outgoingOf(config: ApiContext['config'], { image, isSigned }: ImageUrl, result: Result): Outgoing {
	const cacheControl = cachingOf(config, { image, isSigned }, result);
	// Whatever the address calls it, the extension is that of the bytes.
	const filename = image.filename && image.filename + posix.extname(result.key);
	const { isAttachment } = image;
	const { accelRedirect } = config;
	return { type: result.type, cacheControl, filename, isAttachment, accelRedirect };
}

/** No cache may show it longer than the address is good for: whoever made it meant that it ends. */
function cachingOf(config: ApiContext['config'], { image, isSigned }: ImageUrl, { isStandIn }: Result): string {
	const seconds = isSigned ? config.deliverySeconds : config.deliveryUnsignedSeconds;
	const { expiresAt = Number.POSITIVE_INFINITY } = image;
	const left = Math.max(0, Math.floor(expiresAt - Date.now() / 1_000));
	const longest = Math.min(seconds, left, isStandIn ? standInSeconds : Number.POSITIVE_INFINITY);
	return `public, max-age=${longest}${isSigned && longest === seconds && !isStandIn ? ', immutable' : ''}`;
}

/** `Prefer: respond-async` (RFC 7240, 4.1) */
function isPreferredLater(request: Request): boolean {
	return /\brespond-async\b/i.test(request.get('prefer') ?? '');
}

/** It is being made: how it looks as far as that is known, or where to ask again. */
function later(request: Request, response: Response, picture?: ReceivedPicture): void {
	response.set('Cache-Control', 'no-store');
	if (request.query.placeholder !== undefined) {
		const { type, data } = placeholderOf(picture ?? {});
		response.type(type).send(data);
		return;
	}
	if (isPreferredLater(request)) response.set('Preference-Applied', 'respond-async');
	response
		.status(202)
		.set('Retry-After', String(askAgainSeconds))
		.location(request.originalUrl)
		.json({ status: 'rendering', ...(picture && { pictureId: picture.id }) });
}

/** The picture of the setting in the same form, where it was no fault of the address. */
async function fallback(
	context: ApiContext,
	{ target }: ImageRequest,
	error: unknown,
	ask: Parameters<typeof deliver>[2],
): Promise<Result | undefined> {
	const id = context.config.deliveryFallback;
	if (id === undefined || !(error instanceof PicpipeError) || error.class === 'request') return undefined;
	try {
		const finding = { ...ask, log: context.log };
		const picture = await findSource(context, { id }, { ...finding, requestId: ask.requestId ?? '' });
		return picture && (await deliver(context.delivery.parts, { picture, target }, ask));
	} catch (err) {
		context.log.warn({ err, pictureId: id }, 'the fallback picture (PICPIPE_DELIVERY_FALLBACK) cannot be shown');
		return undefined;
	}
}

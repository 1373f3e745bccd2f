import { posix } from 'node:path';
import type { Config } from '../../config/index.ts';
import type { ImageUrl } from '../../delivery/dialects/image-request.ts';
import type { ImageResult } from '../../delivery/memory-cache.ts';
import type { Outgoing } from '../../delivery/send-object.ts';
import { exposedByDelivery } from '../middleware/cors.ts';

/** How long caches keep a stand-in for a better or a failed image, seconds. */
const standInSeconds = 30;

/** Images are embedded in other sites; their URLs are made for that. */
export const crossOriginFields = {
	'Access-Control-Allow-Origin': '*',
	'Access-Control-Expose-Headers': exposedByDelivery.join(', '),
	'Cross-Origin-Resource-Policy': 'cross-origin',
	'Timing-Allow-Origin': '*',
	'X-Content-Type-Options': 'nosniff',
};

/** How the image of a URL is sent: its file name, and how long caches keep it. */
export function outgoingOf(config: Config, { image, isSigned }: ImageUrl, result: ImageResult): Outgoing {
	const cacheControl = cacheControlOf(config, { image, isSigned }, result);
	// The extension follows the bytes, whatever the URL says.
	const filename = image.filename && image.filename + posix.extname(result.key);
	const { isAttachment } = image;
	const { accelRedirect } = config;
	return { type: result.type, cacheControl, filename, isAttachment, accelRedirect };
}

/** No cache may keep an image longer than its URL is valid, because the signer meant it to expire. */
function cacheControlOf(config: Config, { image, isSigned }: ImageUrl, { isStandIn }: ImageResult): string {
	const seconds = isSigned ? config.deliverySeconds : config.deliveryUnsignedSeconds;
	const { expiresAt = Number.POSITIVE_INFINITY } = image;
	const left = Math.max(0, Math.floor(expiresAt - Date.now() / 1_000));
	const longest = Math.min(seconds, left, isStandIn ? standInSeconds : Number.POSITIVE_INFINITY);
	return `public, max-age=${longest}${isSigned && longest === seconds && !isStandIn ? ', immutable' : ''}`;
}

/** @param expiresAt seconds since 1970; never when absent */
export function isPast(expiresAt: number | undefined): expiresAt is number {
	return expiresAt !== undefined && Date.now() / 1_000 >= expiresAt;
}

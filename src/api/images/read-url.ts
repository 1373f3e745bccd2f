import type { Request } from 'express';
import { isSignedWith, parseCloudinary } from '../../delivery/dialects/cloudinary.ts';
import type { ImageUrl } from '../../delivery/dialects/image-request.ts';
import { isSignedBy, parseImgproxy } from '../../delivery/dialects/imgproxy.ts';
import { parseIpx } from '../../delivery/dialects/ipx.ts';
import { maximumAddress } from '../../delivery/sign-path.ts';
import { PicpipeError } from '../../errors.ts';
import type { ApiContext } from '../context.ts';

/** Reads an address below a dialect's path. @throws PicpipeError `invalid-signature`, and what the dialect throws */
export type ReadImageUrl = (context: ApiContext, path: string, request: Request) => ImageUrl;

/** What follows a dialect's path in the address, as it was received, without the query. */
export function pathBelow(request: Request, root: string): string {
	const [path = ''] = request.originalUrl.split('?', 1);
	if (path.length > maximumAddress) {
		throw new PicpipeError(
			'invalid-delivery-url',
			`Expected at most ${maximumAddress} characters but received ${path.length}.`,
		);
	}
	return path.slice(root.length);
}

/** What stands where a signature does in an address that has none. */
const unsignedWords = new Set(['unsafe', 'insecure', '_', '-']);

/** `/<signature>/<options>/<source>`, as imgproxy has it. */
export const readImgproxy: ReadImageUrl = (context, path) => {
	const [, signature = '', rest = ''] = /^\/([^/]*)(\/.*)?$/s.exec(path) ?? [];
	const isSigned = isSignedBy(rest, signature, context.config.deliveryKeys ?? []);
	if (!isSigned) requireUnsigned(context, unsignedWords.has(signature), 'PICPIPE_DELIVERY_KEYS');
	const { presets } = context.recipeBook;
	const { presetsOnly } = context.config;
	return { image: parseImgproxy(rest, { presets: presets.imgproxy, presetsOnly }), isSigned };
};

/** `/<modifiers>/<id>`, as IPX has it; a signature stands behind it, `?s=`. */
export const readIpx: ReadImageUrl = (context, path, request) => {
	const signature = typeof request.query.s === 'string' ? request.query.s : '';
	const isSigned = isSignedBy(path, signature, context.config.deliveryKeys ?? []);
	if (!isSigned) requireUnsigned(context, signature === '', 'PICPIPE_DELIVERY_KEYS');
	const { presets } = context.recipeBook;
	const { presetsOnly } = context.config;
	return { image: parseIpx(path, { presets: presets.ipx, presetsOnly }), isSigned };
};

/** `/<account>/image/upload/...`, as Cloudinary has it. */
export const readCloudinary: ReadImageUrl = (context, path) => {
	const { presets } = context.recipeBook;
	const { presetsOnly } = context.config;
	const address = parseCloudinary(path, { presets: presets.cloudinary, presetsOnly });
	const isSigned = isSignedWith(address, context.config.cloudinarySecrets ?? []);
	if (!isSigned) requireUnsigned(context, address.signature === undefined, 'PICPIPE_CLOUDINARY_SECRETS');
	return { image: address.image, isSigned };
};

/** @param isHonest that it pretends nothing: a signature that is wrong is refused in any case */
function requireUnsigned({ config, keys }: ApiContext, isHonest: boolean, setting: string): void {
	const mayBeUnsigned =
		config.deliveryUnsigned === 'true' || (config.deliveryUnsigned === 'local' && keys.wasNeeded === false);
	if (mayBeUnsigned && isHonest) return;
	throw new PicpipeError(
		'invalid-signature',
		isHonest
			? `Expected an address that is signed with a key of ${setting} but this one is not signed.`
			: `Expected an address that is signed with a key of ${setting} but the signature is that of no such key.`,
	);
}

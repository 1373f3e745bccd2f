import { readManifest } from '../../catalog/manifest.ts';
import type { ImageSource } from '../../delivery/dialects/image-request.ts';
import type { ReceivedPicture } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { checkFetched, fetchLimitsOf } from '../../intake/fetch.ts';
import type { ApiContext } from '../context.ts';
import { waitForPicture } from '../upload/wait-for-pictures.ts';
import { admitRemote, type Finding, isKnown } from './admit-remote.ts';

/** A source that may be requested. */
export type AllowedSource = { readonly id: string } | { readonly url: URL };

/**
 * Checks whether a source may be requested, before any server is contacted. @throws PicpipeError `source-not-allowed`, and as
 * `checkFetched`
 */
export function checkSource({ config }: ApiContext, source: ImageSource): AllowedSource {
	if ('id' in source) return source;
	const hosts = config.deliveryHosts;
	if (hosts === undefined) {
		throw new PicpipeError(
			'source-not-allowed',
			'Expected the id of a picture but received a URL; PICPIPE_DELIVERY_HOSTS names the hosts whose pictures may be requested by URL.',
		);
	}
	return { url: checkFetched(source.url, fetchLimitsOf(config).rules, hosts) };
}

/**
 * Finds the picture of a source, once its facts are known. A remote picture is first fetched and stored.
 *
 * @returns undefined if the picture is still being processed when the time is up
 * @throws PicpipeError `picture-not-found`; the failure of a picture without facts, or of an attempt at fetching it
 */
export async function findSource(
	context: ApiContext,
	source: AllowedSource,
	finding: Finding,
): Promise<ReceivedPicture | undefined> {
	const end = performance.now() + finding.milliseconds;
	const found =
		'id' in source ? await readManifest(context.storage, source.id) : await admitRemote(context, source.url, finding);
	if (!found) throw new PicpipeError('picture-not-found');
	if (found === 'begins') return undefined;
	const left = Math.max(0, end - performance.now());
	if (isKnown(found)) return found;
	const { picture, retrying } = await waitForPicture(context, found, left, finding.signal);
	if (isKnown(picture)) return picture;
	if (retrying) throw retrying;
	if (picture.failure)
		throw new PicpipeError(picture.failure.code, picture.failure.message, { step: picture.failure.step });
	return undefined;
}

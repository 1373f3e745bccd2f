import { setTimeout as sleep } from 'node:timers/promises';
import { readManifest } from '../../catalog/manifest.ts';
import type { ImageSource } from '../../delivery/dialects/image-request.ts';
import { digest } from '../../domain/digest.ts';
import {
	type AwaitedSource,
	isReceived,
	newPictureId,
	type Picture,
	type ReceivedPicture,
} from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { admitUrl } from '../../intake/admit.ts';
import { checkFetched, fetchLimitsOf } from '../../intake/fetch.ts';
import { fetchAgain } from '../../intake/fetch-again.ts';
import type { Logger } from '../../observe/log.ts';
import { sourceRecordKey } from '../../storage/keys.ts';
import { readObject } from '../../storage/storage.ts';
import type { ApiContext } from '../context.ts';
import { chooseRecipe } from '../upload/choose-recipe.ts';
import { waitForEnd } from '../upload/wait-for-end.ts';

/** How a picture that an address names is found. */
export interface Finding {
	/** Longest to wait until something is known of it. */
	readonly milliseconds: number;
	readonly signal: AbortSignal;
	readonly requestId: string;
	readonly log: Logger;
}

/** While another tries a picture again, it is looked at so often, milliseconds: that takes a few writes. */
const lookAgain = 50;

/** A source that may be asked for. */
export type AllowedSource = { readonly id: string } | { readonly url: URL };

/** Says whether a source may be asked for, before anybody is asked. @throws PicpipeError `source-not-allowed`, and what `checkFetched` throws */
export function checkSource({ config }: ApiContext, source: ImageSource): AllowedSource {
	if ('id' in source) return source;
	const hosts = config.deliveryHosts;
	if (hosts === undefined) {
		throw new PicpipeError(
			'source-not-allowed',
			'Expected the id of a picture but received an address; PICPIPE_DELIVERY_HOSTS names hosts whose pictures may be asked for by address.',
		);
	}
	return { url: checkFetched(source.url, fetchLimitsOf(config).rules, hosts) };
}

/**
 * The picture that an address names, once something is known of it; one that lies elsewhere is fetched first, and kept.
 *
 * @returns undefined when it is still being worked on after the time
 * @throws PicpipeError `picture-not-found`; why it failed, where nothing is known of it
 */
export async function findSource(
	context: ApiContext,
	source: AllowedSource,
	finding: Finding,
): Promise<ReceivedPicture | undefined> {
	const end = performance.now() + finding.milliseconds;
	const found =
		'id' in source ? await readManifest(context.storage, source.id) : await fetched(context, source.url, finding);
	if (!found) throw new PicpipeError('picture-not-found');
	if (found === 'begins') return undefined;
	const left = Math.max(0, end - performance.now());
	const picture = isKnown(found) ? found : await waitForEnd(context, found, left, finding.signal);
	if (isKnown(picture)) return picture;
	if (picture.failure)
		throw new PicpipeError(picture.failure.code, picture.failure.message, { step: picture.failure.step });
	return undefined;
}

function isKnown(picture: Picture): picture is ReceivedPicture {
	return isReceived(picture) && picture.facts !== undefined;
}

/** The picture of an address elsewhere: the same for all who ask, at any api. */
async function fetched(context: ApiContext, url: URL, finding: Finding): Promise<Picture | 'begins' | undefined> {
	const { storage } = context;
	const { requestId, log } = finding;
	const key = sourceRecordKey(digest(url.href));
	const known = await readObject(storage, key);
	const id = known?.toString().trim() ?? newPictureId();
	if (!known) await storage.create(key, Buffer.from(`${id}\n`));
	// Another one may have been first.
	const agreed = known ? id : ((await readObject(storage, key))?.toString().trim() ?? id);
	const picture = await readManifest(storage, agreed);
	if (picture) return isWorthAnother(context, picture) ? triedAgain(context, picture, url, finding) : picture;
	await context.pressure.check();
	const recipe = chooseRecipe(context, undefined);
	return admitUrl(context, url, { recipe, tags: [], priority: 0, requestId }, log, {
		id: agreed,
		isShared: true,
		...hostsOf(context),
	});
}

/** Where it has to lie goes with the picture: whoever fetches it may be led on to other hosts, and need not know this setting. */
function hostsOf({ config: { deliveryHosts = [] } }: ApiContext): Pick<AwaitedSource, 'hosts'> {
	return deliveryHosts === '*' ? {} : { hosts: [...deliveryHosts] };
}

/** The other server may have been repaired since. What is known of, but could not be made into all that its recipe asks for, can be shown. */
function isWorthAnother({ config }: ApiContext, picture: Picture): boolean {
	const { state, failure } = picture;
	if (state !== 'failed' || !failure || isKnown(picture)) return false;
	return Date.now() - Date.parse(failure.at) >= config.renderFailureSeconds * 1_000;
}

/** Of all who ask, at any api, one tries it again, and the others find it under way; or know that it is about to be, when their time is up. */
async function triedAgain(
	context: ApiContext,
	picture: Picture,
	url: URL,
	finding: Finding,
): Promise<Picture | 'begins'> {
	const end = performance.now() + finding.milliseconds;
	for (;;) {
		const { release } = await context.underWay.take(`source-${picture.id}`, 1);
		try {
			const now = await readManifest(context.storage, picture.id);
			if (!now) throw new PicpipeError('picture-not-found');
			if (!isWorthAnother(context, now)) return now;
			if (release) return await fetchAgain(context, now, { url: url.href, ...hostsOf(context) }, finding.log);
		} catch (error) {
			if (!(error instanceof PicpipeError) || error.code !== 'picture-busy') throw error;
		} finally {
			release?.();
		}
		if (performance.now() >= end || finding.signal.aborted) return 'begins';
		await sleep(lookAgain);
	}
}

import { setTimeout as sleep } from 'node:timers/promises';
import { readManifest } from '../../catalog/manifest.ts';
import { digest } from '../../domain/digest.ts';
import {
	type AwaitedSource,
	isReceived,
	newPictureId,
	type Picture,
	type ReceivedPicture,
} from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { admitUrl, fetchAgain } from '../../intake/admit.ts';
import type { Logger } from '../../observe/log.ts';
import { sourceRecordKey } from '../../storage/keys.ts';
import { readObject } from '../../storage/storage.ts';
import type { ApiContext } from '../context.ts';
import { chooseRecipe } from '../upload/choose-recipe.ts';

/** How the picture of a source is found. */
export interface Finding {
	/** Longest wait until something is known of the picture. */
	readonly milliseconds: number;
	readonly signal: AbortSignal;
	readonly requestId: string;
	readonly log: Logger;
}

/** How often a picture is looked at while another request retries it, milliseconds: a retry takes a few writes. */
const lookAgain = 50;

/** Whether enough is known of a picture to make images of it. */
export function isKnown(picture: Picture): picture is ReceivedPicture {
	return isReceived(picture) && picture.facts !== undefined;
}

/**
 * The picture of a remote URL, accepted on the first request: the same for every request, at any api. A failed fetch is retried after
 * `PICPIPE_RENDER_FAILURE_SECONDS`.
 *
 * @returns `begins` when another request is about to retry it and the time is up; undefined when it was deleted
 */
export async function admitRemote(
	context: ApiContext,
	url: URL,
	finding: Finding,
): Promise<Picture | 'begins' | undefined> {
	const id = await agreedId(context, url);
	const picture = await readManifest(context.storage, id);
	if (picture) return isWorthRetrying(context, picture) ? retry(context, picture, url, finding) : picture;
	await context.pressure.check();
	const recipe = chooseRecipe(context, undefined);
	const { requestId, log } = finding;
	return admitUrl(context, url, { recipe, tags: [], priority: 0, requestId }, log, {
		id,
		isShared: true,
		...hostsOf(context),
	});
}

/** The id of the picture of a remote URL: of requests at the same time, the first to record it decides. */
async function agreedId({ storage }: ApiContext, url: URL): Promise<string> {
	const key = sourceRecordKey(digest(url.href));
	const known = await readObject(storage, key);
	if (known) return known.toString().trim();
	const id = newPictureId();
	await storage.create(key, Buffer.from(`${id}\n`));
	return (await readObject(storage, key))?.toString().trim() ?? id;
}

/** The allowed hosts are stored with the picture: whoever fetches it may be redirected, and need not know this setting. */
function hostsOf({ config: { deliveryHosts = [] } }: ApiContext): Pick<AwaitedSource, 'hosts'> {
	return deliveryHosts === '*' ? {} : { hosts: [...deliveryHosts] };
}

/** The remote server may work again by now. A picture whose facts are known can be served although its recipe failed. */
function isWorthRetrying({ config }: ApiContext, picture: Picture): boolean {
	const { state, failure } = picture;
	if (state !== 'failed' || !failure || isKnown(picture)) return false;
	return Date.now() - Date.parse(failure.at) >= config.renderFailureSeconds * 1_000;
}

/** Of all requests, at any api, one retries the picture. The others find it in progress, or about to be when their time is up. */
async function retry(context: ApiContext, picture: Picture, url: URL, finding: Finding): Promise<Picture | 'begins'> {
	const end = performance.now() + finding.milliseconds;
	for (;;) {
		const { release } = await context.underWay.take(`source-${picture.id}`, 1);
		try {
			const now = await readManifest(context.storage, picture.id);
			if (!now) throw new PicpipeError('picture-not-found');
			if (!isWorthRetrying(context, now)) return now;
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

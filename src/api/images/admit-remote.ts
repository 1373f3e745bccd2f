import { setTimeout as sleep } from 'node:timers/promises';
import { isDeleted } from '../../catalog/deletion.ts';
import { readManifest } from '../../catalog/manifest.ts';
import { digest } from '../../domain/digest.ts';
import {
	type AwaitedSource,
	isDamaged,
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
import { namedRecipe } from '../upload/choose-recipe.ts';

/** Options for finding the picture of a source. */
export interface Finding {
	/** Longest wait until the facts of the picture are known. */
	readonly milliseconds: number;
	readonly signal: AbortSignal;
	readonly requestId: string;
	readonly log: Logger;
}

/** How often a picture is checked while another request retries it, milliseconds. A retry takes a few writes. */
const lookAgain = 50;

/** Are the facts that images are made from known? */
export function isKnown(picture: Picture): picture is ReceivedPicture {
	return isReceived(picture) && picture.facts !== undefined && !isDamaged(picture);
}

/**
 * The picture of a remote URL. The first request creates it; all requests to any API process share it. A failed fetch is retried after
 * `PICPIPE_RENDER_FAILURE_SECONDS`.
 *
 * @returns `begins` if another request is about to retry it and the time is up; undefined if it was deleted
 */
export async function admitRemote(
	context: ApiContext,
	url: URL,
	finding: Finding,
): Promise<Picture | 'begins' | undefined> {
	let id = await agreedId(context, url);
	const picture = await readManifest(context.storage, id);
	if (!picture && (await isDeleted(context.storage, id))) {
		await context.storage.delete(sourceRecordKey(digest(url.href)));
		id = await agreedId(context, url);
	}
	if (picture) return isWorthRetrying(context, picture) ? retry(context, picture, url, finding) : picture;
	await context.pressure.check();
	const recipe = namedRecipe(context);
	const { requestId, log } = finding;
	return admitUrl(context, url, { recipe, tags: [], priority: 0, owner: undefined, requestId }, log, {
		id,
		isShared: true,
		...hostsOf(context),
	});
}

/** The picture id for a remote URL. Among concurrent requests, the first to record an id decides. */
async function agreedId({ storage }: ApiContext, url: URL): Promise<string> {
	const key = sourceRecordKey(digest(url.href));
	const known = await readObject(storage, key);
	if (known) return known.toString().trim();
	const id = newPictureId();
	await storage.create(key, Buffer.from(`${id}\n`));
	return (await readObject(storage, key))?.toString().trim() ?? id;
}

/** The allowed hosts are stored with the picture: the worker that fetches it may be redirected, and may not have this setting. */
function hostsOf({ config: { deliveryHosts = [] } }: ApiContext): Pick<AwaitedSource, 'hosts'> {
	return deliveryHosts === '*' ? {} : { hosts: [...deliveryHosts] };
}

/** The remote server may work again. A picture whose facts are known can be served even if its recipe failed. */
function isWorthRetrying({ config }: ApiContext, picture: Picture): boolean {
	const { state, failure } = picture;
	if (state !== 'failed' || !failure || isKnown(picture)) return false;
	return Date.now() - Date.parse(failure.at) >= config.renderFailureSeconds * 1_000;
}

/** Of all requests to any API process, one retries the picture. The others find it in progress, or about to be when their time is up. */
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

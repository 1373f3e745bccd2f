import type { Caller } from '../../access/caller.ts';
import { PicpipeError } from '../../errors.ts';
import {
	type Excess,
	everyUpload,
	sizeOf,
	type UploadBound,
	uploadsOfOwner,
	uploadsOfToken,
} from '../../intake/unfinished-uploads.ts';
import { ownerOfUpload, type Upload } from '../../intake/upload-record.ts';
import type { ApiContext } from '../context.ts';
import { limitsOf } from '../upload/upload-policy.ts';

/** Seconds until a refused client may try again: uploads end at any time. */
const retryAfter = 60;

/**
 * Reserves space for an upload that is about to begin, or whose length has become known.
 *
 * @throws PicpipeError `too-many-unfinished-uploads` for the bounds of a token or an owner, `uploads-full` for those of all uploads together
 */
export async function reserveUpload(context: ApiContext, caller: Caller, upload: Upload): Promise<void> {
	const bytes = sizeOf(upload, limitsOf(context, caller).maxBytes);
	const excess = await context.uploads.unfinished.reserve(upload.id, bytes, boundsOf(context, caller, upload));
	if (excess) throw refusalOf(excess, bytes);
}

/** The bounds of an upload, from the narrowest to the widest. */
function boundsOf({ config }: ApiContext, { grant }: Caller, upload: Upload): UploadBound[] {
	const { maxBytes } = config;
	const ofToken = grant && {
		group: uploadsOfToken(grant.id),
		uploads: Math.max(config.tokenUnfinished, 2 * grant.maxPictures),
		bytes: grant.maxBytes * Math.min(grant.maxPictures, config.tokenUnfinishedFiles),
	};
	return [
		...(ofToken ? [ofToken] : []),
		{
			group: uploadsOfOwner(ownerOfUpload(upload)),
			uploads: config.keyUnfinished,
			bytes: Math.max(config.keyUnfinishedBytes, maxBytes),
		},
		{ group: everyUpload, uploads: config.unfinished, bytes: Math.max(config.unfinishedBytes, maxBytes) },
	];
}

function refusalOf({ bound, uploads, bytes }: Excess, wanted: number): PicpipeError {
	const isNumber = uploads + 1 > bound.uploads;
	const most = isNumber ? `${bound.uploads} unfinished uploads` : `${bound.bytes} bytes of unfinished uploads`;
	const has = isNumber ? `there are ${uploads}` : `there are ${bytes}, and this upload has ${wanted}`;
	if (bound.group === everyUpload) {
		const names = isNumber ? 'PICPIPE_UNFINISHED' : 'PICPIPE_UNFINISHED_BYTES';
		return new PicpipeError('uploads-full', `Expected at most ${most} (${names}) but ${has}.`, {
			retryAfter,
		});
	}
	const isToken = bound.group.startsWith('token:');
	const who = isToken ? 'with this upload token' : 'with this key';
	// A token has not long to live, so there is no time to wait for.
	return new PicpipeError(
		'too-many-unfinished-uploads',
		`Expected at most ${most} ${who} but ${has}.`,
		isToken ? {} : { retryAfter },
	);
}

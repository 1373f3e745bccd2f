import type { Response } from 'express';
import { cleanFilename } from '../../domain/filename.ts';
import { expiryOf } from '../../intake/forget-uploads.ts';
import type { PartsProgress } from '../../intake/upload-parts.ts';
import { storedRefusal, type Upload } from '../../intake/upload-record.ts';
import { problemOf } from '../middleware/problem.ts';

interface Expiry {
	readonly resumableSeconds: number;
}

/** An upload as the API shows it. */
export function showUpload(
	upload: Upload,
	progress: Pick<PartsProgress, 'offset' | 'lastAt'>,
	{ resumableSeconds }: Expiry,
	{ locals }: Response,
) {
	const { id, createdAt, length, wishes, outcome, concat } = upload;
	const refusal = storedRefusal(upload);
	const picture = outcome && 'picture' in outcome ? outcome : undefined;
	const isWhole = length !== undefined && progress.offset === length;
	const self = `/v1/uploads/${id}`;
	return {
		id,
		state: refusal ? 'refused' : picture || isWhole ? 'complete' : 'incomplete',
		offset: progress.offset,
		...(length !== undefined && { length }),
		createdAt,
		expiresAt: new Date(expiryOf(upload, progress, resumableSeconds)).toISOString(),
		...(concat === 'partial' && { partial: true }),
		...(wishes && {
			filename: cleanFilename(wishes.filename),
			recipe: { name: wishes.recipe.name },
			tags: wishes.tags,
			...(wishes.meta && { meta: wishes.meta }),
		}),
		...(picture && { picture: picture.picture, isNew: picture.isNew }),
		...(refusal && { problem: problemOf(refusal, locals.requestId) }),
		links: { self, ...(picture && { picture: `/v1/pictures/${picture.picture}` }) },
	};
}

/** The headers of every response about an upload: its expiry, and its picture. */
export function uploadHeaders(
	upload: Upload,
	progress: Pick<PartsProgress, 'lastAt'>,
	{ resumableSeconds }: Expiry,
): Record<string, string> {
	const { outcome } = upload;
	if (!outcome) return { 'Upload-Expires': new Date(expiryOf(upload, progress, resumableSeconds)).toUTCString() };
	if (!('picture' in outcome)) return {};
	return { 'Picpipe-Picture': outcome.picture, Link: `</v1/pictures/${outcome.picture}>; rel="related"` };
}

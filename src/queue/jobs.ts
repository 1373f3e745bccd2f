import * as z from 'zod';
import { digest12 } from '../domain/digest.ts';
import { type AwaitedPicture, isReceived, type Picture, type ReceivedPicture, shownUrl } from '../domain/picture.ts';
import { storedRecipeSchema } from '../domain/recipe.ts';
import { stored, storedWord } from '../domain/stored.ts';

/**
 * The contract between producers and workers: queue names, job names, job data, job ids. Job data is small and refers to pictures by id; it
 * never contains image bytes.
 */

/** Every queue, in display order. */
export const queueNames = ['pictures', 'renders', 'fetches', 'webhooks', 'upkeep'] as const;
export type QueueName = (typeof queueNames)[number];

/** Version of the job data's shape. Fields may be added within a version; jobs of a newer version are left to newer workers. */
export const jobVersion = 1;

/** Why a picture is processed. */
export const processReasons = ['upload', 'retry', 'reprocess', 'sweep'] as const;
export type ProcessReason = (typeof processReasons)[number];

const version = z
	.literal(jobVersion)
	.describe('Version of the shape of the data; a worker leaves a newer one to newer workers.');
const pictureId = z.string().describe('The picture to work on.');
const reason = storedWord(processReasons).describe('Why the job exists: `upload`, `retry`, `reprocess` or `sweep`.');
const owner = z
	.string()
	.optional()
	.describe('Who brought the picture in: the group of an API key, `local`, `settings` or `watch`.');
const priority = z
	.union([z.int(), z.literal('urgent')])
	.optional()
	.describe('The priority with which it waited: `urgent`, or a number.');
const requestId = z
	.string()
	.optional()
	.describe('The id of the request that created the picture; its log lines contain the same id.');

/** Job `process` on the queue `pictures`. Only `pictureId` affects the work; the other fields are for people who inspect jobs. */
export const processJobSchema = stored({
	version,
	pictureId,
	reason,
	recipe: stored({ name: z.string(), digest: z.string(), variants: z.array(z.string()) }).describe(
		'Name and digest of the recipe, and its variant names.',
	),
	source: stored({
		type: z.string(),
		bytes: z.int(),
		sha256: z.string(),
		filename: z.string().optional(),
	}).describe('The uploaded file.'),
	owner,
	priority,
	requestId,
});
export type ProcessJob = z.infer<typeof processJobSchema>;

export function processJob(picture: ReceivedPicture, reason: ProcessReason): ProcessJob {
	// Field by field: fields of a newer version's source do not belong into the job.
	const { type, bytes, sha256, filename } = picture.source;
	return processJobSchema.parse({
		version: jobVersion,
		pictureId: picture.id,
		reason,
		recipe: {
			name: picture.recipe.name,
			digest: picture.recipe.digest,
			variants: Object.keys(picture.recipe.definition.variants),
		},
		source: { type, bytes, sha256, ...(filename !== undefined && { filename }) },
		owner: picture.owner,
		requestId: picture.requestId,
	} satisfies z.input<typeof processJobSchema>);
}

/** Derived, so that the same work is never queued twice: picture id, then digest of its bytes, its recipe and the engine version. */
export function processJobId(picture: ReceivedPicture): string {
	return jobIdOf(picture.id, picture.source.sha256, picture.recipe.digest);
}

/** The id for the data of a `process` job. */
export function processJobIdOf(job: ProcessJob): string {
	return jobIdOf(job.pictureId, job.source.sha256, job.recipe.digest);
}

function jobIdOf(pictureId: string, sha256: string, recipeDigest: string): string {
	return `${pictureId}-${digest12(sha256, recipeDigest)}`;
}

/** Job `fetch` on the queue `fetches`. The manifest contains the full URL. */
export const fetchJobSchema = stored({
	version,
	pictureId,
	reason,
	recipe: stored({ name: z.string(), digest: z.string() }).describe('Name and digest of the recipe.'),
	source: stored({ url: z.string(), digest: z.string(), filename: z.string().optional() }).describe(
		'The URL without its query, and a digest of the full URL.',
	),
	owner,
	priority,
	requestId,
});
export type FetchJob = z.infer<typeof fetchJobSchema>;

export function fetchJob(picture: AwaitedPicture, reason: ProcessReason): FetchJob {
	const { url, filename } = picture.source;
	return fetchJobSchema.parse({
		version: jobVersion,
		pictureId: picture.id,
		reason,
		recipe: { name: picture.recipe.name, digest: picture.recipe.digest },
		source: { url: shownUrl(url), digest: digest12(url), filename },
		owner: picture.owner,
		requestId: picture.requestId,
	} satisfies z.input<typeof fetchJobSchema>);
}

/** The id for the data of a `fetch` job: picture id, then digest of its URL. */
export function fetchJobIdOf(job: FetchJob): string {
	return `${job.pictureId}-${job.source.digest}`;
}

/** A picture's next job: `fetch` until its original is stored, then `process`. */
export interface PictureJob {
	readonly queue: 'fetches' | 'pictures';
	readonly id: string;
}

export function jobOf(picture: Picture): PictureJob {
	if (isReceived(picture)) return { queue: 'pictures', id: processJobId(picture) };
	const { id, source } = picture as AwaitedPicture;
	return { queue: 'fetches', id: fetchJobIdOfUrl(id, source.url) };
}

/** All jobs that a picture may have: of its last recipe, and of the fetch before. Jobs of earlier recipes were forgotten with them. */
export function pictureJobsOf(picture: Picture): PictureJob[] {
	const { url } = picture.source;
	const fetched = url === undefined ? [] : [{ queue: 'fetches' as const, id: fetchJobIdOfUrl(picture.id, url) }];
	return isReceived(picture) ? [jobOf(picture), ...fetched] : fetched;
}

/** The id of the job that fetches, or has fetched, a picture from a URL. */
function fetchJobIdOfUrl(pictureId: string, url: string): string {
	return `${pictureId}-${digest12(url)}`;
}

/** The data of a job on a deleted picture, without what it says about the picture. Workers can still parse it. */
export function jobWithoutFacts(data: { readonly pictureId: string }): object {
	const { version, pictureId, reason } = data as { version?: unknown; pictureId: string; reason?: unknown };
	return {
		version,
		pictureId,
		reason,
		recipe: { name: '', digest: '', analyse: [], variants: 'source' in data ? [] : {} },
		source: { type: '', bytes: 0, sha256: '', url: '', digest: '' },
		digest: '0'.repeat(12),
		key: '',
	};
}

/** The picture of a `fetch` or `process` job. */
export function pictureIdOfJob(jobId: string): string {
	return jobId.split('-')[0] ?? jobId;
}

/** Job `render` on the queue `renders`. Its recipe has one variant in one encoding. The digest determines the storage key of the result. */
export const renderJobSchema = stored({
	version,
	pictureId,
	recipe: storedRecipeSchema.describe('A recipe with one variant named `render`, in one format.'),
	digest: z
		.string()
		.regex(/^[0-9a-f]{12}$/)
		.describe('Digest of source, steps, encoding and engine; part of the key.'),
	key: z.string().describe('Storage key of the result.'),
	owner,
	requestId,
});
export type RenderJob = z.infer<typeof renderJobSchema>;

export function renderJob(data: Omit<RenderJob, 'version'>): RenderJob {
	return renderJobSchema.parse({ version: jobVersion, ...data } satisfies z.input<typeof renderJobSchema>);
}

/** Derived, so that requests to any number of API processes share one render. */
export function renderJobId({ pictureId, digest }: Pick<RenderJob, 'pictureId' | 'digest'>): string {
	return `${pictureId}-${digest}`;
}

/** Job `deliver` on the queue `webhooks`. Storage contains the message and its recipient. */
export const deliverJobSchema = stored({
	version,
	endpoint: z.string().describe('The endpoint id, `setting`, or `picture` for the webhook URL of a picture.'),
	messageId: z.string().describe('Message id, the same for every endpoint.'),
	type: z.string().describe('Event type.'),
	pictureId: z.string().optional().describe('The picture of the event.'),
	batchId: z.string().optional().describe('The batch of the event.'),
	receiver: z.string().optional().describe('For `picture`, host and port of the webhook URL.'),
	attemptsBefore: z
		.int()
		.min(0)
		.describe(
			'Attempts before this job was queued: of an earlier job that was lost with Redis, or that had to wait for others of its endpoint.',
		),
	requestId,
});
export type DeliverJob = z.infer<typeof deliverJobSchema>;

export function deliverJob(data: Omit<DeliverJob, 'version'>): DeliverJob {
	return deliverJobSchema.parse({ version: jobVersion, ...data } satisfies z.input<typeof deliverJobSchema>);
}

/** Derived, so that a message is queued at most once for each endpoint. */
export function deliverJobId({ endpoint, messageId }: Pick<DeliverJob, 'endpoint' | 'messageId'>): string {
	return `${messageId}-${endpoint}`;
}

/** Job `sweep` on the queue `upkeep`: finds accepted pictures that have no job. */
export const sweepJobSchema = stored({ version });
export const sweepSchedulerId = 'sweep';

/** Progress of a running job, shown by Arena and the event stream. */
export interface JobProgress {
	/** 0 to 100 */
	readonly percent: number;
	readonly step: string;
	/** Set while no worker has been able to do the job. A single field that is overwritten, so that it does not grow. */
	readonly left?: { readonly since: string; readonly times: number };
}

/** The group of all queues in Arena; the first segment of its URLs. */
export const arenaHostId = 'picpipe';

/** The path of a queue's page, relative to Arena's URL. */
export function arenaQueuePath(queue: QueueName): string {
	return `/${arenaHostId}/${queue}`;
}

/**
 * The path of a job's page, relative to Arena's URL.
 *
 * @example
 * arenaJobPath('pictures', 'pic_01h455vb4pex5vsknk084sn02q-0a1b2c3d4e5f');
 * // '/picpipe/pictures/pic_01h455vb4pex5vsknk084sn02q-0a1b2c3d4e5f'
 */
export function arenaJobPath(queue: QueueName, jobId: string): string {
	return `${arenaQueuePath(queue)}/${encodeURIComponent(jobId)}`;
}

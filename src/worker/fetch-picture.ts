import { type Job, WaitingError } from 'bullmq';
import { readManifest } from '../catalog/manifest.ts';
import { type AwaitedPicture, isFinished, isReceived, type Picture, type Source, shownUrl } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import { type FetchLimits, openRemoteFile } from '../intake/fetch.ts';
import { type ReceiveLimits, receiveFor } from '../intake/receive.ts';
import type { Logger } from '../observe/log.ts';
import { fetchJobSchema, type ProcessReason } from '../queue/jobs.ts';
import type { Queues } from '../queue/queues.ts';
import { type AttemptContext, beginAttempt } from './attempt.ts';
import type { reportTo } from './job-report.ts';
import { forget, type Recorded, type Records, recordFetched, reopen, settle } from './record.ts';

export interface FetchContext extends AttemptContext {
	readonly queues: Queues;
	readonly fetching: FetchLimits;
	readonly receiving: ReceiveLimits;
}

/** Result of a completed job; Arena shows it. */
export interface FetchResult {
	readonly outcome: 'fetched' | 'already-fetched' | Exclude<Recorded, 'recorded'>;
	readonly bytes: number;
	readonly milliseconds: number;
}

/**
 * Fetches the original of one picture: URL → storage → manifest → the queue for processing. If this is done twice, even at the same time,
 * one of the originals becomes the picture's and the other is deleted.
 *
 * @param stopping ends the fetch and returns the job to the queue without spending an attempt
 * @throws an error for BullMQ, after the failure was recorded unless another attempt follows
 */
export async function fetchPicture(
	job: Job<unknown>,
	context: FetchContext,
	stopping: AbortSignal,
	token?: string,
): Promise<FetchResult> {
	const started = performance.now();
	const { data, log, attempt, report, endIfFailed, leaveNothing, succeed, fail } = beginAttempt(
		job,
		fetchJobSchema,
		context,
	);
	const finish = async (outcome: FetchResult['outcome'], bytes = 0): Promise<FetchResult> => {
		const milliseconds = Math.round(performance.now() - started);
		await report.done(outcome);
		log.info({ outcome, attempt, bytes, milliseconds }, 'picture fetched');
		succeed(outcome === 'fetched');
		if (outcome === 'deleted') leaveNothing();
		return { outcome, bytes, milliseconds };
	};

	let picture: AwaitedPicture | undefined;
	try {
		const found = await report.step('read the manifest', () => readManifest(context.storage, data.pictureId));
		if (!found) return finish(await forget(context, data.pictureId));
		if (isReceived(found)) {
			await bringOn(context, found, data.reason, log);
			return finish('already-fetched', found.source.bytes);
		}
		await endIfFailed(found);
		picture = await reopen(context, found as AwaitedPicture);
		const source = await fetchOriginal(context, picture, report, stopping);
		const worked = picture;
		const fetched = await report.step('record', () => recordFetched(context, worked, source));
		if (typeof fetched === 'string') return finish(fetched, source.bytes);
		await bringOn(context, fetched, data.reason, log);
		return finish('fetched', source.bytes);
	} catch (thrown) {
		if (stopping.aborted) {
			await report.end('given back: this worker is stopping');
			await job.moveToWait(token);
			throw new WaitingError();
		}
		// The deletion of the picture also deleted the original that was being written.
		if (picture && (await isGone(context, picture.id))) return finish(await forget(context, picture.id));
		throw await fail(thrown, picture);
	}
}

async function isGone({ storage }: Records, id: string): Promise<boolean> {
	return readManifest(storage, id).then(
		(manifest) => manifest === undefined,
		() => false,
	);
}

/** If Redis is away, the sweep does this later. */
async function bringOn(context: FetchContext, picture: Picture, reason: ProcessReason, log: Logger): Promise<void> {
	try {
		if (isFinished(picture.state)) return await settle(context, picture);
		await context.catalog.put(picture);
		await context.queues.enqueuePicture(picture, reason);
	} catch (err) {
		log.warn({ err }, 'picture fetched but not queued; the sweep will queue it');
	}
}

/** Share of the progress bar for the bytes; connecting before and recording after take the rest. */
const bytesShare = { from: 0.1, to: 0.95 };

async function fetchOriginal(
	{ storage, fetching, receiving }: FetchContext,
	{ id, source }: AwaitedPicture,
	report: ReturnType<typeof reportTo>,
	stopping: AbortSignal,
): Promise<Source> {
	const end = new AbortController();
	const stop = () => end.abort(new PicpipeError('stopping'));
	if (stopping.aborted) stop();
	// By hand: `AbortSignal.any` would keep references to a signal that lives as long as the worker, growing with each fetch.
	stopping.addEventListener('abort', stop, { once: true });
	const late = `Expected the whole file from ${new URL(source.url).host} within ${fetching.seconds} s (${fetching.rules.settings}_SECONDS) but it took longer.`;
	const timer = setTimeout(() => end.abort(new PicpipeError('remote-timeout', late)), fetching.seconds * 1_000);
	try {
		const { signal } = end;
		report.note(`from ${shownUrl(source.url)}`);
		const file = await report.step('fetch', () =>
			openRemoteFile(source.url, fetching, { signal, hosts: source.hosts, onRedirect: report.note }),
		);
		const { from, to } = bytesShare;
		const body = counted(file.body, (bytes) => {
			if (file.bytes) report.progress('receive', from + (to - from) * Math.min(1, bytes / file.bytes));
		});
		return await report.step(
			'receive',
			() =>
				receiveFor(id, storage, { body, filename: file.filename ?? source.filename }, receiving).catch((error) => {
					throw asAnswered(error, file.type);
				}),
			({ bytes }) => bytes,
		);
	} finally {
		clearTimeout(timer);
		stopping.removeEventListener('abort', stop);
	}
}

async function* counted(body: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncIterable<Buffer> {
	let bytes = 0;
	for await (const chunk of body) {
		bytes += chunk.length;
		onBytes(bytes);
		yield chunk;
	}
}

/** Adapts an error about a file to a remote response. */
function asAnswered(error: unknown, type: string | undefined): unknown {
	if (!(error instanceof PicpipeError)) return error;
	if (error.code === 'empty-file')
		return new PicpipeError('remote-refused', 'Expected a picture but the response is empty.');
	if (error.code !== 'unsupported-type' || type === undefined) return error;
	return new PicpipeError(error.code, `${error.message} The server declared them as ${type.slice(0, 100)}.`);
}

import { isReceived, maximumPriority, type Picture, priorityOf } from '../domain/picture.ts';
import { fetchJob, jobOf, type ProcessReason, processJob } from './jobs.ts';

/** A job for the backlog. */
export interface OfferedJob {
	readonly pictureId: string;
	readonly id: string;
	/** Its priority: -1 for urgent ones, which go first, then 0, then 1 to 1000. */
	readonly level: number;
	/** Whose share of the work it takes; empty if nobody's. */
	readonly owner: string;
	/** Estimated work, in megapixels. */
	readonly work: number;
	readonly data: object;
}

/** A job that waits in the backlog, or was just moved. */
export interface WaitingJob {
	readonly pictureId: string;
	readonly id: string;
	readonly level: number;
	readonly data: object;
	/** When it was offered, milliseconds since 1970. */
	readonly timestamp: number;
}

/** The job for the next step of a picture. @param level of the picture itself if not given */
export function offeredJob(picture: Picture, reason: ProcessReason, level?: number): OfferedJob {
	return {
		pictureId: picture.id,
		id: jobOf(picture).id,
		level: level ?? priorityOf(picture),
		owner: picture.owner ?? '',
		work: estimateWork(picture),
		data: isReceived(picture)
			? processJob(picture, reason)
			: fetchJob(picture as Parameters<typeof fetchJob>[0], reason),
	};
}

/**
 * Megapixels of a byte by type, before anything was decoded. Photographs from cameras and phones; wrong by a factor for others, which is
 * corrected after the job.
 */
const megapixelsPerByte: Readonly<Record<string, number>> = {
	'image/jpeg': 4e-6,
	'image/webp': 8e-6,
	'image/avif': 12e-6,
	'image/heic': 8e-6,
	'image/png': 1.5e-6,
	'image/gif': 5e-6,
	'image/tiff': 0.4e-6,
};
const otherMegapixelsPerByte = 4e-6;
/** Every job costs something, megapixels. The script that takes over old jobs has the same number. */
const leastWork = 0.1;

/** The work on a picture, in megapixels to decode: known once it was processed, otherwise guessed by its bytes. */
function estimateWork({ facts, source }: Picture): number {
	const { type, bytes } = source as { readonly type?: string; readonly bytes?: number };
	const guessed = (bytes ?? 0) * (megapixelsPerByte[type ?? ''] ?? otherMegapixelsPerByte);
	return workOf(facts ? (facts.width * facts.height * facts.frames) / 1e6 : guessed);
}

/** What a job counts for when work is shared. @param megapixels that it decodes */
function workOf(megapixels: number): number {
	return Math.max(leastWork, Number(megapixels.toFixed(3)));
}

/** How the scripts of the backlog know a job. */
export const offered = {
	/** Level of jobs that are nobody's hurry. */
	bulk: maximumPriority,
	perByte: otherMegapixelsPerByte,

	/** Key and value of the job. */
	entry({ pictureId, id, level, owner, work, data }: OfferedJob): [string, string] {
		return [pictureId, `${level} ${encodeOwner(owner)} ${work} ${id} ${Date.now()}\n${JSON.stringify(data)}`];
	},
};

/** As the script that takes over old jobs encodes it. */
function encodeOwner(owner: string): string {
	return encodeURIComponent(owner).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}

export function parseEntry(pictureId: string, entry: string): WaitingJob {
	const [head = '', ...data] = entry.split('\n');
	const [level, , , id = '', timestamp] = head.split(' ');
	return {
		pictureId,
		id,
		level: Number(level),
		data: JSON.parse(data.join('\n')),
		timestamp: Number(timestamp) || Date.now(),
	};
}

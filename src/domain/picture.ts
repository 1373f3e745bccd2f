import { fromString, fromUUID, toUUID, typeidUnboxed } from 'typeid-js';
import * as z from 'zod';
import { type ErrorCode, errorTable, failureClasses, PicpipeError } from '../errors.ts';
import { analysisSchema } from './analysis.ts';
import { maximumTags } from './labels.ts';
import { storedRecipeSchema } from './recipe.ts';
import { stored, storedWord } from './stored.ts';

/** A quality that was searched, because the recipe has a target instead of a number. */
const foundQualitySchema = stored({
	value: z.int().min(1).max(100),
	/** Similarity of the variant to the pixels before encoding, as measured by `pipeline/pixels/similarity.ts`. */
	ssim: z.number(),
	/** Encodings that the search needed. */
	tries: z.int().min(1),
});

/** Why a variant is less than requested: the largest side of its format, or an animation beyond the limit of pixels. */
const limitReasons = ['format', 'animation'] as const;

const limitedSchema = stored({
	reason: storedWord(limitReasons),
	/** A sentence for people. */
	message: z.string(),
});
/** Marks a variant as less than its recipe requests. */
export type Limited = z.infer<typeof limitedSchema>;

/** Parts of an original that a variant may lack: the gain map of Ultra HDR. */
const droppableParts = ['gain-map'] as const;
export type DroppedPart = (typeof droppableParts)[number];

/** One stored encoding of one variant. */
export const variantSchema = stored({
	name: z.string(),
	/** The storage key, `.../<name>-<digest12>.<ext>`. */
	key: z.string(),
	/** Encoder: `webp`, `jpeg`, ... */
	format: z.string(),
	/** Media type. */
	type: z.string(),
	width: z.int().min(1),
	height: z.int().min(1),
	bytes: z.int().min(1),
	quality: foundQualitySchema.optional(),
	/** Absent if the variant matches its recipe. */
	limited: limitedSchema.optional(),
	/** Parts of the original that the variant lacks; absent if there are none. */
	dropped: z.array(storedWord(droppableParts)).min(1).optional(),
	/** Digest of source, steps, encoding and engine: equal pictures have equal digests. */
	digest: z.string(),
	/** SHA-256 of the stored bytes; also its ETag. */
	sha256: z.string(),
	/** Time spent on resizing and encoding it. */
	milliseconds: z.number().min(0),
});
export type Variant = z.infer<typeof variantSchema>;

/** Version of the manifest's shape. Fields may be added within a version; this code cannot read other versions. */
export const manifestVersion = 1;

/** `queued` → `processing` → `ready` or `failed`; a finished picture can be queued again. */
export const pictureStates = ['queued', 'processing', 'ready', 'failed'] as const;
export type PictureState = (typeof pictureStates)[number];

/** A TypeID: `pic_` and a UUIDv7 in Crockford's base32, whose first character never exceeds 7. */
const pictureIdPattern = /^pic_[0-7][0-9abcdefghjkmnpqrstvwxyz]{25}$/;

/**
 * Owners that are no group of a key in storage: this machine while no key exists, the keys of `PICPIPE_API_KEYS`, and the watched folder.
 */
export const builtInOwners = { local: 'local', settings: 'settings', watch: 'watch' } as const;

/** 0 means first come, first served and goes before every other number; of the others, 1 goes first (BullMQ's own rule). */
export const maximumPriority = 1000;
/** Goes before every number. A manifest has it as `urgent`, because older versions read numbers from 0. */
export const urgentPriority = -1;
/** Priorities by name. */
export const namedPriorities = { urgent: urgentPriority, normal: 0, bulk: maximumPriority } as const;

/** The fields that store a priority. @param priority 0 to 1000, or -1 for urgent */
export function storedPriority(priority: number): Pick<Picture, 'priority' | 'urgent'> {
	return { priority: Math.max(0, priority), ...(priority === urgentPriority && { urgent: true }) };
}

/** The priority as a number, -1 for an urgent picture. */
export function priorityOf({ priority, urgent }: Pick<Picture, 'priority' | 'urgent'>): number {
	return urgent ? urgentPriority : priority;
}

const failureSchema = stored({
	class: storedWord(failureClasses),
	code: storedWord(Object.keys(errorTable) as ErrorCode[]),
	message: z.string(),
	step: z.string().optional(),
	attempt: z.int().min(1),
	at: z.iso.datetime(),
	/** Circumstances of a failure that killed the imaging process. */
	seen: stored({
		lastStep: z.string().optional(),
		megapixels: z.number().optional(),
		residentBytes: z.int().optional(),
	}).optional(),
});
/** Why a picture failed, as stored and shown. */
export type Failure = z.infer<typeof failureSchema>;

const variantFailureSchema = stored({
	variant: z.string(),
	/** The encoder; absent if all encodings of the variant are missing. */
	format: z.string().optional(),
	...failureSchema.shape,
});
/** Why a variant of a picture is missing, as stored and shown. */
export type FailedVariant = z.infer<typeof variantFailureSchema>;

/** An original that is in storage. */
export const sourceSchema = stored({
	key: z.string(),
	type: z.string(),
	bytes: z.int().min(1),
	sha256: z.string().regex(/^[0-9a-f]{64}$/),
	/** The client's file name, cleaned for display; never used as a path. */
	filename: z.string().optional(),
	/** URL that it was fetched from, as the client gave it. It may contain a signature, so show it with `shownUrl`. */
	url: z.string().optional(),
});
export type Source = z.infer<typeof sourceSchema>;

/** An original that is still to be fetched, as stored in a manifest. */
export const awaitedSchema = stored({
	/** A placeholder object for the original, which contains only the URL. */
	key: z.string(),
	url: z.string(),
	filename: z.string().optional(),
	/** Allowed hosts for the URL and its redirects, in addition to the worker's configuration. */
	hosts: z.array(z.string()).optional(),
});
/** An original that is still to be fetched. */
export type AwaitedSource = z.infer<typeof awaitedSchema>;

const factsSchema = stored({
	format: z.string(),
	/** Pixels, after applying the EXIF orientation. */
	width: z.int().min(1),
	height: z.int().min(1),
	/** Frames of an animation, pages of a TIFF. */
	frames: z.int().min(1),
	alpha: z.boolean(),
	/** EXIF orientation as found in the original, 1 to 8. */
	orientation: z.int().min(1).max(8),
	colourSpace: z.string(),
	/** Set for Ultra HDR, a JPEG with a gain map. */
	gainMap: z.literal(true).optional(),
});
/** Facts about the original, read by the worker. */
export type Facts = z.infer<typeof factsSchema>;

const waitingSchema = stored({
	/** A sentence for people. */
	reason: z.string(),
	since: z.iso.datetime(),
});
/** Why a picture waits although workers are running. */
export type Waiting = z.infer<typeof waitingSchema>;

/** The manifest of a picture, stored as `picture.json` beside its original. It is the source of truth about the picture. */
export const pictureSchema = stored({
	version: z.literal(manifestVersion),
	id: z.string().regex(pictureIdPattern),
	state: z.enum(pictureStates),
	/** Grows with every change, so that a late write never overtakes a newer one in the index. */
	revision: z.int().min(1),
	createdAt: z.iso.datetime(),
	updatedAt: z.iso.datetime(),
	// A received original is never mistaken for one that is still to be fetched.
	source: z.union([sourceSchema, awaitedSchema.refine((source) => !('sha256' in source))]),
	facts: factsSchema.optional(),
	recipe: stored({ name: z.string(), digest: z.string(), definition: storedRecipeSchema }),
	priority: z.int().min(0).max(maximumPriority),
	/** Overtakes everything that waits, whatever the number. */
	urgent: z.literal(true).optional(),
	tags: z.array(z.string()).max(maximumTags),
	/** Metadata of the uploader's own, for people and their programs. Nothing here acts on it. */
	meta: z.record(z.string(), z.string()).optional(),
	/**
	 * Who brought it in: the group of a key, or one of `builtInOwners`. Absent if it is older than owners, or was fetched for a URL of an image.
	 */
	owner: z.string().optional(),
	/** The batch of the picture. */
	batch: z.string().optional(),
	/** URL to notify about this picture, as the client gave it. It may contain a secret, so show it with `shownUrl`. */
	webhook: z.string().optional(),
	/** The request that created the picture, for its log lines. */
	requestId: z.string().optional(),
	/** Storage keys of records outside the picture's folder that repeat facts about it; its deletion purges them. */
	records: z.array(z.string()).optional(),
	variants: z.array(variantSchema),
	analysis: analysisSchema,
	/** Digest of source, requested analysis and engine that `analysis` was made with. */
	analysisDigest: z.string().optional(),
	/** Make every variant again, including the stored ones; removed when that is done. */
	force: z.literal(true).optional(),
	/** Set if there is no variant of the recipe. */
	failure: failureSchema.optional(),
	/** The variants that could not be made; absent if there are none. A picture with other variants is `ready` all the same. */
	failures: z.array(variantFailureSchema).min(1).optional(),
	/** Why the picture was left to other workers. Only the index has this: it describes the current workers, not the picture. */
	waiting: waitingSchema.optional(),
});
export type Picture = z.infer<typeof pictureSchema>;

/** A picture whose original is in storage. */
export type ReceivedPicture = Picture & { readonly source: Source };
/** A picture whose original is still to be fetched. */
export type AwaitedPicture = Picture & { readonly source: AwaitedSource };

/** Is the original stored? Always for an uploaded file; for a URL, once it is fetched. */
export function isReceived(picture: Picture): picture is ReceivedPicture {
	return 'sha256' in picture.source;
}

/**
 * A URL for display, without its query, which may contain a signature.
 *
 * @example
 * shownUrl('https://example.org/a.jpg?X-Amz-Signature=0a1b'); // 'https://example.org/a.jpg?…'
 */
export function shownUrl(url: string): string {
	const { origin, pathname, search } = new URL(url);
	return `${origin}${pathname}${search && '?…'}`;
}

/** A new id. Ids sort by creation time. */
export function newPictureId(): string {
	return typeidUnboxed('pic');
}

export function isPictureId(text: string): boolean {
	return pictureIdPattern.test(text);
}

/** @throws PicpipeError `invalid-id` for anything else than a picture id */
export function parsePictureId(text: string): string {
	if (!pictureIdPattern.test(text)) {
		throw new PicpipeError(
			'invalid-id',
			`Expected an id like ${newPictureId()} but received ${JSON.stringify(text.slice(0, 80))}.`,
		);
	}
	return text;
}

/** Creation time of the id, from the first 48 bits of its UUIDv7 (RFC 9562, section 5.7), milliseconds since 1970. */
export function pictureIdTime(id: string): number {
	return Number.parseInt(toUUID(fromString(id, 'pic')).replaceAll('-', '').slice(0, 12), 16);
}

/** The lowest id of a time, which need not exist: a bound for ids by time. @param time milliseconds since 1970 */
export function firstPictureIdAt(time: number): string {
	const hex = Math.max(0, Math.floor(time)).toString(16).padStart(12, '0');
	return fromUUID(`${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`, 'pic');
}

/** Has the picture ended? */
export function isFinished(state: PictureState): boolean {
	return state === 'ready' || state === 'failed';
}

/** Why a picture failed, or why a ready one lacks variants; empty if there is nothing to retry. */
export function failuresOf({ state, failure, failures = [] }: Picture): readonly Failure[] {
	if (state === 'failed') return failure ? [failure] : [];
	return state === 'ready' ? failures : [];
}

/** Is there something to retry: the picture itself, or variants of one that is ready? */
export function isFailing(picture: Picture): boolean {
	return picture.state === 'failed' || failuresOf(picture).length > 0;
}

/** Is the picture itself damaged, so that no variant can be made? */
export function isDamaged({ state, failure, failures }: Picture): boolean {
	return state === 'failed' && failure?.class === 'corrupt' && failures === undefined;
}

/** Thrown for a manifest of a newer version, whose shape this version does not know. Newer processes can handle it. */
export class NewerManifestError extends PicpipeError {
	readonly version: number;

	/** @param version of the manifest */
	constructor(version: number) {
		super(
			'internal',
			`Expected a manifest of version ${manifestVersion} but a newer picpipe wrote version ${version}.`,
		);
		this.version = version;
	}
}

/** @throws PicpipeError `internal` for an unreadable manifest; `NewerManifestError` if a newer version can read it */
export function parsePicture(json: string): Picture {
	try {
		const manifest: unknown = JSON.parse(json);
		const { version } = (manifest ?? {}) as { readonly version?: unknown };
		if (Number.isSafeInteger(version) && (version as number) > manifestVersion)
			throw new NewerManifestError(version as number);
		return pictureSchema.parse(manifest);
	} catch (cause) {
		if (cause instanceof NewerManifestError) throw cause;
		throw new PicpipeError('internal', 'A manifest is unreadable.', { cause });
	}
}

/**
 * The one table of errors. HTTP answers, the decision to retry, what a manifest stores and the reference page
 * (`docs/reference/errors.md`) all read the same row.
 */

/** Why a picture failed. Only `transient` and `internal` are worth another attempt. */
export const failureClasses = ['corrupt', 'unsupported', 'limit', 'transient', 'internal'] as const;
export type FailureClass = (typeof failureClasses)[number];

/** `request` marks an error of the caller's request; no picture is concerned. */
export type ErrorClass = FailureClass | 'request';

interface ErrorRow {
	/** HTTP status that the API answers with (RFC 9110). */
	readonly status: number;
	readonly class: ErrorClass;
	/** Public sentence, the `title` of the problem document (RFC 9457). */
	readonly title: string;
}

export const errorTable = {
	// The request itself
	'malformed-request': { status: 400, class: 'request', title: 'The request could not be understood.' },
	'malformed-multipart': { status: 400, class: 'request', title: 'The multipart body is malformed or was cut off.' },
	'no-file': { status: 400, class: 'request', title: 'The request holds no file.' },
	'empty-file': { status: 400, class: 'request', title: 'The file is empty.' },
	'invalid-field': { status: 400, class: 'request', title: 'A field has a value that is not allowed.' },
	'unknown-field': { status: 400, class: 'request', title: 'A field is not known here.' },
	'unknown-recipe': { status: 400, class: 'request', title: 'There is no recipe of that name.' },
	'unknown-batch': { status: 400, class: 'request', title: 'There is no batch with that id.' },
	'invalid-recipe': { status: 400, class: 'request', title: 'The recipe is not valid.' },
	'inline-recipes-off': { status: 403, class: 'request', title: 'Requests may not bring recipes of their own here.' },
	'invalid-id': { status: 400, class: 'request', title: 'That is not the id of a picture.' },
	'invalid-idempotency-key': { status: 400, class: 'request', title: 'The idempotency key is not valid.' },
	'invalid-upload-header': { status: 400, class: 'request', title: 'A header of the resumable upload is not valid.' },
	'upload-aborted': { status: 400, class: 'request', title: 'The upload ended before it was complete.' },
	unauthorized: { status: 401, class: 'request', title: 'A valid API key is needed.' },
	'invalid-upload-token': { status: 401, class: 'request', title: 'The upload token is not valid.' },
	'insufficient-scope': { status: 403, class: 'request', title: 'The API key may not do that.' },
	'upload-concatenated': {
		status: 403,
		class: 'request',
		title: 'An upload that was made of partial ones takes no bytes.',
	},
	'recipe-not-allowed': { status: 403, class: 'request', title: 'The API key may not use that recipe.' },
	'fixed-by-token': { status: 403, class: 'request', title: 'The upload token has decided that already.' },
	'cross-site': { status: 403, class: 'request', title: 'Requests from other web sites are refused.' },
	'not-found': { status: 404, class: 'request', title: 'There is nothing at that address.' },
	'picture-not-found': { status: 404, class: 'request', title: 'There is no picture with that id.' },
	'upload-not-found': { status: 404, class: 'request', title: 'There is no upload with that id.' },
	'layer-not-found': {
		status: 404,
		class: 'request',
		title: 'There is no picture for a layer that the address names.',
	},
	'variant-not-found': { status: 404, class: 'request', title: 'The picture has no such variant.' },
	'recipe-not-found': { status: 404, class: 'request', title: 'There is no recipe of that name.' },
	'queue-not-found': { status: 404, class: 'request', title: 'There is no queue of that name.' },
	'batch-not-found': { status: 404, class: 'request', title: 'There is no batch with that id.' },
	'webhook-not-found': { status: 404, class: 'request', title: 'There is no endpoint of webhooks with that id.' },
	'delivery-not-found': { status: 404, class: 'request', title: 'The endpoint has no such delivery.' },
	'method-not-allowed': { status: 405, class: 'request', title: 'That method is not allowed at this address.' },
	'upload-too-slow': { status: 408, class: 'request', title: 'The request body came too slowly.' },
	'wrong-offset': { status: 409, class: 'request', title: 'The upload has come further, or less far.' },
	'upload-unfinished': { status: 409, class: 'request', title: 'A partial upload is not complete yet.' },
	'upload-expired': { status: 410, class: 'request', title: 'The upload has expired.' },
	'unsupported-tus-version': { status: 412, class: 'request', title: 'That version of tus is not spoken here.' },
	'upload-locked': { status: 423, class: 'request', title: 'Another request is working on the upload.' },
	'checksum-mismatch': { status: 460, class: 'request', title: 'The bytes do not have that checksum.' },
	'batch-closed': { status: 409, class: 'request', title: 'The batch takes no further picture.' },
	'delivery-busy': { status: 409, class: 'request', title: 'The webhook is being delivered.' },
	'webhook-disabled': { status: 409, class: 'request', title: 'The endpoint is disabled.' },
	'webhook-fixed': { status: 409, class: 'request', title: 'The endpoint is that of the settings.' },
	'too-many-webhooks': {
		status: 409,
		class: 'request',
		title: 'There are as many endpoints of webhooks as there may be.',
	},
	'picture-busy': { status: 409, class: 'request', title: 'The picture is being worked on.' },
	'duplicate-picture': { status: 409, class: 'request', title: 'There is a picture of the same bytes already.' },
	'idempotency-key-in-use': {
		status: 409,
		class: 'request',
		title: 'A request with that idempotency key is under way.',
	},
	'idempotency-key-reused': {
		status: 422,
		class: 'request',
		title: 'The idempotency key was used for another request.',
	},
	'not-hashed': { status: 409, class: 'request', title: 'The picture has no perceptual hash to compare.' },
	'webhook-unsigned': {
		status: 422,
		class: 'request',
		title: 'There is no secret to sign webhooks with that uploads ask for.',
	},
	'not-processed': { status: 409, class: 'request', title: 'The picture has not been worked on yet.' },
	'not-fetched': { status: 409, class: 'request', title: 'The picture has not been fetched yet.' },
	'not-failed': { status: 409, class: 'request', title: 'Only a failed picture can be retried.' },
	'body-too-large': { status: 413, class: 'request', title: 'The request body is too large.' },
	'unsupported-media-type': { status: 415, class: 'request', title: 'That content type is not accepted here.' },
	'rate-exceeded': { status: 429, class: 'request', title: 'The API key has made too many requests.' },
	'concurrency-exceeded': { status: 429, class: 'request', title: 'The API key has too many requests under way.' },
	'quota-exceeded': { status: 429, class: 'request', title: 'No more pictures are allowed for now.' },
	'invalid-delivery-url': { status: 400, class: 'request', title: 'The address of the picture is not understood.' },
	'option-unsupported': { status: 400, class: 'request', title: 'The address has an option that is not known here.' },
	'invalid-signature': { status: 403, class: 'request', title: 'The address is not signed as it has to be.' },
	'delivery-keys-missing': { status: 422, class: 'request', title: 'There is no key to sign addresses with.' },
	'source-not-allowed': { status: 403, class: 'request', title: 'Pictures of that host are not served here.' },
	'url-expired': { status: 410, class: 'request', title: 'The address has expired.' },
	'range-not-satisfiable': { status: 416, class: 'request', title: 'The range lies outside of the file.' },

	// The picture
	'file-too-large': { status: 413, class: 'limit', title: 'The file is larger than allowed.' },
	'too-many-parts': { status: 413, class: 'limit', title: 'The upload came in more parts than allowed.' },
	'too-many-files': { status: 413, class: 'limit', title: 'There are more files than allowed.' },
	'too-many-pixels': { status: 422, class: 'limit', title: 'The picture has more pixels than allowed.' },
	'too-wide-or-high': { status: 422, class: 'limit', title: 'The picture is wider or higher than allowed.' },
	'too-many-frames': { status: 422, class: 'limit', title: 'The picture has more frames than allowed.' },
	'too-many-elements': { status: 422, class: 'limit', title: 'The SVG has more elements than allowed.' },
	'recipe-too-large': { status: 422, class: 'limit', title: 'The recipe is larger than allowed.' },
	'output-too-large': { status: 422, class: 'limit', title: 'A variant would be larger than allowed.' },
	'picture-timeout': { status: 422, class: 'limit', title: 'The picture took longer to process than allowed.' },
	'unsupported-type': { status: 415, class: 'unsupported', title: 'The file is not a picture of a supported type.' },
	'unsupported-feature': {
		status: 422,
		class: 'unsupported',
		title: 'The picture uses a feature that is not supported.',
	},
	'no-such-page': { status: 422, class: 'unsupported', title: 'The picture has no such page.' },
	// Another server, asked for a picture or told of one
	'url-unsupported': { status: 422, class: 'unsupported', title: 'That kind of address cannot be asked.' },
	'url-not-allowed': { status: 422, class: 'unsupported', title: 'That address may not be asked from here.' },
	'address-not-allowed': {
		status: 422,
		class: 'unsupported',
		title: 'The address leads into a network that may not be reached from here.',
	},
	'remote-missing': { status: 422, class: 'unsupported', title: 'The other server has nothing at that address.' },
	'remote-refused': { status: 422, class: 'unsupported', title: 'The other server gave an answer that is of no use.' },
	'remote-untrusted': { status: 422, class: 'unsupported', title: 'The other server could not prove who it is.' },
	'too-many-redirects': { status: 422, class: 'limit', title: 'The other server led on more often than allowed.' },
	'remote-unavailable': { status: 503, class: 'transient', title: 'The other server cannot serve at the moment.' },
	'webhook-gone': { status: 422, class: 'unsupported', title: 'The receiver wants no more webhooks.' },
	'webhook-refused': { status: 503, class: 'transient', title: 'The receiver of a webhook did not take it.' },
	'remote-timeout': { status: 503, class: 'transient', title: 'The other server took too long.' },

	'corrupt-picture': { status: 422, class: 'corrupt', title: 'The picture is damaged and cannot be decoded.' },
	'asset-missing': { status: 500, class: 'unsupported', title: 'A picture that the recipe uses is not there.' },
	'asset-changed': {
		status: 503,
		class: 'transient',
		title: 'A picture that the recipe uses was replaced at this very moment.',
	},
	'no-fonts': { status: 500, class: 'unsupported', title: 'The machine has no font to write with.' },
	'original-changed': { status: 500, class: 'internal', title: 'The stored original is not what was received.' },
	'original-missing': { status: 500, class: 'internal', title: 'The stored original is gone.' },
	'imaging-process-died': { status: 500, class: 'internal', title: 'The process that worked on the picture died.' },
	'invalid-job': { status: 500, class: 'unsupported', title: 'The job holds data that this version cannot read.' },
	'worker-lost': {
		status: 500,
		class: 'internal',
		title: 'The worker was lost too often while working on the picture.',
	},

	// What we stand on
	'queue-unavailable': { status: 503, class: 'transient', title: 'The queue cannot be reached at the moment.' },
	'storage-unavailable': { status: 503, class: 'transient', title: 'The storage cannot be reached at the moment.' },
	'duplicate-undecided': {
		status: 503,
		class: 'transient',
		title: 'Whether there is a picture of the same bytes cannot be told at the moment.',
	},
	'queue-full': { status: 503, class: 'transient', title: 'Too much work is waiting already.' },
	'render-queue-full': { status: 503, class: 'transient', title: 'Too many pictures are waiting to be made.' },
	'render-unfinished': { status: 503, class: 'transient', title: 'The picture is still being made.' },
	'storage-nearly-full': { status: 503, class: 'transient', title: 'There is too little room left for uploads.' },
	stopping: { status: 503, class: 'transient', title: 'The server is stopping.' },
	'picture-still-there': { status: 503, class: 'transient', title: 'The picture is still being deleted.' },
	'storage-full': { status: 507, class: 'transient', title: 'The storage is full.' },
	internal: { status: 500, class: 'internal', title: 'Something went wrong on our side.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** Is another attempt worth it? Decided by the class alone, so that no caller can disagree. */
export function isRetryable(errorClass: ErrorClass): boolean {
	return errorClass === 'transient' || errorClass === 'internal';
}

/** The class that a picture has whose work failed with a code: a request is not to blame for it. */
export function failureClassOf(code: ErrorCode): FailureClass {
	const { class: errorClass } = errorTable[code];
	return errorClass === 'request' ? 'internal' : errorClass;
}

/** What was seen of a picture that took its process with it. */
export interface Seen {
	/** The last step that was finished. */
	readonly lastStep?: string;
	/** Million pixels that were to be decoded or made, if it got so far. */
	readonly megapixels?: number;
	/** Most resident memory of the process, bytes, as far as it was looked at. */
	readonly residentBytes?: number;
}

type PicpipeErrorOptions = Partial<
	Pick<PicpipeError, 'step' | 'seen' | 'pictureId' | 'asset' | 'scope' | 'retryAfter' | 'violatedPolicies'>
> & {
	readonly cause?: unknown;
};

/**
 * An error with a row in the table.
 *
 * @example
 * throw new PicpipeError('file-too-large', 'Expected at most 100 MB for a file but received more.');
 */
export class PicpipeError extends Error {
	override readonly name = 'PicpipeError';
	readonly code: ErrorCode;
	/** The step of the work in which it happened, such as `decode` or `encode large.webp`. */
	readonly step: string | undefined;
	readonly seen: Seen | undefined;
	/** Another picture that it is about. */
	readonly pictureId: string | undefined;
	/** The file or picture that steps use and that is not there. */
	readonly asset: string | undefined;
	/** The scope that is missing. */
	readonly scope: string | undefined;
	/** Seconds after which another try may go well. */
	readonly retryAfter: number | undefined;
	/** Names of the limits that would have been exceeded, as in `RateLimit-Policy`. */
	readonly violatedPolicies: readonly string[] | undefined;

	/** @param detail One sentence for a person: what was expected, for which name, and what came. */
	constructor(code: ErrorCode, detail?: string, options: PicpipeErrorOptions = {}) {
		super(detail ?? errorTable[code].title, options.cause === undefined ? undefined : { cause: options.cause });
		this.code = code;
		this.step = options.step;
		this.seen = options.seen;
		this.pictureId = options.pictureId;
		this.asset = options.asset;
		this.scope = options.scope;
		this.retryAfter = options.retryAfter;
		this.violatedPolicies = options.violatedPolicies;
	}

	get status(): number {
		return errorTable[this.code].status;
	}

	get class(): ErrorClass {
		return errorTable[this.code].class;
	}

	get title(): string {
		return errorTable[this.code].title;
	}

	get retryable(): boolean {
		return isRetryable(this.class);
	}
}

/** Node's codes for a disk that takes no more: out of space, over quota. */
const diskFullCodes = new Set(['ENOSPC', 'EDQUOT']);
/** Node's codes for trouble that may pass: out of handles, I/O error, lost or refused connections. */
const passingCodes = new Set(['EMFILE', 'ENFILE', 'EIO', 'EAGAIN', 'EBUSY', 'ESTALE', 'EROFS']);

/** Turns whatever was thrown into an error with a row: ours stays, the file system's is classified, the rest is `internal`. */
export function toPicpipeError(error: unknown, step?: string): PicpipeError {
	if (error instanceof PicpipeError) return error;
	const code = (error as { code?: unknown } | null)?.code;
	if (typeof code === 'string' && diskFullCodes.has(code)) {
		return new PicpipeError('storage-full', undefined, { cause: error, step });
	}
	if (typeof code === 'string' && passingCodes.has(code)) {
		return new PicpipeError('storage-unavailable', undefined, { cause: error, step });
	}
	return new PicpipeError('internal', undefined, { cause: error, step });
}

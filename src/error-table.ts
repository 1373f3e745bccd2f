/**
 * The one table of errors. HTTP answers, the decision to retry, what a manifest stores and the reference page
 * (`docs/reference/errors.md`) all read the same row.
 */
import { nextSteps } from './next-steps.ts';

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
	'malformed-request': { status: 400, class: 'request', title: 'The request is malformed.' },
	'malformed-multipart': { status: 400, class: 'request', title: 'The multipart body is malformed or incomplete.' },
	'no-file': { status: 400, class: 'request', title: 'The request contains no file.' },
	'empty-file': { status: 400, class: 'request', title: 'The file is empty.' },
	'invalid-field': { status: 400, class: 'request', title: 'A field has an invalid value.' },
	'unknown-field': { status: 400, class: 'request', title: 'The request contains an unknown field.' },
	'unknown-recipe': { status: 400, class: 'request', title: 'No recipe has this name.' },
	'unknown-batch': { status: 400, class: 'request', title: 'No batch has this id.' },
	'invalid-recipe': { status: 400, class: 'request', title: 'The recipe is invalid.' },
	'inline-recipes-off': { status: 403, class: 'request', title: 'Inline recipes are disabled.' },
	'invalid-id': { status: 400, class: 'request', title: 'The picture id is invalid.' },
	'invalid-idempotency-key': { status: 400, class: 'request', title: 'The idempotency key is invalid.' },
	'invalid-upload-header': { status: 400, class: 'request', title: 'A header of the resumable upload is invalid.' },
	'upload-aborted': { status: 400, class: 'request', title: 'The upload was aborted before it was complete.' },
	unauthorized: { status: 401, class: 'request', title: 'A valid API key is required.' },
	'invalid-upload-token': { status: 401, class: 'request', title: 'The upload token is invalid.' },
	'insufficient-scope': { status: 403, class: 'request', title: 'The API key lacks the required scope.' },
	'upload-concatenated': {
		status: 403,
		class: 'request',
		title: 'An upload assembled from partial uploads accepts no bytes.',
	},
	'recipe-not-allowed': { status: 403, class: 'request', title: 'The API key may not use this recipe.' },
	'fixed-by-token': { status: 403, class: 'request', title: 'The upload token already sets this field.' },
	'cross-site': { status: 403, class: 'request', title: 'Requests from other websites are refused.' },
	'not-found': { status: 404, class: 'request', title: 'Nothing exists at this URL.' },
	'picture-not-found': { status: 404, class: 'request', title: 'No picture has this id.' },
	'upload-not-found': { status: 404, class: 'request', title: 'No upload has this id.' },
	'layer-not-found': { status: 404, class: 'request', title: 'No picture exists for a layer in the URL.' },
	'variant-not-found': { status: 404, class: 'request', title: 'The picture has no variant with this name.' },
	'recipe-not-found': { status: 404, class: 'request', title: 'No recipe has this name.' },
	'queue-not-found': { status: 404, class: 'request', title: 'No queue has this name.' },
	'batch-not-found': { status: 404, class: 'request', title: 'No batch has this id.' },
	'webhook-not-found': { status: 404, class: 'request', title: 'No webhook endpoint has this id.' },
	'delivery-not-found': { status: 404, class: 'request', title: 'The webhook endpoint has no delivery with this id.' },
	'method-not-allowed': { status: 405, class: 'request', title: 'This URL does not support the request method.' },
	'upload-too-slow': { status: 408, class: 'request', title: 'The request body arrived too slowly.' },
	'wrong-offset': { status: 409, class: 'request', title: 'Upload-Offset does not match the current offset.' },
	'upload-unfinished': { status: 409, class: 'request', title: 'A partial upload is not complete yet.' },
	'picture-deleted': { status: 410, class: 'request', title: 'The picture of this request was deleted.' },
	'upload-expired': { status: 410, class: 'request', title: 'The upload has expired.' },
	'unsupported-tus-version': {
		status: 412,
		class: 'request',
		title: 'This version of the tus protocol is not supported.',
	},
	'upload-locked': { status: 423, class: 'request', title: 'Another request is writing to the upload.' },
	'checksum-mismatch': { status: 460, class: 'request', title: 'The checksum does not match the received bytes.' },
	'batch-closed': { status: 409, class: 'request', title: 'The batch is closed and accepts no more pictures.' },
	'delivery-busy': { status: 409, class: 'request', title: 'The webhook is being delivered.' },
	'webhook-disabled': { status: 409, class: 'request', title: 'The webhook endpoint is disabled.' },
	'webhook-fixed': {
		status: 409,
		class: 'request',
		title: 'This endpoint comes from the configuration and cannot be changed here.',
	},
	'too-many-webhooks': {
		status: 409,
		class: 'request',
		title: 'The maximum number of webhook endpoints has been reached.',
	},
	'picture-busy': { status: 409, class: 'request', title: 'The picture is being processed.' },
	'duplicate-picture': { status: 409, class: 'request', title: 'A picture with the same bytes already exists.' },
	'idempotency-key-in-use': {
		status: 409,
		class: 'request',
		title: 'A request with this idempotency key is in progress.',
	},
	'idempotency-key-reused': {
		status: 422,
		class: 'request',
		title: 'The idempotency key was already used for a different request.',
	},
	'not-hashed': { status: 409, class: 'request', title: 'The picture has no perceptual hash to compare.' },
	'webhook-unsigned': {
		status: 422,
		class: 'request',
		title: 'No secret is configured to sign webhooks requested by uploads.',
	},
	'not-processed': { status: 409, class: 'request', title: 'The picture has not been processed yet.' },
	'not-fetched': { status: 409, class: 'request', title: 'The picture has not been fetched yet.' },
	'not-failed': { status: 409, class: 'request', title: 'Only a picture with failures can be retried.' },
	'body-too-large': { status: 413, class: 'request', title: 'The request body is too large.' },
	'unsupported-media-type': { status: 415, class: 'request', title: 'The content type is not accepted.' },
	'rate-exceeded': { status: 429, class: 'request', title: 'The API key has exceeded its request rate.' },
	'concurrency-exceeded': { status: 429, class: 'request', title: 'The API key has too many concurrent requests.' },
	'too-many-unfinished-uploads': { status: 429, class: 'request', title: 'There are too many unfinished uploads.' },
	'quota-exceeded': { status: 429, class: 'request', title: 'The picture quota has been used up for now.' },
	'invalid-delivery-url': { status: 400, class: 'request', title: 'The image URL is invalid.' },
	'option-unsupported': { status: 400, class: 'request', title: 'The image URL contains an unsupported option.' },
	'invalid-signature': { status: 403, class: 'request', title: 'The URL signature is invalid.' },
	'delivery-keys-missing': { status: 422, class: 'request', title: 'No key is configured to sign URLs with.' },
	'source-not-allowed': { status: 403, class: 'request', title: 'Pictures from this host are not allowed.' },
	'url-expired': { status: 410, class: 'request', title: 'The URL has expired.' },
	'precondition-failed': {
		status: 412,
		class: 'request',
		title: 'The file does not match the condition of the request.',
	},
	'range-not-satisfiable': { status: 416, class: 'request', title: 'The requested range is outside the file.' },

	// The picture
	'file-too-large': { status: 413, class: 'limit', title: 'The file is larger than allowed.' },
	'too-many-parts': { status: 413, class: 'limit', title: 'The upload has more parts than allowed.' },
	'too-many-files': { status: 413, class: 'limit', title: 'The request contains more files than allowed.' },
	'too-many-pixels': { status: 422, class: 'limit', title: 'The picture has more pixels than allowed.' },
	'too-wide-or-high': { status: 422, class: 'limit', title: 'The picture is wider or higher than allowed.' },
	'too-many-frames': { status: 422, class: 'limit', title: 'The picture has more frames than allowed.' },
	'too-many-elements': { status: 422, class: 'limit', title: 'The SVG has more elements than allowed.' },
	'recipe-too-large': { status: 422, class: 'limit', title: 'The recipe is larger than allowed.' },
	'output-too-large': { status: 422, class: 'limit', title: 'A variant would exceed the size limit.' },
	'scratch-too-small': { status: 422, class: 'limit', title: 'The scratch folder has no room for the picture.' },
	'picture-timeout': { status: 422, class: 'limit', title: 'Processing the picture took longer than allowed.' },
	'unsupported-type': { status: 415, class: 'unsupported', title: 'The file type is not supported.' },
	'unsupported-feature': {
		status: 422,
		class: 'unsupported',
		title: 'The picture uses a feature that is not supported.',
	},
	'no-such-page': { status: 422, class: 'unsupported', title: 'The picture does not have this page.' },
	// Remote servers: fetches and webhooks
	'url-unsupported': { status: 422, class: 'unsupported', title: 'URLs of this kind cannot be fetched.' },
	'url-not-allowed': { status: 422, class: 'unsupported', title: 'This URL may not be requested.' },
	'address-not-allowed': {
		status: 422,
		class: 'unsupported',
		title: 'The host resolves to a network that may not be reached.',
	},
	'remote-missing': { status: 422, class: 'unsupported', title: 'The remote server has nothing at this URL.' },
	'remote-refused': { status: 422, class: 'unsupported', title: 'The remote server returned an unusable response.' },
	'remote-untrusted': {
		status: 422,
		class: 'unsupported',
		title: 'The identity of the remote server could not be verified.',
	},
	'too-many-redirects': { status: 422, class: 'limit', title: 'The remote server redirected more often than allowed.' },
	'remote-unavailable': { status: 503, class: 'transient', title: 'The remote server is currently unavailable.' },
	'webhook-gone': { status: 422, class: 'unsupported', title: 'The receiver no longer accepts webhooks.' },
	'webhook-refused': { status: 503, class: 'transient', title: 'The receiver did not accept the webhook.' },
	'remote-timeout': { status: 503, class: 'transient', title: 'The remote server took too long to respond.' },

	'corrupt-picture': { status: 422, class: 'corrupt', title: 'The picture is damaged and cannot be decoded.' },
	'asset-missing': { status: 500, class: 'unsupported', title: 'A picture used by the recipe is missing.' },
	'asset-changed': {
		status: 503,
		class: 'transient',
		title: 'A picture used by the recipe was replaced during processing.',
	},
	'no-fonts': { status: 500, class: 'unsupported', title: 'The machine has no font to draw text with.' },
	'original-changed': { status: 500, class: 'internal', title: 'The stored original differs from the uploaded bytes.' },
	'original-missing': { status: 500, class: 'internal', title: 'The stored original is missing.' },
	'imaging-process-died': {
		status: 500,
		class: 'internal',
		title: 'The imaging process died while processing the picture.',
	},
	'invalid-job': { status: 500, class: 'unsupported', title: 'This version cannot read the job data.' },
	'worker-lost': {
		status: 500,
		class: 'internal',
		title: 'The worker was lost too often while processing the picture.',
	},

	// The services that picpipe depends on
	'queue-unavailable': { status: 503, class: 'transient', title: 'The queue is currently unavailable.' },
	'storage-unavailable': { status: 503, class: 'transient', title: 'The storage is currently unavailable.' },
	'scratch-unavailable': {
		status: 503,
		class: 'transient',
		title: 'The scratch folder of a worker cannot be written to.',
	},
	'duplicate-undecided': {
		status: 503,
		class: 'transient',
		title: 'The check for an identical picture is currently unavailable.',
	},
	'server-busy': { status: 503, class: 'transient', title: 'The server is receiving too many requests.' },
	'queue-full': { status: 503, class: 'transient', title: 'Too many jobs are waiting.' },
	'render-queue-full': { status: 503, class: 'transient', title: 'Too many renders are waiting.' },
	'render-unfinished': { status: 503, class: 'transient', title: 'The image is still being rendered.' },
	'storage-nearly-full': {
		status: 503,
		class: 'transient',
		title: 'The storage is almost full and accepts no uploads.',
	},
	stopping: { status: 503, class: 'transient', title: 'The server is stopping.' },
	'picture-still-there': { status: 503, class: 'transient', title: 'The picture is still being deleted.' },
	'uploads-full': { status: 507, class: 'transient', title: 'All unfinished uploads take too much space.' },
	'storage-full': { status: 507, class: 'transient', title: 'The storage is full.' },
	internal: { status: 500, class: 'internal', title: 'An internal error occurred.' },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errorTable;

/** Whether this version has a row for a code from elsewhere. */
export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(errorTable, code);

/** What to do about an error with this code. */
export const nextStepOf = (code: ErrorCode): string => (nextSteps satisfies Readonly<Record<ErrorCode, string>>)[code];

/** Whether another attempt is worth it. Decided by the class alone, so that no caller can disagree. */
export function isRetryable(errorClass: ErrorClass): boolean {
	return errorClass === 'transient' || errorClass === 'internal';
}

/** The failure class of a picture whose processing failed with this code. A picture's failure is never the request's fault. */
export function failureClassOf(code: ErrorCode): FailureClass {
	return errorTable[code].class === 'request' ? 'internal' : (errorTable[code].class as FailureClass);
}

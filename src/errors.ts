/**
 * The errors that picpipe throws, each with a row in the table of `error-table.ts`, and the classification of everything else that is thrown. All
 * code imports the table from here, too.
 */
import { type ErrorClass, type ErrorCode, errorTable, isRetryable } from './error-table.ts';

export {
	type ErrorClass,
	type ErrorCode,
	errorTable,
	type FailureClass,
	failureClasses,
	failureClassOf,
	isErrorCode,
	isRetryable,
	nextStepOf,
} from './error-table.ts';

/** What was observed of a picture that killed its imaging process. */
export interface Seen {
	/** The last step that finished. */
	readonly lastStep?: string;
	/** Megapixels to decode or produce, if known. */
	readonly megapixels?: number;
	/** Peak resident memory of the process in bytes, as sampled. */
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
	/** The step that failed, such as `decode` or `encode large.webp`. */
	readonly step: string | undefined;
	readonly seen: Seen | undefined;
	/** Id of another picture concerned. */
	readonly pictureId: string | undefined;
	/** The missing file or picture. */
	readonly asset: string | undefined;
	/** The missing scope. */
	readonly scope: string | undefined;
	/** Seconds after which a retry may succeed. */
	readonly retryAfter: number | undefined;
	/** Names of the limits that would have been exceeded, as in `RateLimit-Policy`. */
	readonly violatedPolicies: readonly string[] | undefined;

	/** @param detail One sentence for people: what was expected, for which name, and what was received. */
	constructor(code: ErrorCode, detail?: string, options: PicpipeErrorOptions = {}) {
		// One that a newer version has stored, in a manifest or a record, has no row here.
		const known = Object.hasOwn(errorTable, code) ? code : 'internal';
		super(detail ?? errorTable[known].title, options.cause === undefined ? undefined : { cause: options.cause });
		this.code = known;
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

/** Node's codes for a full disk: out of space, over quota, over the largest file. */
const diskFullCodes = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
/** Node's codes for transient failures: out of handles, I/O error, busy or read-only for now, a lost network file system. */
const passingCodes = new Set('EMFILE ENFILE EIO EAGAIN EBUSY ESTALE EROFS ENOTCONN EHOSTDOWN ENODEV ENXIO'.split(' '));
/** Node's codes for a folder that picpipe may not write to. Elsewhere, as for a program or a port, they mean something else. */
const deniedCodes = new Set(['EACCES', 'EPERM']);
const fileCalls = new Set('open mkdir rename link unlink rm rmdir scandir stat lstat write fsync copyfile'.split(' '));

/** Turns anything thrown into an error with a row: a `PicpipeError` is returned as it is, file system errors are classified, the rest is `internal`. */
export function toPicpipeError(error: unknown, step?: string): PicpipeError {
	if (error instanceof PicpipeError) return error;
	const { code, syscall } = (error ?? {}) as { code?: unknown; syscall?: unknown };
	if (typeof code === 'string' && diskFullCodes.has(code)) {
		return new PicpipeError('storage-full', undefined, { cause: error, step });
	}
	const isDenied = deniedCodes.has(String(code)) && fileCalls.has(String(syscall));
	if (isDenied || (typeof code === 'string' && passingCodes.has(code))) {
		return new PicpipeError('storage-unavailable', undefined, { cause: error, step });
	}
	return new PicpipeError('internal', undefined, { cause: error, step });
}

/** Did a call fail because Redis did not answer, or refused to write? */
export function isQueueUnavailable(error: unknown): boolean {
	return error instanceof PicpipeError && error.code === 'queue-unavailable';
}

import { secondsOf } from '../http/retry-after.ts';

/** A refusal by the API, or the reason why there was no response. */
export class Refusal extends Error {
	override readonly name = 'Refusal';
	/** HTTP status; undefined if there was no response. */
	readonly status: number | undefined;
	/** Code of the problem document, such as `unsupported-type`; otherwise `no-answer` or `status-<number>`. */
	readonly code: string;
	/** `Retry-After` of the response, seconds. */
	readonly retryAfter: number | undefined;

	constructor(message: string, about: { status?: number; code: string; retryAfter?: number | undefined }) {
		super(message);
		this.status = about.status;
		this.code = about.code;
		this.retryAfter = about.retryAfter;
	}
}

/** The refusal in an error response: a problem document from picpipe, an HTML page from a proxy. */
export function refusalOf(status: number, body: string, retryAfter: string | null | undefined): Refusal {
	const problem = parse(body);
	return new Refusal(problem?.detail ?? problem?.title ?? `The answer was ${status}.`, {
		status,
		code: problem?.code ?? `status-${status}`,
		retryAfter: secondsOf(retryAfter ?? undefined),
	});
}

/** No response: nothing listens, the connection broke, or the name does not resolve. */
export function noAnswer(error: unknown): Refusal {
	const { message, code } = causeOf(error);
	return new Refusal(code === undefined ? message : `${message} (${code})`, { code: 'no-answer' });
}

/** `fetch` and clients built on it put the real error into `cause`. */
function causeOf(error: unknown): { message: string; code: string | undefined } {
	let deepest = error as { message?: string; code?: string; cause?: unknown; causingError?: unknown };
	for (let inner = deepest.cause ?? deepest.causingError; inner; inner = deepest.cause ?? deepest.causingError) {
		deepest = inner as typeof deepest;
	}
	return { message: deepest.message || 'There was no answer', code: deepest.code };
}

/** Worth another attempt: temporary errors, and refusals with a `Retry-After`. An exhausted quota that does not reset has none. */
export function isPassing({ status, code, retryAfter }: Refusal): boolean {
	if (status === undefined) return code === 'no-answer';
	if (retryAfter !== undefined || /^(wrong-offset|upload-expired|upload-not-found)$/.test(code)) return true;
	return status === 408 || status === 423 || (status >= 500 && status !== 501);
}

/** Every other file would be refused for the same reason: the key, the recipe or a field is wrong. */
export function concernsAll({ status, code }: Refusal): boolean {
	if (status === 401 || status === 403) return true;
	return /^(unknown-recipe|invalid-recipe|recipe-too-large|invalid-field|unknown-field|not-found|method-not-allowed|status-404)$/.test(
		code,
	);
}

interface Problem {
	readonly code?: string;
	readonly title?: string;
	readonly detail?: string;
}

function parse(body: string): Problem | undefined {
	try {
		const value: unknown = JSON.parse(body);
		return typeof value === 'object' && value !== null ? value : undefined;
	} catch {
		return undefined;
	}
}

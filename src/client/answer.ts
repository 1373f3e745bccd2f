import { secondsOf } from '../http/retry-after.ts';

/** What an api has to say against a request, or why there was no answer at all. */
export class Refusal extends Error {
	override readonly name = 'Refusal';
	/** HTTP status; undefined when there was no answer. */
	readonly status: number | undefined;
	/** Of the problem document, such as `unsupported-type`; `no-answer` and `status-<number>` where there is none. */
	readonly code: string;
	/** Seconds after which the api wants to be asked again. */
	readonly retryAfter: number | undefined;

	constructor(message: string, about: { status?: number; code: string; retryAfter?: number | undefined }) {
		super(message);
		this.status = about.status;
		this.code = about.code;
		this.retryAfter = about.retryAfter;
	}
}

/** An answer that is not the one hoped for, whoever it came from: ours is a problem document, a proxy's a page. */
export function refusalOf(status: number, body: string, retryAfter: string | null | undefined): Refusal {
	const problem = parse(body);
	return new Refusal(problem?.detail ?? problem?.title ?? `The answer was ${status}.`, {
		status,
		code: problem?.code ?? `status-${status}`,
		retryAfter: secondsOf(retryAfter ?? undefined),
	});
}

/** No answer: nobody listens, the line broke, the name is not known. */
export function noAnswer(error: unknown): Refusal {
	const { message, code } = causeOf(error);
	return new Refusal(code === undefined ? message : `${message} (${code})`, { code: 'no-answer' });
}

/** `fetch` and clients built on it hide what went wrong behind what they were doing. */
function causeOf(error: unknown): { message: string; code: string | undefined } {
	let deepest = error as { message?: string; code?: string; cause?: unknown; causingError?: unknown };
	for (let inner = deepest.cause ?? deepest.causingError; inner; inner = deepest.cause ?? deepest.causingError) {
		deepest = inner as typeof deepest;
	}
	return { message: deepest.message || 'There was no answer', code: deepest.code };
}

/** Worth trying again: what passes by itself, and whatever says when. A limit that is used up for good says nothing. */
export function isPassing({ status, code, retryAfter }: Refusal): boolean {
	if (status === undefined) return code === 'no-answer';
	if (retryAfter !== undefined || /^(wrong-offset|upload-expired|upload-not-found)$/.test(code)) return true;
	return status === 408 || status === 423 || (status >= 500 && status !== 501);
}

/** The same would be said to every other file: the key, the recipe or a field is wrong. */
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

import { PicpipeError } from '../errors.ts';
import { post, type RemoteResponse } from '../http/client.ts';
import { checkUrl, type Resolve } from '../http/guard.ts';
import { secondsOf } from '../http/retry-after.ts';
import type { Message } from './outbox.ts';
import type { WebhookSettings } from './settings.ts';
import { signedHeaders } from './signature.ts';

/** Bytes of a response to read, and characters of it to keep for people. */
const answerLimits = { bytes: 16 * 1024, kept: 300 };

/** The result of sending a message. */
export interface Receipt {
	/** HTTP status. */
	readonly status?: number;
	/** The beginning of a response that refused the message. */
	readonly answer?: string;
	/** Undefined if the message was accepted. */
	readonly error?: PicpipeError;
}

/**
 * Sends a message once. A 2xx response accepts it. Redirects are not followed, because a signed message is meant for one URL.
 *
 * Never throws for a failure of the receiver. The error in the receipt is `webhook-gone` for 410, `webhook-refused` for any other refusal,
 * or an error of `checkUrl` and `post`.
 */
export async function sendMessage(
	message: Message,
	to: { readonly url: string; readonly secrets: readonly string[] },
	{ rules, seconds }: Pick<WebhookSettings, 'rules' | 'seconds'>,
	resolve?: Resolve,
): Promise<Receipt> {
	const end = new AbortController();
	const timer = setTimeout(() => {
		const late = `Expected a response within ${seconds} s (${rules.settings}_SECONDS) but received none.`;
		end.abort(new PicpipeError('remote-timeout', late));
	}, seconds * 1_000);
	try {
		if (to.secrets.length === 0) throw new PicpipeError('webhook-unsigned');
		const url = checkUrl(to.url, rules);
		const headers = {
			...signedHeaders(message, to.secrets, Date.now()),
			'content-type': 'application/json',
			accept: '*/*',
			'user-agent': 'picpipe',
			...(message.requestId !== undefined && { 'x-request-id': message.requestId }),
		};
		const body = Buffer.from(message.body);
		const limits = { rules, connectSeconds: seconds, idleSeconds: seconds, signal: end.signal, resolve };
		return await receiptOf(url, await post(url, body, { ...limits, headers }));
	} catch (error) {
		if (error instanceof PicpipeError) return { error: asPassing(error) };
		throw error;
	} finally {
		clearTimeout(timer);
	}
}

async function receiptOf(url: URL, answer: RemoteResponse): Promise<Receipt> {
	const { status, headers } = answer;
	if (status >= 200 && status < 300) {
		answer.discard();
		return { status };
	}
	const text = await beginningOf(answer);
	const retryAfter = secondsOf(headers['retry-after']);
	const error =
		status === 410
			? new PicpipeError('webhook-gone', `${url.host} responded with 410: it no longer accepts webhooks.`)
			: new PicpipeError(
					'webhook-refused',
					`Expected a response of 200 to 299 but ${url.host} responded with ${status}${status >= 300 && status < 400 ? '; redirects are not followed' : ''}.`,
					retryAfter === undefined ? {} : { retryAfter },
				);
	return { status, error, ...(text && { answer: text }) };
}

/** The response text helps people. Its size and speed are limited, because the receiver is not trusted. */
async function beginningOf(answer: RemoteResponse): Promise<string> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	try {
		for await (const chunk of answer.body) {
			chunks.push(chunk);
			bytes += chunk.length;
			if (bytes >= answerLimits.bytes) break;
		}
	} catch {
		// The status is already known.
	} finally {
		answer.discard();
	}
	const text = Buffer.concat(chunks)
		.toString()
		.replaceAll(/\p{C}+/gu, ' ');
	return text.trim().slice(0, answerLimits.kept);
}

/** An expired certificate is renewed, often within hours, so it is worth a retry. */
function asPassing(error: PicpipeError): PicpipeError {
	if (error.code !== 'remote-untrusted') return error;
	return new PicpipeError('webhook-refused', error.message, { cause: error });
}

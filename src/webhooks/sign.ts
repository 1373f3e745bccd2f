import { createHmac } from 'node:crypto';

/**
 * The headers of Standard Webhooks 1.0. Each secret signs `id.timestamp.body` with HMAC-SHA256, so that a receiver may know the new one or the
 * old one while they are changed.
 *
 * @param secrets `whsec_` and base64
 * @param time of this attempt, milliseconds since 1970
 */
export function signedHeaders(
	{ id, body }: { readonly id: string; readonly body: string },
	secrets: readonly string[],
	time: number,
): Record<string, string> {
	const timestamp = Math.floor(time / 1_000);
	const signatures = secrets.map((secret) => {
		const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
		return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`;
	});
	return {
		'webhook-id': id,
		'webhook-timestamp': String(timestamp),
		'webhook-signature': signatures.join(' '),
	};
}

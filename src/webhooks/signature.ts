import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** Signatures by Standard Webhooks 1.0. */

const prefixes = { secret: 'whsec_', privateKey: 'whsk_', publicKey: 'whpk_' } as const;
/** What precedes the 32 bytes of an Ed25519 private key in PKCS #8 (RFC 8410). */
const pkcs8Header = Buffer.from('302e020100300506032b657004220420', 'hex');
const keyBytes = 32;

/** A new Ed25519 private key: `whsk_` and its 32 bytes in base64. */
export function newSigningKey(): string {
	const { privateKey } = generateKeyPairSync('ed25519');
	const der = privateKey.export({ format: 'der', type: 'pkcs8' });
	return prefixes.privateKey + der.subarray(-keyBytes).toString('base64');
}

/** The public half of a private key: `whpk_` and its 32 bytes in base64. */
export function publicKeyOf(privateKey: string): string {
	const der = createPublicKey(readPrivateKey(privateKey)).export({ format: 'der', type: 'spki' });
	return prefixes.publicKey + der.subarray(-keyBytes).toString('base64');
}

function readPrivateKey(text: string): KeyObject {
	const bytes = Buffer.from(text.slice(prefixes.privateKey.length), 'base64');
	return createPrivateKey({ key: Buffer.concat([pkcs8Header, bytes]), format: 'der', type: 'pkcs8' });
}

/**
 * The headers of a message. Each secret signs `id.timestamp.body` with HMAC-SHA256 (`v1`), each private key with Ed25519 (`v1a`), so that
 * receivers can verify with any of them during a rotation.
 *
 * @param keys `whsec_` or `whsk_`, and base64
 * @param time of this attempt, milliseconds since 1970
 */
export function signedHeaders(
	{ id, body }: { readonly id: string; readonly body: string },
	keys: readonly string[],
	time: number,
): Record<string, string> {
	const timestamp = Math.floor(time / 1_000);
	const signed = Buffer.from(`${id}.${timestamp}.${body}`);
	const signatures = keys.map((key) => {
		if (key.startsWith(prefixes.privateKey)) return `v1a,${sign(null, signed, readPrivateKey(key)).toString('base64')}`;
		const secret = Buffer.from(key.slice(prefixes.secret.length), 'base64');
		return `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`;
	});
	return {
		'webhook-id': id,
		'webhook-timestamp': String(timestamp),
		'webhook-signature': signatures.join(' '),
	};
}

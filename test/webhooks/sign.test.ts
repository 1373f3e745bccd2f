import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { signedHeaders } from '../../src/webhooks/signature.ts';
import { isSignedWith, secret } from '../helpers/sink.ts';

const message = {
	id: 'msg_0123456789abcdef0123456789abcdef',
	body: '{"type":"picture.ready","data":{"name":"Zoë 📷"}}',
};

describe('the headers of a webhook', () => {
	it('equal those of the Standard Webhooks library', () => {
		const key = secret();
		const time = Date.parse('2026-03-04T05:06:07.890Z');
		const headers = signedHeaders(message, [key], time);
		expect(headers).toEqual({
			'webhook-id': message.id,
			'webhook-timestamp': String(Math.floor(time / 1_000)),
			'webhook-signature': new Webhook(key).sign(message.id, new Date(time), message.body),
		});
	});

	it('are valid for each of several secrets, and for no other', () => {
		const secrets = [secret(), secret(), secret()];
		const headers = signedHeaders(message, secrets, Date.now());
		for (const one of secrets) expect(isSignedWith(one, { ...message, headers })).toBe(true);
		expect(isSignedWith(secret(), { ...message, headers })).toBe(false);
	});

	it('are valid for these bytes, this id and this time only', () => {
		const key = secret();
		const headers = signedHeaders(message, [key], Date.now());
		expect(isSignedWith(key, { body: message.body, headers })).toBe(true);
		expect(isSignedWith(key, { body: `${message.body} `, headers })).toBe(false);
		expect(isSignedWith(key, { body: message.body, headers: { ...headers, 'webhook-id': 'msg_other' } })).toBe(false);
		const later = { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) };
		expect(isSignedWith(key, { body: message.body, headers: later })).toBe(false);
		const old = signedHeaders(message, [key], Date.now() - 10 * 60_000);
		expect(isSignedWith(key, { body: message.body, headers: old })).toBe(false);
	});
});

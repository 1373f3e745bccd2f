import { afterEach, describe, expect, it, vi } from 'vitest';
import { isWebhookSecret } from '../../src/config/webhooks.ts';
import { makeEndpoint, newSecret, signingSecrets, withNewSecret } from '../../src/webhooks/endpoint.ts';
import { secret } from '../helpers/sink.ts';

afterEach(() => {
	vi.useRealTimers();
});

const url = 'https://example.org/hook';

describe('secrets of an endpoint', () => {
	it('have 256 random bits', () => {
		const secrets = Array.from({ length: 20 }, newSecret);
		expect(new Set(secrets).size).toBe(20);
		for (const one of secrets) {
			expect(isWebhookSecret(one)).toBe(true);
			expect(Buffer.from(one.slice('whsec_'.length), 'base64')).toHaveLength(32);
		}
	});

	it('can be chosen by the client', () => {
		const own = secret();
		expect(signingSecrets(makeEndpoint({ url }, own))).toEqual([own]);
	});

	it('sign together until the old one expires', () => {
		vi.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00Z') });
		const [first, second] = [secret(), secret()];
		const record = withNewSecret(makeEndpoint({ url }, first), second, 60);
		expect(signingSecrets(record)).toEqual([second, first]);
		vi.advanceTimersByTime(59_000);
		expect(signingSecrets(record)).toEqual([second, first]);
		vi.advanceTimersByTime(1_000);
		expect(signingSecrets(record)).toEqual([second]);
	});

	it('rotated twice keep their own expiry, and the earlier one never lasts longer', () => {
		vi.useFakeTimers({ now: Date.parse('2026-01-01T00:00:00Z') });
		const [first, second, third] = [secret(), secret(), secret()];
		const twice = withNewSecret(withNewSecret(makeEndpoint({ url }, first), second, 60), third, 600);
		vi.advanceTimersByTime(61_000);
		expect(signingSecrets(twice)).toEqual([third, second]);
	});

	it('rotated without overlap end the old one, and are never more than five', () => {
		const [first, second] = [secret(), secret()];
		expect(signingSecrets(withNewSecret(makeEndpoint({ url }, first), second, 0))).toEqual([second]);
		let record = makeEndpoint({ url });
		for (let change = 0; change < 8; change++) record = withNewSecret(record, secret(), 600);
		expect(signingSecrets(record)).toHaveLength(5);
	});
});

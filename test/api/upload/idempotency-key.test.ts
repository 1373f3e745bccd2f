import { describe, expect, it } from 'vitest';
import { maximumIdempotencyKey, parseIdempotencyKey } from '../../../src/api/upload/idempotency-key.ts';

describe('parseIdempotencyKey', () => {
	it.each([
		['"8e03978e-40d5-43dd-bc93-6894a57f9324"', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
		['"a b, c; d=1"', 'a b, c; d=1'],
		['"a \\"quoted\\" \\\\ one"', 'a "quoted" \\ one'],
		['  "spaces around"  ', 'spaces around'],
		['"key";parameter=1; other', 'key'],
		[`"${'k'.repeat(maximumIdempotencyKey)}"`, 'k'.repeat(maximumIdempotencyKey)],
		// Without quotes, as many clients send it.
		['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
		['order/17:attempt_1+x.y~z*', 'order/17:attempt_1+x.y~z*'],
	])('takes %s', (header, key) => {
		expect(parseIdempotencyKey(header)).toBe(key);
	});

	it.each([
		'',
		'""',
		'"',
		'"open',
		'open"',
		'"a" "b"',
		'"a", "b"',
		'a, b',
		'a,b',
		'a b',
		'a;b',
		'"bad \\escape"',
		'"für"',
		'für',
		'"line\tbreak"',
		`"${'k'.repeat(maximumIdempotencyKey + 1)}"`,
		'k'.repeat(maximumIdempotencyKey + 1),
	])('refuses %s', (header) => {
		expect(() => parseIdempotencyKey(header)).toThrow(/Expected one string of 1 to 255 visible ASCII characters/);
	});
});

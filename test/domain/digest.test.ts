import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalJson, digest12 } from '../../src/domain/digest.ts';

describe('canonicalJson', () => {
	it('is equal for equal values, whatever the order of keys', () => {
		const one = { b: [{ y: 1, x: { d: null, c: 'ü' } }], a: true };
		const other = { a: true, b: [{ x: { c: 'ü', d: null }, y: 1 }] };
		expect(canonicalJson(one)).toBe(canonicalJson(other));
		expect(canonicalJson(one)).toBe('{"a":true,"b":[{"x":{"c":"ü","d":null},"y":1}]}');
	});

	it('keeps the order of lists', () => {
		expect(canonicalJson([1, 2])).not.toBe(canonicalJson([2, 1]));
	});

	it('omits undefined fields, as the manifest does', () => {
		expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}');
	});
});

describe('digest12', () => {
	it('is the beginning of the SHA-256 of the canonical parts', () => {
		const expected = createHash('sha256').update('["source",{"a":1,"b":2},1]').digest('hex').slice(0, 12);
		expect(digest12('source', { b: 2, a: 1 }, 1)).toBe(expected);
	});

	it('distinguishes where one part ends and the next begins', () => {
		expect(digest12('ab', 'c')).not.toBe(digest12('a', 'bc'));
		expect(digest12('a')).not.toBe(digest12(['a']));
		expect(digest12('1')).not.toBe(digest12(1));
	});
});

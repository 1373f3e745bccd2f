import { describe, expect, it } from 'vitest';
import {
	isSecretOf,
	type KeyWishes,
	keyRecordSchema,
	makeKey,
	parseKeyRecord,
	readKeyText,
} from '../../src/access/key.ts';
import { hasScope, parseRate, rateText, type Scope } from '../../src/access/key-rights.ts';

const wishes: KeyWishes = { name: 'camera', scopes: ['upload'], limits: {} };

describe('an API key', () => {
	it('contains 256 random bits, of which the record stores only the digest', () => {
		const made = Array.from({ length: 50 }, () => makeKey(wishes));
		expect(new Set(made.map(({ text }) => text)).size).toBe(50);
		for (const { record, text } of made) {
			expect(text).toMatch(/^picpipe_[0-7][0-9a-z]{25}_[A-Za-z0-9_-]{43}$/);
			const { id, secret } = readKeyText(text) ?? { id: '', secret: '' };
			expect(id).toBe(record.id);
			expect(Buffer.from(secret, 'base64url')).toHaveLength(32);
			expect(JSON.stringify(record)).not.toContain(secret);
			expect(record.sha256).not.toBe(record.signingSecret);
			expect(isSecretOf(record, secret)).toBe(true);
			expect(parseKeyRecord(JSON.stringify(record))).toEqual(record);
		}
	});

	it('is refused with another secret, even a nearly equal one', () => {
		const { record, text } = makeKey(wishes);
		const { secret } = readKeyText(text) ?? { secret: '' };
		const nearly = `${secret.slice(0, -2)}${secret.at(-2) === 'A' ? 'B' : 'A'}${secret.at(-1)}`;
		for (const wrong of [nearly, '', secret.slice(1), `${secret} `, record.sha256]) {
			expect(isSecretOf(record, wrong), wrong).toBe(false);
		}
	});

	it.each([
		'',
		'picpipe_',
		'a-key-of-sixteen-characters',
		'picpipe_upload_abc.def',
		`picpipe_${'0'.repeat(26)}_short`,
		`picpipe_9${'0'.repeat(25)}_${'a'.repeat(43)}`,
	])('is not parsed from %j', (text) => {
		expect(readKeyText(text)).toBeUndefined();
	});

	it.each<[string, object]>([
		['no scope', { scopes: [] }],
		['an unknown scope', { scopes: ['everything'] }],
		['no name', { name: '' }],
		['a name of several lines', { name: 'a\nb' }],
		['an empty list of recipes', { recipes: [] }],
		['a recipe that can have no such name', { recipes: ['../web'] }],
		['a group that picpipe uses itself', { group: 'settings' }],
		['a group with a space', { group: 'the shop' }],
		['a limit of none', { limits: { perDay: 0 } }],
		['an unknown limit', { limits: { perYear: 1 } }],
	])('is not created with %s', (_what, wrong) => {
		expect(() => makeKey({ ...wishes, ...wrong } as KeyWishes)).toThrow();
	});

	it('of a newer version is not parsed', () => {
		const { record } = makeKey(wishes);
		expect(keyRecordSchema.safeParse({ ...record, version: 2 }).success).toBe(false);
	});
});

describe('scopes', () => {
	it.each<[Scope, Scope, boolean]>([
		['upload', 'upload', true],
		['upload', 'read', false],
		['upload', 'admin', false],
		['read', 'upload', false],
		['read', 'read', true],
		['read', 'admin', false],
		['admin', 'upload', true],
		['admin', 'read', true],
		['admin', 'admin', true],
	])('with %s, wanted %s: %s', (held, wanted, expected) => {
		expect(hasScope([held], wanted)).toBe(expected);
	});
});

describe('a rate', () => {
	it.each([
		['60/min', { requests: 60, seconds: 60 }, '60 requests a minute'],
		['5/s', { requests: 5, seconds: 1 }, '5 requests a second'],
		['100/10s', { requests: 100, seconds: 10 }, '100 requests in 10 seconds'],
		['1000/hour', { requests: 1000, seconds: 3600 }, '1000 requests an hour'],
		[' 30/2MIN ', { requests: 30, seconds: 120 }, '30 requests in 2 minutes'],
	])('is parsed from text: %s', (text, expected, words) => {
		expect(parseRate(text)).toEqual(expected);
		expect(rateText(expected)).toBe(words);
	});

	it.each(['', '60', '60/', '/min', '0/min', '60/fortnight', '-1/s', '1.5/s', '60/0s', '1/48h', '60 / min'])(
		'is not parsed from %j',
		(text) => {
			expect(parseRate(text)).toBeUndefined();
		},
	);
});

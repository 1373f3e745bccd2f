import { describe, expect, it } from 'vitest';
import { cleanLabel, metaLimits, readMeta, tagPattern } from '../../src/domain/labels.ts';

describe('tags', () => {
	it.each([
		'a',
		'holiday',
		'2026',
		'Österreich',
		'東京',
		'a_b.c:d/e-f',
		'x'.repeat(64),
		'two words',
		'Rock ’n’ Roll & more!',
		'हिन्दी',
		'ภาษาไทย',
		'العربية',
		'עִבְרִית',
		'བོད་སྐད',
		'می‌خواهم',
		'l·l',
		'C++ #1 (new)',
		'🏔',
		'👩‍👩‍👧 family',
		'𠀀'.repeat(64),
	])('may be %j', (tag) => {
		expect(tag).toMatch(tagPattern);
		expect(cleanLabel(tag)).toBe(tag);
	});

	it.each([
		'',
		' ',
		' a',
		'-a',
		'/a',
		'../etc',
		'{a}',
		'a,b',
		'a\n',
		'a\0',
		'a\u001b[31m',
		'a\u2028b',
		'a\u202egpj',
		'a\ud800',
		'<b>',
		'a"b',
		'a\\b',
		'a`b',
		'x'.repeat(65),
		'𠀀'.repeat(65),
	])('may not be %j', (tag) => {
		expect(tag).not.toMatch(tagPattern);
	});

	it.each([
		[' a ', 'a'],
		['a \u00a0\u3000 b', 'a b'],
		['Mu\u0308nchen', 'München'],
		['\ta\r\n', 'a'],
	])('are stored in one spelling: %j', (given, stored) => {
		expect(cleanLabel(given)).toBe(stored);
	});
});

describe('metadata', () => {
	it.each<[object]>([
		[{}],
		[{ caption: 'At the sea', 'photo.by': 'Ana\n& Bo', größe: '', 'order-id': '7', 名前: '"<b>"' }],
		[{ constructor: 'a', toString: 'b', hasOwnProperty: 'c' }],
		[Object.fromEntries(Array.from({ length: metaLimits.entries }, (_, at) => [`k${at}`, 'x'.repeat(100)]))],
		[{ ['k'.repeat(64)]: 'x'.repeat(metaLimits.value) }],
	])('may be %j', (meta) => {
		expect(readMeta(meta)).toEqual({ meta });
	});

	it('has names in one spelling, and values as they are', () => {
		expect(readMeta({ ' Gro\u0308ße  cm ': ' 1\u0308 ' })).toEqual({ meta: { 'Größe cm': ' 1\u0308 ' } });
	});

	it.each<[unknown, string]>([
		['text', 'expected an object of texts'],
		[['a'], 'expected an object of texts'],
		[null, 'expected an object of texts'],
		[JSON.parse('{"__proto__":"x"}'), 'but one is "__proto__"'],
		[{ '': 'x' }, 'but one is ""'],
		[{ 'a\0': 'x' }, 'but one is "a\\u0000"'],
		[{ 'a=b': 'x' }, 'but one is "a=b"'],
		[{ ['k'.repeat(65)]: 'x' }, 'expected names of 1 to 64'],
		[{ a: 1 }, 'expected text for "a" but it is of type number'],
		[{ a: null }, 'expected text for "a" but it is null'],
		[{ a: ['b'] }, 'expected text for "a" but it is a list'],
		[{ a: 'b\0' }, 'expected no control characters but "a" has some'],
		[{ a: '\u001b[31m' }, 'expected no control characters but "a" has some'],
		[{ a: '\u0085' }, 'expected no control characters but "a" has some'],
		[{ a: '\ud800' }, 'expected no control characters but "a" has some'],
		[{ a: 'ü'.repeat(metaLimits.value / 2 + 1) }, 'expected at most 2048 bytes for "a" but there are 2050'],
		[
			Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`k${at}`, ''])),
			'expected at most 32 names but there are 33',
		],
		[
			{ a: 'x'.repeat(2_048), b: 'x'.repeat(2_047) },
			'expected at most 4096 bytes of names and values together but there are 4097',
		],
	])('may not be %j', (meta, problem) => {
		expect(readMeta(meta)).toEqual({ problem: expect.stringContaining(problem) });
	});
});

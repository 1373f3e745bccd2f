import { describe, expect, it } from 'vitest';
import { beginning, cleanFilename, isFilename, withoutUnsafe } from '../../src/domain/filename.ts';
import { names } from '../helpers/filenames.ts';

const family = '👩‍👩‍👧‍👦';

describe('cleanFilename', () => {
	it.each<[string | undefined, string | undefined]>([
		['photo.jpg', 'photo.jpg'],
		['Ferien in Österreich (1).JPG', 'Ferien in Österreich (1).JPG'],
		['東京 🏔.png', '東京 🏔.png'],
		['../../etc/passwd', 'passwd'],
		['..\\..\\windows\\system32\\evil.jpg', 'evil.jpg'],
		['/absolute/path/a.jpg', 'a.jpg'],
		['C:\\Users\\me\\a.jpg', 'a.jpg'],
		['a\0b.jpg', 'ab.jpg'],
		['a\r\nSet-Cookie: x.jpg', 'aSet-Cookie: x.jpg'],
		['\u001b[31mred.jpg', '[31mred.jpg'],
		['invoice\u202egpj.exe', 'invoicegpj.exe'],
		['zero\u200bwidth.jpg', 'zerowidth.jpg'],
		['line\u2028separator.jpg', 'lineseparator.jpg'],
		['  padded.jpg  ', 'padded.jpg'],
		['x'.repeat(10_000), 'x'.repeat(200)],
		['🏔'.repeat(300), '🏔'.repeat(200)],
		[`${'x'.repeat(300)}.jpeg`, `${'x'.repeat(195)}.jpeg`],
		[`${'é'.normalize('NFD').repeat(300)}.jpg`, `${'é'.normalize('NFD').repeat(196)}.jpg`],
		[`${family.repeat(60)}.png`, `${family.repeat(31)}.png`],
		[`a${'\u0301'.repeat(1_000)}.png`, `a${'\u0301'.repeat(198)}.png`],
		['half \ud83c.png', 'half .png'],
		['a\u2066b\u2069\u202ac\u202c.jpg', 'abc.jpg'],
		['a\u2060b\ufeffc\u00add\ufffe.jpg', 'abcd.jpg'],
		['tags \u{e0061}\u{e0062}.jpg', 'tags .jpg'],
		['', undefined],
		['   ', undefined],
		['.', undefined],
		['..', undefined],
		['a/..', undefined],
		['folder/', undefined],
		['\0', undefined],
		[undefined, undefined],
	])('of %j is %j', (given, expected) => {
		expect(cleanFilename(given)).toBe(expected);
	});
});

describe('names of every script', () => {
	it.each(names)('%s stays whole', (name) => {
		expect(cleanFilename(name)).toBe(name);
		expect(isFilename(name)).toBe(true);
		expect(withoutUnsafe(name, '_')).toBe(name);
	});

	it('is judged in bounded time', () => {
		// One look-behind for each tag would be quadratic; 200 characters remain of the flag and its millions of tags.
		const endless = `\u{1f3f4}${'\u{e0061}'.repeat(2_000_000)}.jpg`;
		expect(cleanFilename(endless)).toBeDefined();
		expect(withoutUnsafe(endless, '_').length).toBeLessThan(20_000);
	});
});

it('a beginning ends between characters', () => {
	expect(beginning(`${family}${family}b`, 2)).toBe(`${family}${family}`);
	expect(beginning(`${family}${family}b`, 9, 30)).toBe(family);
	expect(beginning('abc', 0)).toBe('');
	expect(beginning('abc', 3)).toBe('abc');
});

it.each(['', '.', '..', 'a/b', 'a\\b', 'a\nb', 'a\u202eb', 'a\u200bb', '\ud83c'])('%j is no name of a file', (name) => {
	expect(isFilename(name)).toBe(false);
});

import { describe, expect, it } from 'vitest';
import { imgproxyPath, isSignedBy, parseImgproxy } from '../../src/delivery/dialects/imgproxy.ts';
import { type Signable, signedPath } from '../../src/delivery/sign.ts';
import { imageUrl } from '../../src/url.ts';
import { thrownBy } from '../helpers/thrown.ts';

const id = 'pic_01jzkwp9nbe0tvahm2q4c8s6rd';
const url = 'https://example.org/a b.jpg?x=1';
const hex = { key: 'aa'.repeat(16), salt: '0b'.repeat(16) };
const pair = { key: Buffer.from(hex.key, 'hex'), salt: Buffer.from(hex.salt, 'hex') };
const presets = new Map([['thumb', 'rs:fit:200:200']]);

function takenApart(path: string) {
	const [, signature = '', rest = ''] = /^\/img\/([^/]*)(\/.*)$/.exec(path) ?? [];
	return { signature, rest };
}

describe('signedPath', () => {
	it.each<Signable>([
		{ options: 'rs:fit:300:200/q:80', source: { id }, extension: 'webp' },
		{ options: 'pr:thumb', source: { url }, extension: 'avif' },
		{ options: '', source: { id } },
		{ options: '/rs:fit:300:200/', source: { id }, expiresAt: 2_000_000_000 },
	])('signs URLs that are parsed as intended: %j', (wanted) => {
		const { signature, rest } = takenApart(signedPath(wanted, pair, { presets }));
		expect(isSignedBy(rest, signature, [pair])).toBe(true);
		const read = parseImgproxy(rest, { presets });
		expect(read.source).toEqual('url' in wanted.source ? { url: new URL(wanted.source.url).href } : wanted.source);
		expect(read.expiresAt).toBe(wanted.expiresAt);
	});

	it('has a word in place of the signature without a key', () => {
		expect(signedPath({ options: 'q:80', source: { id } }, undefined, { presets })).toBe(
			`/img/unsafe/q:80/plain/${id}`,
		);
	});

	it.each<[Signable, string]>([
		[{ options: 'nothing:1', source: { id } }, 'option-unsupported'],
		[{ options: 'q:101', source: { id } }, 'invalid-delivery-url'],
		[{ options: 'pr:other', source: { id } }, 'invalid-delivery-url'],
		[{ options: 'q:80', source: { id: 'pic_1' } }, 'invalid-delivery-url'],
		[{ options: 'q:80', source: { url: 'file:///etc/passwd' } }, 'invalid-delivery-url'],
		[{ options: 'q:80', source: { id }, extension: 'exe' }, 'invalid-delivery-url'],
		// Another source than the one that was named.
		[{ options: 'q:80/plain/https://elsewhere.example', source: { id } }, 'invalid-delivery-url'],
		// What a browser would ask for otherwise than it was signed.
		[{ options: 'fn:a?b', source: { id } }, 'invalid-delivery-url'],
		[{ options: 'fn:a b', source: { id } }, 'invalid-delivery-url'],
		[{ options: `${'q:80/'.repeat(1_000)}`, source: { id } }, 'invalid-delivery-url'],
	])('signs nothing that would be refused: %j', async (wanted, code) => {
		expect(await thrownBy(() => signedPath(wanted, pair, { presets }))).toMatchObject({ code });
	});
});

describe('imageUrl', () => {
	const signing = { base: 'https://pictures.example.org/', ...hex };

	it.each([
		[id, 'rs:fit:300:200/q:80', 'webp'],
		[id, { rs: 'fit:300:200', q: 80 }, 'webp'],
		[url, 'rs:fit:300:200/q:80', 'avif'],
		[url, { q: 1 }, undefined],
		[id, '', undefined],
	] as const)('creates URLs that are served: %s %j %s', (source, options, format) => {
		const made = imageUrl(signing, source, options, format);
		expect(made).toMatch(/^https:\/\/pictures\.example\.org\/img\//);
		const { signature, rest } = takenApart(new URL(made).pathname);
		expect(isSignedBy(rest, signature, [pair])).toBe(true);
		expect(parseImgproxy(rest, { presets }).source).toEqual(source === id ? { id } : { url: new URL(url).href });
		const text =
			typeof options === 'string'
				? options
				: Object.entries(options)
						.map((one) => one.join(':'))
						.join('/');
		expect(rest).toBe(imgproxyPath(text, source === id ? { id } : { url: source }, format));
	});

	it.each<[string, () => string]>([
		['source', () => imageUrl(signing, '../secret', '')],
		['options', () => imageUrl(signing, id, { fn: 'a/plain/b' })],
		['options', () => imageUrl(signing, id, 'q:80/plain/https:')],
		['format', () => imageUrl(signing, id, '', '.webp')],
		['base', () => imageUrl({ ...signing, base: 'pictures' }, id, '')],
		['a URL', () => imageUrl(signing, id, 'fn:a#b')],
	])('refuses a wrong %s', async (name, make) => {
		expect(await thrownBy(make)).toMatchObject({
			code: 'invalid-delivery-url',
			message: expect.stringContaining(name),
		});
	});

	it('never shows an invalid key', async () => {
		const error = await thrownBy(() => imageUrl({ ...signing, key: 'secret' }, id, ''));
		expect(error).toMatchObject({ code: 'invalid-delivery-url', message: expect.not.stringContaining('secret') });
	});
});

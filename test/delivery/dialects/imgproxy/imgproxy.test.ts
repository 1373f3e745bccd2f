import { describe, expect, it } from 'vitest';
import { imgproxyPath, isSignedBy, parseImgproxy, signImgproxy } from '../../../../src/delivery/dialects/imgproxy.ts';
import { thrownBy } from '../../../helpers/thrown.ts';
import { dialect, drawing, id, pair, parse, photo, plan, planOf } from './read.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64url');

describe('signatures', () => {
	it.each([
		// Published with imgproxy: its example for programmers, and its guide, whose key is "secret" and salt "hello".
		[
			'/fill/300/300/no/1/aHR0cDovL2ltZy5leGFtcGxlLmNvbS9wcmV0dHkvaW1hZ2UuanBn.png',
			pair,
			'_PQ4ytCQMMp-1w1m_vP6g8Qb-Q7yF9mwghf6PddqxLw',
		],
		[
			'/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png',
			{ key: Buffer.from('secret'), salt: Buffer.from('hello') },
			'oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8',
		],
	])('equal those of imgproxy: %s', (path, keys, signature) => {
		expect(signImgproxy(path, keys)).toBe(signature);
		expect(isSignedBy(path, signature, [keys])).toBe(true);
	});

	it('are accepted for every pair, in full length, and only for this path', () => {
		const path = `/w:300/plain/${id}`;
		const old = { key: Buffer.from('old key'), salt: Buffer.from('old salt') };
		const signature = signImgproxy(path, old);
		expect(isSignedBy(path, signature, [pair, old])).toBe(true);
		// Other spellings of the same bytes: padding, spare bits of the last character, the other alphabet.
		const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
		const last = alphabet.indexOf(signature.slice(-1));
		const spareBits = signature.slice(0, -1) + alphabet[last | 1];
		expect(Buffer.from(spareBits, 'base64url').equals(Buffer.from(signature, 'base64url'))).toBe(true);
		for (const other of [`${signature}=`, spareBits, Buffer.from(signature, 'base64url').toString('base64')]) {
			expect([other, isSignedBy(path, other, [old, pair])]).toEqual([other, other === signature]);
		}
		expect(isSignedBy(path, signature, [pair])).toBe(false);
		expect(isSignedBy(path, signature, [])).toBe(false);
		expect(isSignedBy(`${path}@webp`, signature, [old])).toBe(false);
		const cut = Buffer.from(signature, 'base64url').subarray(0, 16).toString('base64url');
		for (const other of [
			cut,
			signature.slice(0, -1),
			'',
			'unsafe',
			'_',
			'%%%',
			`${signature}${signature}`,
			'é'.repeat(43),
		]) {
			expect(isSignedBy(path, other, [old]), other).toBe(false);
		}
	});
});

describe('sources', () => {
	const url = 'https://example.com/a%20b/c.jpg?d=1&e=@';
	it.each([
		['plain id', `plain/${id}`, { id }, 'source'],
		['plain id, extension', `plain/${id}@webp`, { id }, 'webp'],
		['with picpipe:', `plain/picpipe://${id}@jpg`, { id }, 'jpeg'],
		['with local:', `plain/local:///${id}`, { id }, 'source'],
		['id in base64', `${base64(id)}.auto`, { id }, 'auto'],
		['plain URL', `plain/${encodeURIComponent(url)}@png`, { url }, 'png'],
		[
			'plain URL, little encoded',
			'plain/https://example.com/a/b.jpg',
			{ url: 'https://example.com/a/b.jpg' },
			'source',
		],
		['URL in base64', base64(url), { url }, 'source'],
		['in pieces, padded', `${(base64(url).match(/.{1,7}/g) ?? []).join('/')}==.avif`, { url }, 'avif'],
		['no extension after the dot', `${base64(url)}.`, { url }, 'source'],
	])('%s', (_case, text, source, format) => {
		const image = parseImgproxy(`/w:300/${text}`, dialect());
		expect(image).toMatchObject({ source, target: { kind: 'render' } });
		expect(planOf(image, photo).format).toBe(format);
	});

	it('need no options', () => {
		expect(planOf(parseImgproxy(`/plain/${id}`, dialect()), photo)).toMatchObject({ steps: [], format: 'source' });
	});

	it.each([
		['nothing', '', /source after the options/],
		['nothing after plain', 'plain/', /source after \/plain\//],
		['an id that is none', 'plain/pic_01jzkwp9nbe0tvahm2q4c8s6r', /id of a picture or an http/],
		['a file', `plain/${encodeURIComponent('file:///etc/passwd')}`, /id of a picture or an http/],
		['a bucket', base64('s3://bucket/a.jpg'), /id of a picture or an http/],
		['a path', 'plain/local:///../../etc/passwd', /id of a picture or an http/],
		['two extensions', `plain/${id}@webp@png`, /at most one @/],
		['two extensions in base64', `${base64(id)}.webp.png`, /at most one extension/],
		['half a character', 'plain/https://example.com/%E0%A4%A', /percent-encoded/],
		['no base64', 'a+b', /URL-safe base64/],
		['a length that no base64 has', 'abcde', /URL-safe base64/],
		['bytes that are no text', Buffer.from([0xff, 0xfe]).toString('base64url'), /UTF-8/],
		['an endless URL', base64(`https://example.com/${'a'.repeat(2_100)}`), /at most 2048 characters/],
		['an unknown extension', `plain/${id}@exe`, /the extension but received "exe"/],
	])('refuse %s', async (_case, text, message) => {
		const error = await thrownBy(() => parseImgproxy(`/w:300/${text}`, dialect()));
		expect(error.code).toBe('invalid-delivery-url');
		expect(error.message).toMatch(message);
	});

	it('are not decrypted', async () => {
		const error = await thrownBy(() => parseImgproxy('/w:300/enc/jwV3wUD9r4VBIzgv/ang3Hbh0vPpcm5cc', dialect()));
		expect([error.code, error.message]).toEqual([
			'option-unsupported',
			'The option "enc" is not supported. Source URLs cannot be encrypted.',
		]);
	});
});

describe('paths', () => {
	it.each([
		['rs:fit:300:200', { id }, 'webp', `/rs:fit:300:200/plain/${id}@webp`],
		['/w:300/', { id }, undefined, `/w:300/plain/${id}`],
		['', { id }, undefined, `/plain/${id}`],
		['w:300/-/bl:5', { url: 'https://example.com/ä.jpg' }, 'png', undefined],
	] as const)('%s', (options, source, extension, expected) => {
		const path = imgproxyPath(options, source, extension);
		if (expected) expect(path).toBe(expected);
		const { source: read, target } = parseImgproxy(path, dialect());
		expect(read).toEqual('url' in source ? { url: new URL(source.url).href } : source);
		expect(target.kind === 'render' && target.plan(photo).format).toBe(extension ?? 'source');
	});
});

describe('a request without a render', () => {
	it('returns the original for raw', () => {
		expect(parse('raw:1/w:300')).toEqual({ source: { id }, target: { kind: 'original' } });
		expect(parseImgproxy(`/raw:t/plain/${id}@best`, dialect()).target).toEqual({ kind: 'original' });
		expect(parse('raw:0').target.kind).toBe('render');
	});

	it.each([
		['variant:card', { kind: 'variant', name: 'card' }],
		['variant:card:jpg', { kind: 'variant', name: 'card', format: 'jpeg' }],
		['variant:card:auto', { kind: 'variant', name: 'card' }],
	])('returns a variant for %s', (options, target) => {
		expect(parse(options).target).toEqual(target);
	});

	it('takes the format of a variant from the extension, and accepts response options', () => {
		const image = parseImgproxy(
			`/variant:card/exp:2000000000/fn:x/att:1/cb:7/plain/${id}@webp`,
			dialect({ default: 'q:50' }),
		);
		expect(image).toEqual({
			source: { id },
			target: { kind: 'variant', name: 'card', format: 'webp' },
			expiresAt: 2_000_000_000,
			filename: 'x',
			isAttachment: true,
		});
	});

	it.each([
		[
			'variant:card/w:300',
			'option-unsupported',
			/"w" is not supported\. A stored variant cannot be changed by other options/,
		],
		['variant:Card', 'invalid-delivery-url', /1 to 32 of a-z, 0-9 and _ for variant/],
		['variant:', 'invalid-delivery-url', /for variant/],
		['variant:card:exe', 'invalid-delivery-url', /for variant/],
	])('refuses %s', async (options, code, message) => {
		const error = await thrownBy(() => parse(options));
		expect(error.code).toBe(code);
		expect(error.message).toMatch(message);
	});

	it('refuses two formats of a variant', async () => {
		const error = await thrownBy(() => parseImgproxy(`/variant:card:webp/plain/${id}@png`, dialect()));
		expect(error.message).toBe('Expected the format webp for the extension but received "png".');
	});
});

describe('response options', () => {
	it.each([
		['https://example.com/a/holiday.jpg?x=1.png', 'holiday'],
		['https://example.com/a/b.c.tar.gz', 'b.c.tar'],
		['https://example.com/photo', 'photo'],
		['https://example.com/Gr%C3%BC%C3%9Fe%20aus.png', 'Grüße aus'],
		['https://example.com/%ff.png', '%ff'],
		['https://example.com/a%2Fb%0D%0Ac%5Cd.png', 'a_b_c_d'],
		['https://example.com/.htaccess', 'image'],
		['https://example.com/', 'image'],
		[`https://example.com/${'x'.repeat(300)}.png`, 'x'.repeat(200)],
	])('save %s as %s', (url, filename) => {
		const path = imgproxyPath('att:1', { url }, 'webp');
		expect(parseImgproxy(path, dialect())).toMatchObject({ isAttachment: true, filename });
		expect(parseImgproxy(imgproxyPath('att:0', { url }), dialect())).not.toHaveProperty('filename');
	});

	it.each([
		['exp:1893456000', { expiresAt: 1_893_456_000 }],
		['expires:0', {}],
		['fn:a%20b.jpg', { filename: 'a b.jpg' }],
		[`filename:${base64('Grüße.png')}:1`, { filename: 'Grüße.png' }],
		['att:true', { isAttachment: true, filename: id }],
		['att:1/fn:x', { isAttachment: true, filename: 'x' }],
		['return_attachment:0', {}],
		['cachebuster:2024', {}],
	])('%s', (options, expected) => {
		const { source: _source, target: _target, ...more } = parse(options);
		expect(more).toEqual(expected);
		expect(plan(options).steps).toEqual([]);
	});
});

describe('presets', () => {
	const presets = {
		card: 'rs:fill:300:200/preset:good',
		good: 'q:90',
		small: 'w:100',
		circle: 'pr:square',
		square: 'preset:circle',
		chain: 'w:300/h:300/-/w:200/h:200/-/w:100/h:200',
	};
	const steps = (options: string, more = {}, source = photo) =>
		plan(options, source, dialect({ ...presets, ...more })).steps;

	it('stand for their options, at their position', () => {
		const made = plan('pr:card/w:200', photo, dialect(presets));
		expect(made.steps).toEqual([{ resize: { width: 200, height: 200 } }]);
		expect(made.encode?.('webp')).toEqual({ quality: 90 });
		expect(steps('w:200/pr:small')).toEqual([{ resize: { width: 100 } }]);
		expect(steps('preset:card:small')).toEqual([{ resize: { width: 100, height: 200 } }]);
	});

	it('always apply if named default, and other options follow', () => {
		expect(steps('', { default: 'preset:small' })).toEqual([{ resize: { width: 100 } }]);
		expect(steps('w:300', { default: 'preset:small' })).toEqual([{ resize: { width: 300 } }]);
	});

	it('continue in the following pipelines', () => {
		expect(steps('w:400/-/preset:chain/w:500/-/w:600')).toEqual(
			steps('w:400/-/w:500/h:300/-/w:600/h:200/-/w:100/h:200'),
		);
		expect(steps('w:400/-/preset:chain/w:150')).toEqual([
			{ resize: { width: 400 } },
			{ resize: { width: 150 } },
			{ resize: { width: 100 } },
		]);
	});

	it('can be the only options allowed', async () => {
		const only = dialect(presets, true);
		const image = parseImgproxy(`/card:small/plain/${id}@webp`, only);
		expect(planOf(image, photo)).toMatchObject({ steps: [{ resize: { width: 100, height: 200 } }], format: 'webp' });
		expect((await thrownBy(() => parseImgproxy(`/w:300/plain/${id}`, only))).message).toBe(
			'Expected a preset of this installation for preset but received "w".',
		);
		await thrownBy(() => parseImgproxy(`/plain/${id}`, only));
		await thrownBy(() => parseImgproxy(`/small/w:300/plain/${id}`, only));
	});

	it.each([
		['pr:unknown', 'Expected a preset of this installation for preset but received "unknown".'],
		['pr:', 'Expected a preset of this installation for preset but received "".'],
		['pr:__proto__', 'Expected a preset of this installation for preset but received "__proto__".'],
		['pr:circle', 'Expected presets without a circle but circle → square → circle.'],
		['pr:broken', 'Expected an integer from 0 to 16384 for w but received "x".'],
		['pr:words', 'Expected a name, a colon and arguments for an option but received "plain".'],
		['pr:many', 'Expected at most 500 options, those of presets too.'],
	])('refuse %s', async (options, message) => {
		const many = { many: 'pr:more:more:more:more:more:more:more:more', more: `pr:${Array(90).fill('good').join(':')}` };
		const given = dialect({ ...presets, broken: 'w:x', words: 'plain/x', ...many });
		const error = await thrownBy(() => parse(options, given));
		expect([error.code, error.message]).toEqual(['invalid-delivery-url', message]);
	});
});

describe('skipped formats', () => {
	it.each([
		['skp:jpg:png', photo, [], 'source'],
		['skip_processing:png', photo, [{ resize: { width: 100 } }], 'source'],
		['skp:jpg/f:webp', photo, [{ resize: { width: 100 } }], 'webp'],
		['skp:png/f:png', drawing, [], 'source'],
	])('%s', (options, source, steps, format) => {
		expect(plan(`w:100/${options}`, source)).toMatchObject({ steps, format });
	});
});

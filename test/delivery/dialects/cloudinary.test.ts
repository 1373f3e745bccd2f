import { describe, expect, it } from 'vitest';
import { cloudinaryPath, parseCloudinary } from '../../../src/delivery/dialects/cloudinary.ts';
import { thrownBy } from '../../helpers/thrown.ts';
import { id, photographFacts, plainOptions } from './cloudinary-plans.ts';

describe('an address', () => {
	const parse = (path: string) => parseCloudinary(path, plainOptions);

	it('has parts', () => {
		expect(parse(`/my-cloud/image/upload/s--AbC-_123--/w_5/e_blur/v1234/${id}.png`)).toMatchObject({
			account: 'my-cloud',
			signature: 's--AbC-_123--',
			signedText: `w_5/e_blur/${id}.png`,
			wanted: { source: { id } },
		});
		expect(parse(`/demo/image/upload/v1/${id}`)).toMatchObject({ signedText: id, wanted: { source: { id } } });
		expect(parse(`/demo/image/upload/${id}`)).not.toHaveProperty('signature');
	});

	it.each([
		['https://example.com/a/b.jpg', 'https://example.com/a/b.jpg'],
		['https%3A%2F%2Fexample.com%2Fa.jpg%3Fx%3D1', 'https://example.com/a.jpg?x=1'],
		['https://example.com/a.jpg%3Fx%3D1%26y', 'https://example.com/a.jpg?x=1&y'],
		['http://example.com/a%20b.jpg', 'http://example.com/a%20b.jpg'],
	])('names a picture elsewhere: %s', (text, url) => {
		const { wanted, signedText } = parse(`/demo/image/fetch/w_5,q_auto/${text}`);
		expect(wanted.source).toEqual({ url });
		expect(signedText).toBe(`w_5,q_auto/${text}`);
		expect(parse(`/demo/image/fetch/v1/${text}`).wanted.source).toEqual({ url });
	});

	it.each([
		'',
		'/',
		'/demo',
		'/demo/image/upload',
		'/demo/image/upload/',
		`demo/image/upload/${id}`,
		`/de%20mo/image/upload/${id}`,
		'/demo/image/upload/sample.jpg',
		`/demo/image/upload/${id.toUpperCase()}`,
		`/demo/image/upload/${id}.a.jpg`,
		`/demo/image/upload/${id}/`,
		'/demo/image/upload/pic_8zzzzzzzzzzzzzzzzzzzzzzzzz',
		`/demo/image/upload/s--abc--/${id}`,
		`/demo/image/upload/s--AbC-_12%--/${id}`,
		'/demo/image/fetch/w_5',
		'/demo/image/fetch/w_5/ftp://a/b',
		'/demo/image/fetch/https://',
		`/demo/image/fetch/https://a/${'b'.repeat(2_048)}`,
		'/demo/image/fetch/https:%ff',
		`/demo/image/upload/folder/${id}`,
	])('is not %s', async (path) => {
		expect(await thrownBy(() => parse(path))).toMatchObject({ code: 'invalid-delivery-url' });
	});

	it.each(['.svg', '.heic', '.pdf', '.mp4', '.'])('has no extension %s', async (extension) => {
		const error = await thrownBy(() => parse(`/demo/image/upload/${id}${extension}`));
		expect(error).toMatchObject({ code: 'option-unsupported' });
		expect(error.message).toMatch(/^Expected jpg, png, webp, avif, gif or tiff for the extension/);
	});

	it('is made, and read again', () => {
		expect(cloudinaryPath('c_fill,w_300', { id }, 'webp')).toBe(`/picpipe/image/upload/c_fill,w_300/${id}.webp`);
		expect(cloudinaryPath('', { id }, undefined, 'demo')).toBe(`/demo/image/upload/${id}`);
		const url = 'https://example.com/a%20b/c.jpg?d=e%2Ff&g=%C3%A4';
		const read = parse(cloudinaryPath('w_5', { url }));
		expect(read.wanted.source).toEqual({ url });
		const { result } = read.wanted;
		expect(result.kind === 'render' && result.plan(photographFacts).steps).toEqual([{ resize: { width: 5 } }]);
	});
});

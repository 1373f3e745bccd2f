import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { cloudinaryPath, parseCloudinary } from '../../../../src/delivery/dialects/cloudinary.ts';
import { thrownBy } from '../../../helpers/thrown.ts';
import { id, photographFacts, plainOptions, planOf } from './plans.ts';

describe('a Cloudinary URL', () => {
	const parse = (path: string) => parseCloudinary(path, plainOptions);

	it('has parts', () => {
		expect(parse(`/my-cloud/image/upload/s--AbC-_123--/w_5/e_blur/v1234/${id}.png`)).toMatchObject({
			account: 'my-cloud',
			signature: 's--AbC-_123--',
			signedText: `w_5/e_blur/${id}.png`,
			image: { source: { id } },
		});
		expect(parse(`/demo/image/upload/v1/${id}`)).toMatchObject({ signedText: id, image: { source: { id } } });
		expect(parse(`/demo/image/upload/${id}`)).not.toHaveProperty('signature');
	});

	it.each([
		['https://example.com/a/b.jpg', 'https://example.com/a/b.jpg'],
		['https%3A%2F%2Fexample.com%2Fa.jpg%3Fx%3D1', 'https://example.com/a.jpg?x=1'],
		['https://example.com/a.jpg%3Fx%3D1%26y', 'https://example.com/a.jpg?x=1&y'],
		['http://example.com/a%20b.jpg', 'http://example.com/a%20b.jpg'],
	])('names a remote picture: %s', (text, url) => {
		const { image, signedText } = parse(`/demo/image/fetch/w_5,q_auto/${text}`);
		expect(image.source).toEqual({ url });
		expect(signedText).toBe(`w_5,q_auto/${text}`);
		expect(parse(`/demo/image/fetch/v1/${text}`).image.source).toEqual({ url });
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

	it('is created, and parsed again', () => {
		expect(cloudinaryPath('c_fill,w_300', { id }, 'webp')).toBe(`/picpipe/image/upload/c_fill,w_300/${id}.webp`);
		expect(cloudinaryPath('', { id }, undefined, 'demo')).toBe(`/demo/image/upload/${id}`);
		const url = 'https://example.com/a%20b/c.jpg?d=e%2Ff&g=%C3%A4';
		const read = parse(cloudinaryPath('w_5', { url }));
		expect(read.image.source).toEqual({ url });
		const { target } = read.image;
		expect(target.kind === 'render' && target.plan(photographFacts).steps).toEqual([{ resize: { width: 5 } }]);
	});
});

describe('the documentation page', () => {
	const page = readFileSync(new URL('../../../../docs/dialects/cloudinary.md', import.meta.url), 'utf8');

	/** What a refusal says that there is. */
	async function listed(transformation: string): Promise<string[]> {
		const { message } = await thrownBy(() => planOf(transformation));
		return /^Expected one of (.+) for /.exec(message)?.[1]?.split(', ') ?? [];
	}

	it.each(['c_nothing,w_5', 'e_nothing', 'l_a.png,w_50,e_nothing'])(
		'lists everything that is refused for %s',
		async (refused) => {
			const names = await listed(refused);
			expect(names.length).toBeGreaterThan(2);
			expect(names.filter((name) => !page.includes(`\`${name.replace(' for a layer', '')}\``))).toEqual([]);
		},
	);

	it('has the range and the default of each level', () => {
		const rows = [
			...page.matchAll(/^\| `([a-z_]+)`(?:, `[a-z_]+`)? \| (-?\d+) to (\d+), (\d+)(?:, and a colour)? \|/gm),
		];
		expect(rows).toHaveLength(11);
		for (const [, name, least, most, fallback] of rows) {
			expect(planOf(`e_${name}`)).toEqual(planOf(`e_${name}:${fallback}`));
			planOf(`e_${name}:${least}`);
			planOf(`e_${name}:${most}`);
			expect(() => planOf(`e_${name}:${Number(least) - 1}`)).toThrow(`an integer from ${least} to ${most}`);
			expect(() => planOf(`e_${name}:${Number(most) + 1}`)).toThrow(`an integer from ${least} to ${most}`);
		}
	});

	it('has the numbers of q_auto', () => {
		for (const [, level, jpeg, webp, avif] of page.matchAll(/`auto:([a-z]+)` \| (\d+), (\d+), (\d+) \|/g)) {
			const { encode } = planOf(`q_auto:${level}`);
			const numbers = (['jpeg', 'webp', 'avif'] as const).map((format) => encode?.(format).quality);
			expect(numbers).toEqual([jpeg, webp, avif].map(Number));
		}
	});
});

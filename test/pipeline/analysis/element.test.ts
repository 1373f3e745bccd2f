import { describe, expect, it } from 'vitest';
import { type ElementVariant, pictureElement } from '../../../src/pipeline/analysis/element.ts';

const variant = (name: string, format: string, width: number, height: number): ElementVariant => ({
	name,
	format,
	type: `image/${format}`,
	width,
	height,
	url: `/v1/pictures/pic_1/variants/${name}.${format}`,
});

describe('pictureElement', () => {
	it('lists formats in the order for browsers, and sizes from small to large', () => {
		const variants = ['jpeg', 'avif', 'webp'].flatMap((format) => [
			variant('large', format, 1600, 1067),
			variant('small', format, 400, 267),
		]);
		const url = '/v1/pictures/pic_1/variants';
		expect(pictureElement({ variants, alt: 'A lighthouse' })).toBe(
			[
				'<picture>',
				`<source type="image/avif" srcset="${url}/small.avif 400w, ${url}/large.avif 1600w" sizes="(max-width: 1600px) 100vw, 1600px">`,
				`<source type="image/webp" srcset="${url}/small.webp 400w, ${url}/large.webp 1600w" sizes="(max-width: 1600px) 100vw, 1600px">`,
				`<img src="${url}/large.jpeg" srcset="${url}/small.jpeg 400w, ${url}/large.jpeg 1600w" sizes="(max-width: 1600px) 100vw, 1600px"`,
				' width="1600" height="1067" alt="A lighthouse" loading="lazy" decoding="async">',
				'</picture>',
			].join(''),
		);
	});

	it('omits variants of another aspect ratio', () => {
		const html = pictureElement({
			variants: [variant('large', 'webp', 1600, 900), variant('thumb', 'webp', 300, 300)],
			alt: '',
		});
		expect(html).toContain('large.webp');
		expect(html).not.toContain('thumb');
		expect(html).not.toContain('<source');
	});

	it('escapes all values', () => {
		const alt = `"><script>alert('x')</script>&`;
		const html = pictureElement({ variants: [variant('a', 'webp', 10, 10)], alt });
		expect(html).toContain('alt="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;"');
		expect(html).not.toContain('<script');
	});

	it('shows the placeholder behind it', () => {
		const html = pictureElement({
			variants: [variant('a', 'webp', 10, 10)],
			alt: '',
			placeholder: 'data:image/webp;base64,UklG',
		});
		expect(html).toContain('style="background: url(data:image/webp;base64,UklG) center / cover no-repeat"');
	});

	it('is absent without a format that browsers show', () => {
		expect(pictureElement({ variants: [], alt: '' })).toBeUndefined();
		expect(pictureElement({ variants: [variant('a', 'tiff', 10, 10)], alt: '' })).toBeUndefined();
	});
});

import buildPath, { chain, GravityType, ResizeType } from '@bitpatty/imgproxy-url-builder';
import { generateUrl } from '@imgproxy/imgproxy-js-core';
import { generateImageUrl } from '@imgproxy/imgproxy-node';
import { describe, expect, it } from 'vitest';
import { isSignedBy, parseImgproxy } from '../../../../src/delivery/dialects/imgproxy.ts';
import { dialect, id, pair, photo, planOf } from './read.ts';

/** Addresses as programs of today make them: by imgproxy's own packages and by another one. */

const url = 'https://example.com/im%20age.jpg';
const keys = { key: pair.key.toString('hex'), salt: pair.salt.toString('hex') };
const [width, height] = [300, 200];

/** Signature and path; the signature is ours. */
function signed(address: string): string {
	const [, signature = '', path = ''] =
		/^\/([^/]+)(\/.*)$/.exec(new URL(address, 'https://images.test').pathname) ?? [];
	expect(isSignedBy(path, signature, [pair])).toBe(true);
	expect(isSignedBy(`${path}x`, signature, [pair])).toBe(false);
	return path;
}

describe('@imgproxy/imgproxy-node', () => {
	const build = (
		options: NonNullable<Parameters<typeof generateImageUrl>[0]['options']>,
		source: Parameters<typeof generateImageUrl>[0]['url'] = url,
	) =>
		parseImgproxy(
			signed(generateImageUrl({ endpoint: 'https://images.test/', url: source, options, ...keys })),
			dialect(),
		);

	it.each([
		['resize', { resize: { resizing_type: 'fill', width, height } }, [{ resize: { width, height } }]],
		['size', { size: { width, height, enlarge: true } }, [{ resize: { width: 267 } }]],
		[
			'gravity',
			{ resizing_type: 'fill', width, height, gravity: { type: 'sm' } },
			[{ resize: { width, height, position: 'attention' } }],
		],
		[
			'crop',
			{ crop: { width: 1000, height: 0.5, gravity: { type: 'nowe', x_offset: 10, y_offset: 20 } } },
			[{ crop: { width: 1000, height: 1500, left: 10, top: 20 } }],
		],
		['turns', { rotate: 90, flip: { horizontal: true } }, [{ rotate: { angle: 90 } }, { flop: {} }]],
		[
			'room',
			{ width, height: 300, extend: { extend: 1, gravity: { type: 'no' } }, background: { r: 255, g: 0, b: 0 } },
			[{ resize: { width } }, { extend: { bottom: 75, background: '#ff0000' } }],
		],
		[
			'padding',
			{ padding: { top: 1, right: 2 }, background: 'fff' },
			[{ extend: { top: 1, right: 2, bottom: 1, left: 2, background: '#ffffff' } }],
		],
		[
			'colours',
			{ adjust: { brightness: 51, contrast: 1, saturation: 0.5 } },
			[{ contrast: { factor: 1, brightness: 51 } }, { modulate: { saturation: 0.5 } }],
		],
		['details', { blur: 5, pixelate: 8 }, [{ blur: { sigma: 5 } }, { pixelate: { size: 8 } }]],
		[
			'gradient',
			{ gradient: { opacity: 0.5, direction: 'up' } },
			[{ gradient: { colour: '#000000', opacity: 0.5, towards: 'top', start: 0, stop: 1 } }],
		],
		[
			'watermark',
			{ watermark: { opacity: 0.5, position: 'soea', x_offset: 10, y_offset: 10, scale: 0.2 } },
			[{ watermark: { picture: 'watermark.png', position: 'right bottom', x: 10, y: 10, scale: 0.2, opacity: 0.5 } }],
		],
	] as const)('%s', (_case, options, steps) => {
		const image = build(options as Parameters<typeof build>[0]);
		expect(image.source).toEqual({ url });
		expect(planOf(image, photo).steps).toEqual(steps);
	});

	it('sets output and response options', () => {
		const image = build({
			format: 'webp',
			quality: 70,
			expires: 2_000_000_000,
			filename: { name: 'a.webp' },
			return_attachment: true,
			cachebuster: 'x',
			strip_metadata: 'f',
		});
		expect(image).toMatchObject({ expiresAt: 2_000_000_000, filename: 'a.webp', isAttachment: true });
		const plan = planOf(image, photo);
		expect(plan).toMatchObject({ format: 'webp', metadata: 'keep' });
		expect(plan.encode?.('webp')).toEqual({ quality: 70 });
	});

	it('names pictures by their id', () => {
		for (const displayAs of ['plain', 'base64'] as const) {
			expect(build({ width }, { value: id, displayAs }).source).toEqual({ id });
		}
	});
});

describe('@imgproxy/imgproxy-js-core', () => {
	it('creates paths that are understood', () => {
		const path = generateUrl(
			{ value: url, type: 'plain' },
			{
				width: 150,
				height: 150,
				format: 'jpg',
				enlarge: 't',
				extend: { extend: 1, gravity: { type: 'nowe' } },
				trim: { threshold: 10 },
				preset: ['good'],
			},
		);
		expect(planOf(parseImgproxy(path, dialect({ good: 'q:90' })), photo)).toMatchObject({
			steps: [
				{ trim: { threshold: 10 } },
				{ resize: { width: 150, height: 150, fit: 'inside' } },
				{ extend: { width: 150, height: 150, position: 'left top', background: '#00000000' } },
			],
			format: 'jpeg',
		});
	});
});

describe('@bitpatty/imgproxy-url-builder', () => {
	const signature = keys;
	it.each([
		[
			'options in the order in which they came',
			() =>
				buildPath()
					.resize({ type: ResizeType.FILL, width, height })
					.crop({ width: 2000, height: 2000, gravity: { type: GravityType.NORTHWEST, offset: { x: 100, y: 200 } } })
					.rotate(90)
					.format('webp')
					.build({ path: id, signature }),
			[
				{ rotate: { angle: 90 } },
				{ crop: { width: 2000, height: 2000, left: 100, top: 200 } },
				{ resize: { width, height } },
			],
			'webp',
		],
		[
			'plain sources, padding and no more than one side of it',
			() => buildPath().pad({ top: 1, left: 3 }).build({ path: id, plain: true, signature }),
			[{ extend: { top: 1, right: 1, bottom: 1, left: 3, background: '#00000000' } }],
			'source',
		],
		[
			'pipelines in a row',
			() =>
				chain({
					buildOptions: { path: id, signature },
					builders: [buildPath().resize({ width: 500 }), buildPath().blur(5)],
				}),
			[{ resize: { width: 500 } }, { blur: { sigma: 5 } }],
			'source',
		],
	] as const)('%s', (_case, build, steps, format) => {
		const image = parseImgproxy(signed(build()), dialect());
		expect(image.source).toEqual({ id });
		expect(planOf(image, photo)).toMatchObject({ steps, format });
	});
});

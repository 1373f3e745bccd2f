import { v2 as sdk } from 'cloudinary';
import { transformUrl } from 'unpic';
import { describe, expect, it } from 'vitest';
import {
	cloudinaryPath,
	isSignedWith,
	parseCloudinary,
	signCloudinary,
} from '../../../../src/delivery/dialects/cloudinary.ts';
import { id, photographFacts, plainOptions, planOfPath } from './plans.ts';

/** Addresses that Cloudinary's own SDK makes, and what is made of them here. */

const secret = 'abcd-secret';
const elsewhere = 'https://example.com/a b/c.jpg?size=5&name=x';

/** What stands in an address of the SDK after the host. */
function sdkPath(publicId: string, options: Readonly<Record<string, unknown>>): string {
	const url = sdk.url(publicId, {
		cloud_name: 'demo',
		api_secret: secret,
		secure: true,
		secure_distribution: 'pictures.example.com',
		urlAnalytics: false,
		...options,
	});
	expect(url).toMatch(/^https:\/\/pictures\.example\.com\/demo\//);
	return url.slice('https://pictures.example.com'.length);
}

const transformations: readonly [Readonly<Record<string, unknown>>, readonly object[]][] = [
	[{}, []],
	[{ width: 200, crop: 'scale' }, [{ resize: { width: 200 } }]],
	[
		{ width: 100, height: 100, crop: 'fill', gravity: 'north_east', radius: 20 },
		[{ resize: { width: 100, height: 100, position: 'right top' } }, { round: { radius: 20 } }],
	],
	[{ width: 0.5, aspect_ratio: '16:9', crop: 'fill', dpr: '2.0' }, [{ resize: { width: 200, height: 113 } }]],
	[{ crop: 'crop', x: 10, y: 20, width: 50, height: 60 }, [{ crop: { width: 50, height: 60, left: 10, top: 20 } }]],
	[
		{ transformation: [{ width: 200, crop: 'limit' }, { effect: 'blur:400' }, { angle: [90, 'hflip'] }] },
		[{ resize: { width: 200 } }, { blur: { sigma: 10 } }, { rotate: { angle: 90 } }, { flop: {} }],
	],
	[
		{ width: 200, height: 200, crop: 'pad', background: '#ff8000', border: { width: 4, color: '#00ff00' } },
		[
			{ resize: { width: 200, height: 200, fit: 'contain', background: '#ff8000' } },
			{ border: { width: 4, colour: '#00ff00' } },
		],
	],
	[
		{ overlay: 'logo.png', width: 100, gravity: 'south_east', x: 10, y: 10, opacity: 50 },
		[{ watermark: { picture: 'logo.png', position: 'right bottom', x: 10, y: 10, width: 100, opacity: 0.5 } }],
	],
	[
		{
			transformation: [
				{ overlay: 'logo.png' },
				{ width: 0.5, crop: 'scale', flags: 'relative' },
				{ flags: 'layer_apply', gravity: 'north' },
			],
		},
		[{ watermark: { picture: 'logo.png', position: 'top', width: 200 } }],
	],
	[
		{
			overlay: { font_family: 'Open Sans', font_size: 30, font_weight: 'bold', text: 'Fish, 50% & (chips)/ä: "yes"?' },
			color: '#ffd166',
			gravity: 'south',
		},
		[
			{
				text: {
					text: 'Fish, 50% & (chips)/ä: "yes"?',
					font: 'Open Sans',
					size: 30,
					weight: 'bold',
					colour: '#ffd166',
					position: 'bottom',
				},
			},
		],
	],
];

describe("URLs of Cloudinary's SDK", () => {
	it.each(transformations)('%j', (options, expected) => {
		for (const more of [{}, { sign_url: true }, { sign_url: true, long_url_signature: true, version: 1234 }]) {
			const path = sdkPath(id, { ...structuredClone(options), ...more, format: 'webp' });
			const address = parseCloudinary(path, plainOptions);
			expect(address).toMatchObject({ account: 'demo', image: { source: { id } } });
			expect(planOfPath(path, photographFacts, plainOptions)).toEqual({ steps: expected, format: 'webp' });
			expect(isSignedWith(address, [secret])).toBe('sign_url' in more);
			expect(isSignedWith(address, ['another', secret])).toBe('sign_url' in more);
			expect(isSignedWith(address, ['another', '', `${secret} `])).toBe(false);
		}
	});

	it.each([{ sign_url: true }, { sign_url: true, long_url_signature: true }])(
		'name remote pictures, signed with %j',
		(more) => {
			const path = sdkPath(elsewhere, { type: 'fetch', width: 50, crop: 'scale', ...more });
			const address = parseCloudinary(path, plainOptions);
			expect(isSignedWith(address, [secret])).toBe(true);
			expect(planOfPath(path, photographFacts, plainOptions).steps).toEqual([{ resize: { width: 50 } }]);
		},
	);

	it('keep the URL of a remote picture', () => {
		const url = 'https://example.com/a/c.jpg?size=5&name=x';
		const { image } = parseCloudinary(sdkPath(url, { type: 'fetch', fetch_format: 'auto' }), plainOptions);
		expect(image.source).toEqual({ url });
	});
});

describe('a signature', () => {
	const transformation = 'c_fill,w_300,h_200';
	const signedText = `${transformation}/${id}.jpg`;
	const signed = (signature: string) =>
		parseCloudinary(`/demo/image/upload/${signature}/v7/${signedText}`, plainOptions);

	it('is the one that the SDK creates', () => {
		const options = { raw_transformation: transformation, format: 'jpg', sign_url: true };
		const short = signCloudinary(signedText, secret);
		const long = signCloudinary(signedText, secret, 'long');
		expect(short).toHaveLength(13);
		expect(long).toHaveLength(37);
		expect(sdkPath(id, options)).toBe(`/demo/image/upload/${short}/${signedText}`);
		expect(sdkPath(id, { ...options, long_url_signature: true })).toBe(`/demo/image/upload/${long}/${signedText}`);
		const path = cloudinaryPath(transformation, { id }, 'jpg', 'demo');
		expect(path.slice('/demo/image/upload/'.length)).toBe(signedText);
	});

	it('is refused after any change', () => {
		for (const kind of ['short', 'long'] as const) {
			const signature = signCloudinary(signedText, secret, kind);
			const path = `/demo/image/upload/${signature}/${signedText}`;
			const isGood = (one: string) => isSignedWith(parseCloudinary(one, plainOptions), [secret]);
			expect(isGood(path)).toBe(true);
			expect(isGood(path.replace('w_300', 'w_301'))).toBe(false);
			expect(isGood(path.replace('.jpg', '.png'))).toBe(false);
			expect(isGood(path.replace(`${signature}/`, ''))).toBe(false);
			const other = signature.at(4) === 'A' ? 'B' : 'A';
			expect(isGood(path.replace(signature, `s--${other}${signature.slice(4)}`))).toBe(false);
			expect(isGood(path.replace(id, `v12/${id}`))).toBe(true);
		}
	});

	it('is missing without a secret, or with another form', () => {
		const signature = signCloudinary(signedText, '');
		expect(isSignedWith({ signature, signedText }, [])).toBe(false);
		expect(isSignedWith({ signature, signedText }, [''])).toBe(false);
		for (const odd of ['', 's----', 's--aaaaaaaaa--', `s--${'ä'.repeat(8)}--`, 'x'.repeat(5_000)]) {
			expect(isSignedWith({ signature: odd, signedText }, [secret])).toBe(false);
		}
		expect(() => signed('s--short--')).toThrow('Expected s--, 8 or 32 characters of base64url, and --');
	});
});

it('URLs of unpic are understood', () => {
	const url = String(
		transformUrl({ url: `https://res.cloudinary.com/demo/image/upload/${id}.jpg`, width: 200, height: 100 }),
	);
	expect(url).toMatch(/^https:\/\/res\.cloudinary\.com\/demo\/image\/upload\/.*c_lfill/);
	const path = url.slice('https://res.cloudinary.com'.length);
	expect(planOfPath(path, photographFacts, plainOptions)).toEqual({
		steps: [{ resize: { width: 200, height: 100 } }],
		format: 'auto',
	});
});

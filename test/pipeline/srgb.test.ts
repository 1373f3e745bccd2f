import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { inspect } from '../../src/pipeline/inspect.ts';
import { withProfile } from '../../src/pipeline/profile.ts';
import { meansSrgb } from '../../src/pipeline/srgb.ts';
import { photograph, profileOf, sharedPictures } from '../helpers/pictures.ts';
import { limits, make, one } from './make.ts';

/** The profile of sRGB with other curves: a plain power (ICC.1:2022, 10.18, function type 0). */
async function withGamma(gamma: number): Promise<Buffer> {
	const profile = Buffer.from(await profileOf('srgb'));
	const curve = profile.indexOf('para', 132 + profile.readUInt32BE(128) * 12);
	expect(curve).toBeGreaterThan(0);
	profile.writeUInt16BE(0, curve + 8);
	profile.writeUInt32BE(Math.round(gamma * 65_536), curve + 12);
	return profile;
}

/** Colours of a grid of 64 on each axis, as a picture in that profile. */
function grid(profile: Buffer): { readonly data: Buffer; readonly file: Buffer } {
	const side = 64;
	const data = Buffer.alloc(side ** 3 * 3);
	for (let at = 0; at < side ** 3; at++) {
		const numbers = [at / side ** 2, (at / side) % side, at % side];
		data.set(
			numbers.map((number) => Math.round((Math.floor(number) * 255) / (side - 1))),
			at * 3,
		);
	}
	return { data, file: withProfile({ data, width: side ** 2, height: side, channels: 3 }, profile) };
}

function mostDifferent(one: Buffer, other: Buffer): number {
	expect(one).toHaveLength(other.length);
	return one.reduce((most, number, at) => Math.max(most, Math.abs(number - (other[at] ?? 0))), 0);
}

describe('a profile means sRGB', () => {
	it('when it is that of libvips, and then no colour would change by more than rounding', async () => {
		const profile = await profileOf('srgb');
		expect(await meansSrgb(profile)).toBe(true);
		const { data, file } = grid(profile);
		expect(mostDifferent(data, await sharp(file).toColourspace('srgb').raw().toBuffer())).toBeLessThanOrEqual(1);
	});

	it.each([
		['Display P3', () => profileOf('p3')],
		['the primaries of sRGB and a gamma of 2.2, which differs in the dark alone', () => withGamma(2.2)],
		['the primaries of sRGB and a gamma of 1.8', () => withGamma(1.8)],
	])('not when it is %s', async (_name, profile) => {
		expect(await meansSrgb(await profile())).toBe(false);
	});

	it.each([
		['cut', (profile: Buffer) => profile.subarray(0, 200)],
		['full of something else', (profile: Buffer) => Buffer.alloc(profile.length, 0xab)],
	])('when it is %s, because sharp passes over it as well', async (_name, broken) => {
		const profile = broken(await profileOf('p3'));
		expect(await meansSrgb(profile)).toBe(true);
		const { data, file } = grid(profile);
		expect(mostDifferent(data, await sharp(file).toColourspace('srgb').raw().toBuffer())).toBe(0);
	});
});

describe('a picture whose profile means sRGB', () => {
	const steps = one([{ resize: { width: 300 } }], [{ png: {} }]);

	it.each(['jpeg', 'png', 'webp', 'tiff'] as const)(
		'looks as if it had been converted, and as if it had none: %s',
		async (format) => {
			const plain = await photograph({ width: 600, height: 400, format: 'png' });
			const profiled = sharp(plain).withIccProfile('srgb');
			const file = await profiled
				.toFormat(format, { quality: 90, ...(format === 'tiff' && { compression: 'lzw' }) })
				.toBuffer();
			expect(await inspect(file, limits)).toMatchObject({ isSrgb: true });
			const made = await sharp((await make(file, steps)).variant('only').data)
				.raw()
				.toBuffer();
			const converted = await sharp(file).toColourspace('srgb').resize({ width: 300 }).raw().toBuffer();
			expect(mostDifferent(made, converted)).toBeLessThanOrEqual(2);
		},
	);

	it('is converted all the same where its numbers have 16 bits', async () => {
		const deep = sharp(await photograph({ width: 60, height: 40, deep: true, format: 'png' })).toColourspace('rgb16');
		const file = await deep.withIccProfile('srgb').png().toBuffer();
		expect((await sharp(file).metadata()).depth).toBe('ushort');
		expect(await inspect(file, limits)).toMatchObject({ isSrgb: false });
	});

	it('keeps its profile where a variant keeps colours as they are', async () => {
		const file = await sharp(await photograph({ width: 60, height: 40, format: 'png' }))
			.withIccProfile('srgb')
			.png()
			.toBuffer();
		const { data } = (await make(file, { variants: { only: { colour: 'keep', encode: [{ png: {} }] } } })).variant(
			'only',
		);
		expect((await sharp(data).metadata()).icc).toEqual(await profileOf('srgb'));
	});

	it('is converted where the profile is another one', async () => {
		const plain = await photograph({ width: 60, height: 40, format: 'png' });
		const data = await sharp(plain).raw().toBuffer();
		const tiff = withProfile({ data, width: 60, height: 40, channels: 3 }, await withGamma(1.8));
		expect(await inspect(tiff, limits)).toMatchObject({ isSrgb: false });
		const made = await make(tiff, { variants: { only: { encode: [{ png: {} }] } } });
		expect(mostDifferent(await sharp(made.variant('only').data).raw().toBuffer(), data)).toBeGreaterThan(5);
	});

	for (const { name, path } of sharedPictures('photos').filter(({ name }) => name.includes('-icc'))) {
		it(`is one of camera and program alike, number by number: ${name}`, async () => {
			const file = await readFile(path);
			expect(await inspect(file, limits)).toMatchObject({ isSrgb: true });
			const [converted, plain] = await Promise.all(
				[false, true].map((ignoreIcc) => sharp(file, { ignoreIcc }).resize({ width: 800 }).raw().toBuffer()),
			);
			expect(converted && plain && Buffer.compare(converted, plain)).toBe(0);
		});
	}
});

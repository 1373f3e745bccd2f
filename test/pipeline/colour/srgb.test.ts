import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { tiffWithProfile } from '../../../src/pipeline/colour/profile.ts';
import { type ColourMeaning, meaningOf, toSrgb } from '../../../src/pipeline/colour/srgb.ts';
import { inspect } from '../../../src/pipeline/inspect/inspect.ts';
import { photograph, profileOf, sharedPictures, similarity } from '../../helpers/pictures.ts';
import { limits, make, one } from '../make.ts';

/** A profile with other curves: a plain power (ICC.1:2022, 10.18, function type 0). */
async function withGamma(gamma: number, of: 'srgb' | 'p3' = 'srgb'): Promise<Buffer> {
	const profile = Buffer.from(await profileOf(of));
	const curve = profile.indexOf('para', 132 + profile.readUInt32BE(128) * 12);
	expect(curve).toBeGreaterThan(0);
	profile.writeUInt16BE(0, curve + 8);
	profile.writeUInt32BE(Math.round(gamma * 65_536), curve + 12);
	return profile;
}

/** Colours of a grid of 64 on each axis, as a picture in that profile. */
function grid(profile: Buffer) {
	const side = 64;
	const data = Buffer.alloc(side ** 3 * 3);
	for (let at = 0; at < side ** 3; at++) {
		const numbers = [at / side ** 2, (at / side) % side, at % side];
		data.set(
			numbers.map((number) => Math.round((Math.floor(number) * 255) / (side - 1))),
			at * 3,
		);
	}
	const pixels = { data, width: side ** 2, height: side, channels: 3 as const };
	return { data: Buffer.from(data), pixels, file: tiffWithProfile(pixels, profile) };
}

function mostDifferent(one: Buffer, other: Buffer): number {
	expect(one).toHaveLength(other.length);
	return one.reduce((most, number, at) => Math.max(most, Math.abs(number - (other[at] ?? 0))), 0);
}

function onAverage(one: Buffer, other: Buffer): number {
	expect(one).toHaveLength(other.length);
	return one.reduce((sum, number, at) => sum + Math.abs(number - (other[at] as number)), 0) / one.length;
}

describe('a profile means sRGB', () => {
	it('when it is that of libvips, and then no colour would change by more than rounding', async () => {
		const profile = await profileOf('srgb');
		expect(await meaningOf(profile)).toBe('srgb');
		const { data, file } = grid(profile);
		expect(mostDifferent(data, await sharp(file).toColourspace('srgb').raw().toBuffer())).toBeLessThanOrEqual(1);
	});

	it.each<[string, () => Promise<Buffer>]>([
		['the primaries of sRGB and a gamma of 2.2, which differs in the dark alone', () => withGamma(2.2)],
		['the primaries of sRGB and a gamma of 1.8', () => withGamma(1.8)],
		['the primaries of Display P3 and a gamma of 2.2', () => withGamma(2.2, 'p3')],
	])('not when it is %s', async (_name, profile) => {
		expect(await meaningOf(await profile())).toBe('other');
	});

	it.each([
		['cut', (profile: Buffer) => profile.subarray(0, 200)],
		['full of something else', (profile: Buffer) => Buffer.alloc(profile.length, 0xab)],
	])('when it is %s, because sharp passes over it as well', async (_name, broken) => {
		const profile = broken(await profileOf('p3'));
		expect(await meaningOf(profile)).toBe('srgb');
		const { data, file } = grid(profile);
		expect(mostDifferent(data, await sharp(file).toColourspace('srgb').raw().toBuffer())).toBe(0);
	});
});

/** Profiles of other colours, and what they are found to mean. */
const others: readonly (readonly [string, ColourMeaning, () => Promise<Buffer>])[] = [
	['Display P3', 'display-p3', () => profileOf('p3')],
	['a gamma of 1.8', 'other', () => withGamma(1.8)],
];

describe.each(others)('numbers of %s', (_name, meaning, profileOfIt) => {
	it('become those that lcms makes of them, whichever colour it is', async () => {
		const profile = await profileOfIt();
		expect(await meaningOf(profile)).toBe(meaning);
		const { data, pixels, file } = grid(profile);
		const expected = await sharp(file).toColourspace('srgb').raw().toBuffer();
		expect(mostDifferent(data, expected)).toBeGreaterThan(15);
		const { data: converted } = await toSrgb(pixels, profile, meaning);
		// lcms itself is off by so much in the darkest numbers of saturated colours.
		expect(mostDifferent(converted, expected)).toBeLessThanOrEqual(meaning === 'other' ? 0 : 6);
		expect(onAverage(converted, expected)).toBeLessThan(0.1);
	});

	it('keep their alpha', async () => {
		const profile = await profileOfIt();
		const data = Buffer.from([255, 0, 0, 255, 0, 200, 0, 128, 10, 20, 250, 0]);
		const { data: converted } = await toSrgb({ data, width: 3, height: 1, channels: 4 }, profile, meaning);
		expect([3, 7, 11].map((at) => converted[at])).toEqual([255, 128, 0]);
	});

	it.each([
		['a thumb alone', 0.25],
		['every pixel', 1],
	])('of a photograph are converted: %s', async (_what, share) => {
		const plain = await sharp(await photograph({ width: 640, height: 480, format: 'png' }))
			.raw()
			.toBuffer();
		const tiff = tiffWithProfile({ data: plain, width: 640, height: 480, channels: 3 }, await profileOfIt());
		for (const format of ['jpeg', 'png', 'webp', 'tiff'] as const) {
			const file = await sharp(tiff).keepIccProfile().toFormat(format, { quality: 95 }).toBuffer();
			expect(await inspect(file, limits)).toMatchObject({ meaning });
			const resize = { width: 640 * share };
			const made = (await make(file, one([{ resize }], [{ png: {} }]))).variant('only').data;
			const expected = await sharp(file).toColourspace('srgb').resize(resize).png().toBuffer();
			const unconverted = await sharp(file, { ignoreIcc: true }).resize(resize).png().toBuffer();
			expect(await similarity(made, expected)).toBeGreaterThan(0.995);
			expect(await farFrom(made, expected)).toBeLessThan(0.6);
			expect(await farFrom(unconverted, expected)).toBeGreaterThan(2);
		}
	});
});

/** Difference of two pictures, numbers of a channel on average. */
async function farFrom(one: Buffer, other: Buffer): Promise<number> {
	const [some, others] = await Promise.all([one, other].map((file) => sharp(file).removeAlpha().raw().toBuffer()));
	if (!some || !others) throw new Error('Expected two pictures.');
	return onAverage(some, others);
}

it('a picture in Display P3 stays as it is where a variant asks for that', async () => {
	const plain = await sharp(await photograph({ width: 60, height: 40, format: 'png' }))
		.raw()
		.toBuffer();
	const tiff = tiffWithProfile({ data: plain, width: 60, height: 40, channels: 3 }, await profileOf('p3'));
	const made = await make(tiff, { variants: { only: { colour: 'p3', encode: [{ png: {} }] } } });
	const { data } = made.variant('only');
	expect(mostDifferent(await sharp(data, { ignoreIcc: true }).raw().toBuffer(), plain)).toBe(0);
	expect((await sharp(data).metadata()).icc).toEqual(await profileOf('p3'));
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
			expect(await inspect(file, limits)).toMatchObject({ meaning: 'srgb' });
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
		expect((await inspect(file, limits)).meaning).toBeUndefined();
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
		const tiff = tiffWithProfile({ data, width: 60, height: 40, channels: 3 }, await withGamma(1.8));
		expect(await inspect(tiff, limits)).toMatchObject({ meaning: 'other' });
		const made = await make(tiff, { variants: { only: { encode: [{ png: {} }] } } });
		expect(mostDifferent(await sharp(made.variant('only').data).raw().toBuffer(), data)).toBeGreaterThan(5);
	});

	for (const { name, path } of sharedPictures('photos').filter(({ name }) => name.includes('-icc'))) {
		it(`is one of camera and program alike, number by number: ${name}`, async () => {
			const file = await readFile(path);
			expect(await inspect(file, limits)).toMatchObject({ meaning: 'srgb' });
			const [converted, plain] = await Promise.all(
				[false, true].map((ignoreIcc) => sharp(file, { ignoreIcc }).resize({ width: 800 }).raw().toBuffer()),
			);
			expect(converted && plain && Buffer.compare(converted, plain)).toBe(0);
		});
	}
});

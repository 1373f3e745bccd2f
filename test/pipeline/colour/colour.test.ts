import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { tiffWithProfile } from '../../../src/pipeline/colour/profile.ts';
import { colourDifference, extraTitle, photograph, profileOf, sharedPictures } from '../../helpers/pictures.ts';
import { make } from '../make.ts';

/** The greenest green, the reddest red, a blue and a dull grey of Display P3; sRGB has neither of the first two. */
const numbers = [0, 255, 0, 255, 0, 0, 60, 80, 200, 120, 110, 100];

/** A PNG whose numbers are these, in the space of the profile. */
async function wide(profile: Buffer, alpha?: number): Promise<Buffer> {
	const channels = alpha === undefined ? 3 : 4;
	const pixels = [0, 3, 6, 9].flatMap((at) => [...numbers.slice(at, at + 3), ...(alpha === undefined ? [] : [alpha])]);
	const tiff = tiffWithProfile({ data: Buffer.from(pixels), width: 4, height: 1, channels }, profile);
	return sharp(tiff).keepIccProfile().png().toBuffer();
}

/** The numbers in a file, whatever they mean. */
async function numbersIn(file: Buffer): Promise<number[]> {
	return [...(await sharp(file, { ignoreIcc: true }).raw().toBuffer())];
}

const lossless = [{ png: {} }, { webp: { lossless: true } }, { avif: { lossless: true } }];

async function made(file: Buffer, colour: unknown, encode: unknown = { png: {} }, steps: unknown = []) {
	const outputs = await make(file, { variants: { only: { colour, steps, encode: [encode] } } });
	const { data } = outputs.variant('only');
	const { icc } = await sharp(data).metadata();
	return { data, icc, numbers: await numbersIn(data) };
}

function near(one: readonly number[], other: readonly number[], most = 1): void {
	expect(one).toHaveLength(other.length);
	for (const [index, value] of one.entries())
		expect(Math.abs(value - (other[index] ?? 0)), `${one}`).toBeLessThanOrEqual(most);
}

describe('colours of variants', () => {
	it('are sRGB when nothing is said, without a profile', async () => {
		const { icc, numbers: found } = await made(await wide(await profileOf('p3')), undefined);
		expect(icc).toBeUndefined();
		near(found.slice(0, 6), [0, 255, 0, 255, 0, 0], 2);
		expect(found.slice(6)).not.toEqual(numbers.slice(6));
	});

	it.each(lossless)('are those of the original with `keep`, number by number: %o', async (encode) => {
		const profile = await profileOf('p3');
		const { icc, numbers: found } = await made(await wide(profile), 'keep', encode);
		expect(icc).toEqual(profile);
		expect(found).toEqual(numbers);
	});

	it.each(lossless)('are Display P3 with `p3`, through more than 8 bits and never through sRGB: %o', async (encode) => {
		const { icc, numbers: found } = await made(await wide(await profileOf('p3')), 'p3', encode);
		expect(icc).toEqual(await profileOf('p3'));
		near(found, numbers);
	});

	it('are Display P3 for an original of another profile, as lcms converts it', async () => {
		// What the numbers of an sRGB profile are in P3; sharp called directly.
		const file = await wide(await profileOf('srgb'));
		const { numbers: found } = await made(file, 'p3');
		const direct = await sharp(file).withIccProfile('p3').png().toBuffer();
		near(found, await numbersIn(direct), 2);
	});

	it('keep transparency, several steps and encoders', async () => {
		const profile = await profileOf('p3');
		const outputs = await make(await wide(profile, 128), {
			variants: {
				a: { colour: 'keep', steps: [{ flop: {} }, { flip: {} }], encode: [{ png: {} }, { webp: { lossless: true } }] },
				b: { from: 'a', steps: [{ flop: {} }], encode: [{ png: {} }] },
				c: { encode: [{ png: {} }] },
			},
		});
		const pixels = [9, 6, 3, 0].flatMap((at) => [...numbers.slice(at, at + 3), 128]);
		expect(await numbersIn(outputs.variant('a', 'png').data)).toEqual(pixels);
		expect(await numbersIn(outputs.variant('a', 'webp').data)).toEqual(pixels);
		const again = [0, 3, 6, 9].flatMap((at) => [...numbers.slice(at, at + 3), 128]);
		expect(await numbersIn(outputs.variant('b').data)).toEqual(again);
		expect((await sharp(outputs.variant('b').data).metadata()).icc).toEqual(profile);
		// The other one shares nothing with them.
		expect((await sharp(outputs.variant('c').data).metadata()).icc).toBeUndefined();
		expect(await numbersIn(outputs.variant('c').data)).not.toEqual(again);
	});

	it.each(['keep', 'p3'])('are sRGB with `%s` for what has no RGB profile of its own', async (colour) => {
		const plain = await photograph({ width: 60, height: 40, format: 'png' });
		const { icc, numbers: found } = await made(plain, colour);
		expect(icc).toBeUndefined();
		expect(found).toEqual(await numbersIn(plain));
		const cmyk = await sharp(plain).toColourspace('cmyk').withIccProfile('cmyk').jpeg().toBuffer();
		expect((await sharp(cmyk).metadata()).space).toBe('cmyk');
		expect((await made(cmyk, colour)).icc).toBeUndefined();
	});

	it('16 bits a channel with a profile end with 8, in the right space', async () => {
		const profile = await profileOf('p3');
		const deep = Buffer.from(Uint16Array.from(numbers, (value) => value * 257).buffer);
		const tiff = tiffWithProfile({ data: deep, width: 4, height: 1, channels: 3 }, profile, 16);
		const file = await sharp(tiff).keepIccProfile().toColourspace('rgb16').png().toBuffer();
		expect((await sharp(file).metadata()).depth).toBe('ushort');
		near((await made(file, 'keep')).numbers, numbers);
		near((await made(file, 'p3')).numbers, numbers);
	});

	it('a quality that is looked for compares numbers with numbers', async () => {
		const profile = await profileOf('p3');
		const photo = await sharp(await photograph({ width: 200, height: 150 }))
			.raw()
			.toBuffer();
		const tiff = tiffWithProfile({ data: photo, width: 200, height: 150, channels: 3 }, profile);
		const file = await sharp(tiff).keepIccProfile().png().toBuffer();
		const outputs = await make(file, {
			variants: { a: { colour: 'keep', encode: [{ webp: { quality: { ssim: 0.97 } } }] } },
		});
		const { data, quality } = outputs.variant('a');
		expect(quality?.ssim).toBeGreaterThanOrEqual(0.97);
		expect((await sharp(data).metadata()).icc).toEqual(profile);
	});
});

const photos = sharedPictures('photos', /icc/);
describe.skipIf(photos.length === 0)(extraTitle('photos', photos), () => {
	it.skipIf(photos.length === 0)('every one looks the same in each space', { timeout: 60_000 }, async () => {
		for (const { name, path } of photos) {
			const steps = [{ resize: { width: 200 } }];
			const outputs = await make(await readFile(path), {
				variants: {
					srgb: { steps, encode: [{ png: {} }] },
					p3: { colour: 'p3', steps, encode: [{ png: {} }] },
					keep: { colour: 'keep', steps, encode: [{ png: {} }] },
				},
			});
			const srgb = outputs.variant('srgb').data;
			for (const colour of ['p3', 'keep']) {
				// As a viewer sees it that knows profiles.
				const seen = await sharp(outputs.variant(colour).data).png().toBuffer();
				expect(await colourDifference(seen, srgb), `${name} ${colour}`).toBeLessThan(2);
			}
		}
	});
});

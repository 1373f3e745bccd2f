import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { readExifBlock } from '../../../src/pipeline/metadata/exif-block.ts';
import { densityIn } from '../../../src/pipeline/metadata/exif-tags.ts';
import { parseRecipe, planVariants } from '../../../src/pipeline/recipe/parse-recipe.ts';
import { variantDigest } from '../../../src/pipeline/recipe/variant-digest.ts';
import { extraTitle, photograph, sharedPictures } from '../../helpers/pictures.ts';
import { make } from '../make.ts';

const gps = {
	GPSLatitudeRef: 'N',
	GPSLatitude: '51/1 30/1 3230/100',
	GPSLongitudeRef: 'W',
	GPSLongitude: '0/1 7/1 4366/100',
};

/** A photograph that says everything about itself, turned on its side. */
async function talkative(
	format: 'jpeg' | 'png' | 'webp' = 'jpeg',
	words: Record<string, string> = {},
): Promise<Buffer> {
	const xmp = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="51,30.5N" exif:GPSLongitude="0,7.7W"><dc:creator><rdf:Seq><rdf:li>Ren&#xE9;e &amp; Co</rdf:li></rdf:Seq></dc:creator><dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© 2026 Renée (all)</rdf:li></rdf:Alt></dc:rights><dc:description><rdf:Alt><rdf:li xml:lang="de">Am Meer</rdf:li></rdf:Alt></dc:description></rdf:Description></rdf:RDF></x:xmpmeta>`;
	return sharp(await photograph({ width: 160, height: 100 }))
		.withExif({
			IFD0: { Make: 'Acme', Model: 'Box (II) (cut off by libvips)', Software: 'secret-tool', ...words },
			IFD2: {
				ExposureTime: '1/125',
				FNumber: '28/10',
				ISOSpeedRatings: '200',
				DateTimeOriginal: '2026:01:02 03:04:05',
				LensSpecification: '24/1 70/1 28/10 28/10',
				UserComment: 'a comment',
				MakerNote: 'a note',
			},
			IFD3: gps,
		})
		.withXmp(xmp)
		.withMetadata({ orientation: 6 })
		.toFormat(format)
		.toBuffer();
}

/** Numbers of all tags in each directory of an EXIF block. */
function tagsIn(block: Buffer | undefined): Readonly<Record<string, readonly number[]>> {
	if (!block) return {};
	const tiff = block.subarray(block.toString('latin1', 0, 4) === 'Exif' ? 6 : 0);
	const isLittle = tiff.toString('latin1', 0, 2) === 'II';
	const short = (at: number) => (isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at));
	const long = (at: number) => (isLittle ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at));
	const found: Record<string, number[]> = {};
	const read = (name: string, start: number) => {
		const entries = Array.from({ length: short(start) }, (_, index) => start + 2 + index * 12);
		found[name] = entries.map(short);
		for (const at of entries) {
			if (short(at) === 0x8769) read('photo', long(at + 8));
			if (short(at) === 0x8825) read('gps', long(at + 8));
		}
		if (name === 'image' && long(start + 2 + entries.length * 12) > 0) found.thumbnail = [];
	};
	read('image', long(4));
	return found;
}

async function made(file: Buffer, metadata: unknown, encode: unknown = { jpeg: {} }) {
	const outputs = await make(file, { variants: { only: { metadata, encode: [encode] } } });
	const { data } = outputs.variant('only');
	const found = await sharp(data).metadata();
	return {
		data,
		found,
		tags: tagsIn(found.exif),
		exif: found.exif?.toString('latin1') ?? '',
		xmp: found.xmp?.toString() ?? '',
	};
}

const formats = [{ jpeg: {} }, { png: {} }, { webp: {} }, { avif: {} }];

describe('metadata of variants', () => {
	it.each(formats)('is absent by default: %o', async (encode) => {
		const { found, data } = await made(await talkative(), undefined, encode);
		expect(found).toMatchObject({ width: 100, height: 160 });
		expect(found).not.toHaveProperty('exif');
		expect(found).not.toHaveProperty('xmp');
		expect(found).not.toHaveProperty('icc');
		expect(found).not.toHaveProperty('iptc');
		expect(data.includes('Acme')).toBe(false);
	});

	it.each(formats)('is only artist and copyright with `copyright`: %o', async (encode) => {
		const file = await talkative('jpeg', { Artist: 'Ann Example', Copyright: '(c) Ann' });
		const { tags, exif, xmp } = await made(file, 'copyright', encode);
		expect(exif).toContain('Ann Example');
		expect(exif).toContain('(c) Ann');
		expect(exif).not.toMatch(/Acme|secret-tool|2026:01:02/);
		expect(tags).not.toHaveProperty('gps');
		expect(xmp).toContain('<dc:creator><rdf:Seq><rdf:li>Ann Example</rdf:li></rdf:Seq></dc:creator>');
		expect(xmp).not.toMatch(/GPS|Am Meer/);
	});

	it('takes the rights from XMP if EXIF has none, with every character', async () => {
		const { exif, xmp } = await made(await talkative(), 'copyright');
		expect(xmp).toContain('<rdf:li>Renée &amp; Co</rdf:li>');
		expect(xmp).toContain('© 2026 Renée (all)');
		// EXIF is ASCII.
		expect(exif).toContain('Renee & Co');
		expect(exif).toContain('(C) 2026 Renee (all)');
	});

	it.each(formats)('is the EXIF except location, orientation, thumbnail and notes, with `keep`: %o', async (encode) => {
		const { found, tags, exif, xmp, data } = await made(await talkative(), 'keep', encode);
		for (const text of ['Acme', 'Box (II)', 'secret-tool', '2026:01:02 03:04:05', 'Am Meer'])
			expect(exif).toContain(text);
		expect(tags.photo).toEqual(expect.arrayContaining([0x829a, 0x829d, 0x8827, 0x9003, 0xa432]));
		expect(tags.photo).not.toContain(0x927c);
		expect(tags.photo).not.toContain(0x9286);
		expect(found.orientation ?? 1).toBe(1);
		expect(found).toMatchObject({ width: 100, height: 160 });
		expect(tags).not.toHaveProperty('gps');
		expect(tags).not.toHaveProperty('thumbnail');
		expect(tags.image).not.toContain(0x8825);
		expect(xmp).toContain('Am Meer');
		expect(data.includes('GPS')).toBe(false);
		const again = await make(data, { analyse: ['exif', 'gps'], variants: { a: { encode: [{ png: {} }] } } });
		expect(again.analysis).toEqual({
			exif: expect.objectContaining({ make: 'Acme', exposureTime: 0.008, aperture: 2.8, iso: 200 }),
		});
	});

	it.each(formats)('has the location only on request: %o', async (encode) => {
		const { tags, data, xmp } = await made(await talkative(), { mode: 'keep', gps: true }, encode);
		expect(tags.gps).toEqual(expect.arrayContaining([1, 2, 3, 4]));
		expect(xmp).not.toContain('GPS');
		const again = await make(data, { analyse: ['gps'], variants: { a: { encode: [{ png: {} }] } } });
		expect(again.analysis.gps?.latitude).toBeCloseTo(51.50897, 4);
		expect(again.analysis.gps?.longitude).toBeCloseTo(-0.12879, 4);
	});

	it('is what the recipe sets, whatever the original has, including markup', async () => {
		const set = { artist: 'Ann <b>&amp;', copyright: '© 写真家 (2026)', description: 'It\'s "fine"' };
		const { exif, xmp } = await made(await talkative(), { mode: 'copyright', set });
		expect(exif).toContain('Ann <b>&amp;');
		expect(xmp).toContain('Ann &lt;b&gt;&amp;amp;');
		expect(xmp).toContain('© 写真家 (2026)');
		expect(xmp).toContain('It&apos;s &quot;fine&quot;');
		expect(exif).toContain('It\'s "fine"');
		// No question marks for what ASCII can't say.
		expect(exif).not.toContain('?');
		const bare = await made(await photograph({ width: 60, height: 40 }), { set: { artist: 'Ann' } });
		expect(bare.exif).toContain('Ann');
	});

	it.each([
		['not EXIF', Buffer.from('Exif\0\0nothing of the kind')],
		['cut off', Buffer.from('II*\0\x08\0\0\0\x05\0\x0e\x01', 'latin1')],
		['a circle', Buffer.from('II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0', 'latin1')],
	])('omits damaged values: %s', async (_what, exif) => {
		const { metadataWriter } = await import('../../../src/pipeline/metadata/metadata.ts');
		const attach = metadataWriter({ mode: 'keep', gps: true }, { exif, xmp: Buffer.from('<dc:rights><rdf:li>') });
		expect(attach).toBeUndefined();
	});
});

describe('in recipes', () => {
	const recipe = (variant: object) => parseRecipe('r', { variants: { a: { encode: [{ webp: {} }], ...variant } } });
	const digest = (variant: object) => {
		const [planned] = planVariants(recipe(variant).definition);
		const [encoding] = planned?.encodings ?? [];
		return planned && encoding ? variantDigest('aa', planned, encoding) : expect.fail();
	};

	it('the default equals no option, and the long form equals the short one', () => {
		expect(recipe({ metadata: 'strip', colour: 'srgb' })).toEqual(recipe({}));
		expect(recipe({ metadata: { mode: 'keep', gps: false, set: {} } })).toEqual(recipe({ metadata: 'keep' }));
		const { definition } = recipe({ metadata: { mode: 'keep', gps: true }, colour: 'p3' });
		expect(parseRecipe('r', definition).definition).toEqual(definition);
		expect(digest({ metadata: { mode: 'strip' }, colour: 'srgb' })).toBe(digest({}));
	});

	it('each option makes a different variant', () => {
		const ways = [
			{},
			{ metadata: 'copyright' },
			{ metadata: 'keep' },
			{ metadata: { mode: 'keep', gps: true } },
			{ metadata: { set: { artist: 'Ann' } } },
			{ metadata: { set: { artist: 'Bob' } } },
			{ colour: 'p3' },
			{ colour: 'keep' },
		];
		expect(new Set(ways.map(digest)).size).toBe(ways.length);
	});

	it.each([
		[
			{ metadata: 'all' },
			/^variants\.a\.metadata: expected strip, copyright or keep, or an object with .*, received "all"$/,
		],
		[{ metadata: { gps: true } }, /^variants\.a\.metadata.*: expected /],
		[{ metadata: { set: { artist: 'a\nb' } } }, /^variants\.a\.metadata.*: expected /],
		[{ metadata: { set: { artist: '' } } }, /^variants\.a\.metadata.*: expected /],
		[{ colour: 'cmyk' }, 'variants.a.colour: expected one of srgb, p3, keep, received "cmyk"'],
	])('refuses %j', (variant, message) => {
		expect(() => recipe(variant)).toThrow(message);
	});

	it('a variant that begins with another has its colour space', () => {
		const written = (b: object) => ({
			variants: {
				a: { colour: 'p3', steps: [{ flip: {} }], encode: [{ webp: {} }] },
				b: { from: 'a', encode: [{ webp: {} }], ...b },
			},
		});
		expect(() => parseRecipe('r', written({ colour: 'p3' }))).toThrow(
			'variants.b.colour: expected no such key, because the colours are those of a',
		);
		const planned = planVariants(parseRecipe('r', written({ metadata: 'keep' })).definition);
		expect(planned.map(({ output }) => output)).toEqual([{ colour: 'p3' }, { metadata: 'keep', colour: 'p3' }]);
	});
});

/** Pixels per inch: what sharp reads, and what stands in EXIF. */
async function densities(data: Buffer): Promise<{ file: number | undefined; exif: number | undefined }> {
	const { density, exif } = await sharp(data).metadata();
	const block = exif && readExifBlock(exif);
	return { file: density, exif: block && densityIn(block.image) };
}

describe('resolution', () => {
	const dense = async (format: 'jpeg' | 'png' | 'tiff' | 'webp' | 'avif', density = 300) =>
		sharp(await photograph({ width: 640, height: 480 }))
			.withDensity(density)
			.toFormat(format)
			.toBuffer();
	const resolved = async (file: Buffer, variant: object) => {
		const { data } = (await make(file, { variants: { only: variant } })).variant('only');
		return densities(data);
	};
	/** Formats with a place for it; the others have EXIF alone. */
	const places = ['jpeg', 'png', 'tiff'];
	const right = (format: string, density: number) => ({
		file: places.includes(format) ? density : undefined,
		exif: format === 'tiff' ? undefined : density,
	});
	const steps = [[], [{ resize: { width: 200 } }], [{ resize: { width: 200 } }, { blur: { sigma: 1 } }]];

	it.each(['jpeg', 'png', 'tiff', 'webp', 'avif'] as const)('of a %s stays what it is with `keep`', async (from) => {
		const file = await dense(from);
		for (const to of ['jpeg', 'png', 'tiff', 'webp', 'avif']) {
			for (const made of steps) {
				const variant = { metadata: 'keep', steps: made, encode: [{ [to]: {} }] };
				expect([to, await resolved(file, variant)]).toEqual([to, right(to, 300)]);
			}
		}
	});

	it.each(['jpeg', 'png', 'tiff', 'webp', 'avif'])('of a %s is that of its encoder', async (to) => {
		for (const metadata of ['strip', 'keep', 'copyright']) {
			for (const file of [await dense('jpeg'), await photograph({ width: 640, height: 480 })]) {
				const variant = { metadata, steps: steps[1], encode: [{ [to]: { density: 150 } }] };
				expect(await resolved(file, variant)).toEqual(right(to, 150));
			}
		}
	});

	it('of JFIF is kept, and one in centimetres', async () => {
		const file = await photograph({ width: 640, height: 480 });
		// 118 pixels per centimetre are 300 per inch.
		const jfif = Buffer.from('\xff\xe0\0\x10JFIF\0\x01\x01\x02\0\x76\0\x76\0\0', 'latin1');
		const dense = Buffer.concat([file.subarray(0, 2), jfif, file.subarray(2)]);
		const variant = { metadata: 'keep', steps: steps[1], encode: [{ png: {} }] };
		expect(await resolved(dense, variant)).toEqual(right('png', 300));
		expect(await resolved(file, variant)).toEqual({ file: undefined, exif: undefined });
	});

	it('of a target quality is kept, too', async () => {
		const variant = { metadata: 'keep', steps: steps[1], encode: [{ jpeg: { quality: { ssim: 0.9 } } }] };
		expect(await resolved(await dense('jpeg'), variant)).toEqual(right('jpeg', 300));
	});

	it('is dropped with the rest, however the variant is made', async () => {
		for (const metadata of ['strip', 'copyright']) {
			for (const made of steps) {
				const variant = { metadata, steps: made, encode: [{ png: {} }] };
				expect(await resolved(await dense('jpeg'), variant)).toEqual({ file: undefined, exif: undefined });
			}
		}
	});

	it.each([0, 65_536, 72.5, '300'])('is refused when it is %j', (density) => {
		const recipe = { variants: { only: { encode: [{ jpeg: { density } }] } } };
		expect(() => parseRecipe('test', recipe)).toThrow('expected an integer from 1 to 65535');
	});
});

const photos = sharedPictures('photos');
describe.skipIf(photos.length === 0)(extraTitle('photos', photos), () => {
	it.skipIf(photos.length === 0)(
		'every one loses its location, and keeps its camera on request',
		{ timeout: 60_000 },
		async () => {
			for (const { name, path } of photos) {
				const file = await readFile(path);
				const steps = [{ resize: { width: 64 } }];
				const result = await make(file, {
					variants: {
						stripped: { steps, encode: [{ jpeg: {} }] },
						kept: { steps, metadata: 'keep', encode: [{ jpeg: {} }] },
					},
				});
				const before = tagsIn((await sharp(file).metadata()).exif);
				expect(await sharp(result.variant('stripped').data).metadata(), name).not.toHaveProperty('exif');
				const after = tagsIn((await sharp(result.variant('kept').data).metadata()).exif);
				expect(after.gps, name).toBeUndefined();
				expect(after.thumbnail, name).toBeUndefined();
				if (before.image?.includes(0x010f)) expect(after.image, name).toContain(0x010f);
				if (before.photo?.includes(0x829a)) expect(after.photo, name).toContain(0x829a);
			}
		},
	);
});

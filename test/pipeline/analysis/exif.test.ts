import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { exif } from '../../../src/pipeline/analysis/exif.ts';
import { gps } from '../../../src/pipeline/analysis/gps.ts';
import { cpuMilliseconds } from '../../helpers/cpu.ts';
import { extraTitle, photograph, sharedPictures } from '../../helpers/pictures.ts';
import { analyse } from './subjects.ts';

/** A picture with EXIF as sharp writes it: IFD0 is the image, IFD2 the exposure, IFD3 the place. */
async function taken(written: Record<string, Record<string, string>>, format: 'jpeg' | 'png' | 'webp' = 'jpeg') {
	return sharp({ create: { width: 60, height: 40, channels: 3, background: '#336699' } })
		.withExif(written)
		.toFormat(format)
		.toBuffer();
}

const camera = {
	IFD0: { Make: 'Lumiere', Model: 'No 7', Artist: 'Ada Private', Copyright: 'Ada', Software: 'Darkroom' },
	IFD2: {
		ExposureTime: '1/250',
		FNumber: '28/10',
		ISOSpeedRatings: '400',
		FocalLength: '50/1',
		FocalLengthIn35mmFilm: '75',
		LensModel: 'Petzval 50 mm f/2.8',
		DateTimeOriginal: '2026:05:01 18:30:07',
		OffsetTimeOriginal: '+02:00',
		BodySerialNumber: '12345678',
		UserComment: 'nobody should read this',
	},
};
const place = {
	IFD3: {
		GPSLatitudeRef: 'S',
		GPSLatitude: '33/1 51/1 3054/100',
		GPSLongitudeRef: 'E',
		GPSLongitude: '151/1 12/1 3636/100',
		GPSAltitudeRef: '0',
		GPSAltitude: '585/10',
	},
};

/** A block of one text. */
function blockWith(tag: number, text: string): Buffer {
	const value = Buffer.from(`${text}\0`);
	const head = Buffer.alloc(26);
	head.write('MM\0*', 'latin1');
	head.writeUInt32BE(8, 4);
	head.writeUInt16BE(1, 8);
	head.writeUInt16BE(tag, 10);
	head.writeUInt16BE(2, 12);
	head.writeUInt32BE(value.length, 14);
	head.writeUInt32BE(head.length, 18);
	// Four bytes or fewer stand where others have their place.
	if (value.length <= 4) value.copy(head, 18);
	return Buffer.concat([head, value]);
}

describe('exif', () => {
	it.each(['jpeg', 'png', 'webp'] as const)(
		'returns camera, lens, exposure and time of a %s, and nothing else',
		async (format) => {
			const analysis = await analyse(await taken({ ...camera, ...place }, format), 'exif');
			expect(analysis).toEqual({
				exif: {
					make: 'Lumiere',
					model: 'No 7',
					lens: 'Petzval 50 mm f/2.8',
					exposureTime: 0.004,
					aperture: 2.8,
					iso: 400,
					focalLength: 50,
					focalLength35: 75,
					takenAt: '2026-05-01T18:30:07+02:00',
				},
			});
		},
	);

	it('is absent if there is none, or nothing useful', async () => {
		expect(await analyse(await photograph({ width: 60, height: 40 }), 'exif', 'gps')).toEqual({});
		expect(await analyse(await taken({ IFD0: { Artist: 'Ada Private' } }), 'exif', 'gps')).toEqual({});
	});

	it.each<[string, string | undefined]>([
		['2026:05:01 18:30:07', '2026-05-01T18:30:07'],
		['0000:00:00 00:00:00', undefined],
		['2026:06:31 10:00:00', undefined],
		['2026:13:01 10:00:00', undefined],
		['    :  :     :  :  ', undefined],
		['yesterday', undefined],
	])('reads the time %s from %s', async (DateTimeOriginal, expected) => {
		const analysis = await analyse(await taken({ IFD0: { Make: 'A' }, IFD2: { DateTimeOriginal } }), 'exif');
		expect(analysis.exif?.takenAt).toBe(expected);
	});

	it('omits values that the camera did not know, and invalid numbers', async () => {
		const written = {
			IFD0: { Make: 'A' },
			IFD2: { ExposureTime: '0/1', FNumber: '1/0', FocalLength: '0/0', ISOSpeedRatings: '0' },
		};
		expect(await analyse(await taken(written), 'exif')).toEqual({ exif: { make: 'A' } });
	});

	it('keeps text short and printable, and reads UTF-8', () => {
		const make = (text: string) => exif.run({ exif: blockWith(0x010f, text) });
		expect(make('Lumière')).toEqual({ make: 'Lumière' });
		expect(make('\u202eev\u0007il\n')).toEqual({ make: 'evil' });
		expect(make('x'.repeat(5_000))).toEqual({ make: 'x'.repeat(100) });
		expect(make('Canon\0and what stood there before')).toEqual({ make: 'Canon' });
		expect(make(' \0')).toBeUndefined();
	});
});

describe('gps', () => {
	it('returns the location only on request', async () => {
		const file = await taken({ ...camera, ...place });
		const everythingElse = await analyse(file, 'exif', 'thumbhash', 'palette', 'phash', 'focus', 'opaque');
		expect(JSON.stringify(everythingElse)).not.toMatch(/gps|latitude|33\.8|151\.2/i);
		expect(await analyse(file, 'gps')).toEqual({
			gps: { latitude: -33.8584833, longitude: 151.2101, altitude: 58.5 },
		});
	});

	it.each<[string, Record<string, string>]>([
		['north of the pole', { GPSLatitude: '91/1 0/1 0/1' }],
		['of no number', { GPSLongitude: '0/0 0/0 0/0' }],
		['in no half of the world', { GPSLatitudeRef: 'X' }],
	])('returns no location that is %s', async (_what, change) => {
		expect(await analyse(await taken({ IFD3: { ...place.IFD3, ...change } }), 'gps')).toEqual({});
	});
});

describe('a damaged or hostile EXIF block', () => {
	const read = (block: Buffer) => [exif.run({ exif: block }), gps.run({ exif: block })];

	it('never throws, whatever byte is changed and wherever it ends', async () => {
		const block = (await sharp(await taken({ ...camera, ...place })).metadata()).exif ?? Buffer.alloc(0);
		expect(read(block)[1]).toMatchObject({ altitude: 58.5 });
		for (let at = 0; at < block.length; at++) {
			for (const value of [0, 0xff, (block[at] ?? 0) ^ 0x80]) {
				const changed = Buffer.from(block);
				changed[at] = value;
				read(changed);
			}
			read(block.subarray(0, at));
		}
		expect(read(Buffer.alloc(0))).toEqual([undefined, undefined]);
		expect(read(Buffer.from('Exif\0\0nonsense'))).toEqual([undefined, undefined]);
	});

	it('follows no pointer that is a fraction', () => {
		const block = Buffer.alloc(64);
		block.write('II*\0', 'latin1');
		block.writeUInt32LE(8, 4);
		block.writeUInt16LE(1, 8);
		// The directory of the exposure, at 3/2.
		block.writeUInt16LE(0x8769, 10);
		block.writeUInt16LE(5, 12);
		block.writeUInt32LE(1, 14);
		block.writeUInt32LE(32, 18);
		block.writeUInt32LE(3, 32);
		block.writeUInt32LE(2, 36);
		expect(read(block)).toEqual([undefined, undefined]);
	});

	it('takes no time, however many values it declares', () => {
		const entries = 5_000;
		const block = Buffer.alloc(65_536, 0x41);
		block.write('II*\0', 'latin1');
		block.writeUInt32LE(8, 4);
		block.writeUInt16LE(entries, 8);
		for (let index = 0; index < entries; index++) {
			const at = 10 + index * 12;
			block.writeUInt16LE(index === 0 ? 0x010f : index, at);
			block.writeUInt16LE(2, at + 2);
			block.writeUInt32LE(0xffff_ffff, at + 4);
			block.writeUInt32LE(8, at + 8);
		}
		// Each directory is the same one: it leads to itself.
		block.writeUInt16LE(0x8769, 22);
		block.writeUInt16LE(4, 24);
		block.writeUInt32LE(1, 26);
		block.writeUInt32LE(8, 30);
		const started = cpuMilliseconds();
		for (let round = 0; round < 10; round++) read(block);
		expect(cpuMilliseconds() - started).toBeLessThan(500);
	});
});

const photos = sharedPictures('photos');
describe.skipIf(photos.length === 0)(extraTitle('photos', photos), () => {
	it.skipIf(photos.length === 0).each(photos)('returns the values of sharp’s block of $name', async ({ path }) => {
		const file = await readFile(path);
		const metadata = await sharp(file).metadata();
		const analysis = await analyse(await sharp(file).resize(80).keepExif().jpeg().toBuffer(), 'exif', 'gps');
		if (analysis.exif?.make) expect(metadata.exif?.includes(analysis.exif.make)).toBe(true);
		const time = analysis.exif?.takenAt?.slice(0, 19);
		if (time) expect(metadata.exif?.includes(time.replaceAll('-', ':').replace('T', ' '))).toBe(true);
	});
});

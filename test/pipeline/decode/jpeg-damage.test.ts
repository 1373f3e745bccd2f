import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import type { PicpipeError } from '../../../src/errors.ts';
import { decodeJpeg } from '../../../src/pipeline/decode/decode-jpeg.ts';
import { classifyError } from '../../../src/pipeline/inspect/classify-error.ts';
import { inspect } from '../../../src/pipeline/inspect/inspect.ts';
import { cut, extraTitle, photograph, sharedPictures } from '../../helpers/pictures.ts';
import { limits, make, one } from '../make.ts';

const size = { width: 960, height: 640 };
/** Scaled by the decoder, and decoded at full size. */
const recipes = { small: one([{ resize: { width: 300 } }]), whole: one([], [{ png: {} }]) };

const kinds = ['baseline', 'baseline with 4:4:4', 'progressive', 'with restart markers'] as const;
type Kind = (typeof kinds)[number];
const pictures = new Map<Kind, Buffer>();
const picture = (kind: Kind) => pictures.get(kind) ?? Buffer.alloc(0);

beforeAll(async () => {
	const original = await photograph({ ...size, format: 'png' });
	const plain = (options: object) => sharp(original).jpeg(options).toBuffer();
	pictures.set('baseline', await plain({}));
	pictures.set('baseline with 4:4:4', await plain({ chromaSubsampling: '4:4:4' }));
	pictures.set('progressive', await plain({ progressive: true }));
	pictures.set('with restart markers', await withRestarts(original));
});

const marker = (code: number) => Buffer.from([0xff, code]);
const sos = (file: Buffer) => file.indexOf(marker(0xda));
const dataAt = (file: Buffer) => sos(file) + 2 + file.readUInt16BE(sos(file) + 2);

/** Rows of blocks that were encoded separately with the same tables are what restart markers separate (T.81, F.1.1.5). */
async function withRestarts(original: Buffer): Promise<Buffer> {
	const row = 16;
	const options = { optimiseCoding: false, quality: 80 };
	const strips: Buffer[] = [];
	for (let top = 0; top < size.height; top += row) {
		const strip = sharp(original).extract({ left: 0, top, width: size.width, height: row });
		strips.push(await strip.jpeg(options).toBuffer());
	}
	const [first = Buffer.alloc(0)] = strips;
	const header = Buffer.from(first.subarray(0, dataAt(first)));
	header.writeUInt16BE(size.height, header.indexOf(marker(0xc0)) + 5);
	const interval = Buffer.from([0xff, 0xdd, 0, 4, 0, size.width / row]);
	const data = strips.map((strip, index) =>
		Buffer.concat([...(index > 0 ? [marker(0xd0 + ((index - 1) % 8))] : []), strip.subarray(dataAt(strip), -2)]),
	);
	return Buffer.concat([header.subarray(0, 2), interval, header.subarray(2), ...data, marker(0xd9)]);
}

function insert(file: Buffer, at: number, bytes: Buffer): Buffer {
	return Buffer.concat([file.subarray(0, at), bytes, file.subarray(at)]);
}

/** Behind the first segment. */
const behindFirst = (file: Buffer) => 4 + file.readUInt16BE(4);
const strayByte = (file: Buffer) => insert(file, behindFirst(file), Buffer.alloc(1));
const withoutEnd = (file: Buffer) => file.subarray(0, -2);

function changed(file: Buffer, at: number, bytes: readonly number[]): Buffer {
	const copy = Buffer.from(file);
	copy.set(bytes, at);
	return copy;
}

const segment = (code: number, content: string) => {
	const bytes = Buffer.from(`\xff\xe0\0\0${content}`, 'latin1');
	bytes[1] = code;
	bytes.writeUInt16BE(bytes.length - 2, 2);
	return bytes;
};
const adobe = (transform: number) => segment(0xee, `Adobe\0\x64\0\0\0\0${String.fromCharCode(transform)}`);
const jfif = (major: number) => segment(0xe0, `JFIF\0${String.fromCharCode(major)}\x01\0\0\x01\0\x01\0\0`);

/** What programs and cameras do to pictures that stay whole. */
const oddities: readonly (readonly [string, (file: Buffer) => Buffer])[] = [
	['a stray byte between segments', strayByte],
	['stray bytes in several places', (file) => insert(strayByte(file), sos(file) + 1, Buffer.from('hello'))],
	['no end marker', withoutEnd],
	['half an end marker', (file) => file.subarray(0, -1)],
	['a stray byte and no end marker', (file) => strayByte(withoutEnd(file))],
	['bytes after the end', (file) => Buffer.concat([file, Buffer.alloc(5_000, 7)])],
	['padding before the end marker', (file) => insert(file, file.length - 2, Buffer.alloc(40))],
	['a few bytes before the end marker', (file) => insert(file, file.length - 2, Buffer.from('0123456789abcdef'))],
	['a new revision of JFIF', (file) => insert(file, 2, jfif(2))],
	['an unknown transform of Adobe', (file) => insert(file, 2, adobe(7))],
	[
		'a stray byte, padding and a new JFIF',
		(file) => insert(insert(strayByte(file), strayByte(file).length - 2, Buffer.alloc(40)), 2, jfif(3)),
	],
];

const verdict = (file: Buffer, recipe: unknown): Promise<string> =>
	make(file, recipe).then(
		({ outputs }) => outputs[0]?.sha256 ?? 'nothing',
		(error: PicpipeError) => error.code,
	);

describe.each(kinds)('a JPEG, %s', (kind) => {
	it.each(oddities)('is whole with %s', async (_name, odd) => {
		for (const recipe of Object.values(recipes)) {
			expect(await verdict(odd(picture(kind)), recipe)).toBe(await verdict(picture(kind), recipe));
		}
	});

	// Without a restart marker the decoder does not see what a hole of random bytes leaves behind at the end.
	const isSeenAnyway = kind === 'with restart markers';
	it.each([
		['zeros', 1_024, true],
		['zeros', 4_096, true],
		['random bytes', 1_024, isSeenAnyway],
		['random bytes', 4_096, isSeenAnyway],
	] as const)(
		'is as damaged by a hole of %s, %i bytes, with a harmless oddity as without',
		async (fill, length, isSeen) => {
			const file = picture(kind);
			let seen = 0;
			for (const place of [0.02, 0.3, 0.5, 0.7, 0.9]) {
				const from = dataAt(file);
				const at = Math.floor(from + place * (file.length - from - length - 100));
				const bytes = Array.from({ length }, (_, index) => (fill === 'zeros' ? 0 : (index * 7_919 + at * 31) % 251));
				const holed = changed(file, at, bytes);
				for (const recipe of Object.values(recipes)) {
					const alone = await verdict(holed, recipe);
					if (alone === 'corrupt-picture') seen++;
					for (const odd of [strayByte, withoutEnd, (one: Buffer) => Buffer.concat([one, Buffer.alloc(99, 1)])]) {
						expect(await verdict(odd(holed), recipe), `at ${place}`).toBe(alone);
					}
				}
			}
			if (isSeen) expect(seen).toBeGreaterThanOrEqual(kind === 'progressive' ? 8 : 10);
		},
	);

	it('is damaged if its end is missing, or replaced by zeros', async () => {
		const file = picture(kind);
		for (const recipe of Object.values(recipes)) {
			expect(await verdict(cut(file, 99), recipe)).toBe('corrupt-picture');
			expect(await verdict(strayByte(cut(file, 99)), recipe)).toBe('corrupt-picture');
			for (const percent of [50, 95]) {
				const part = cut(file, percent);
				expect(await verdict(Buffer.concat([part, Buffer.alloc(file.length - part.length)]), recipe)).toBe(
					'corrupt-picture',
				);
			}
		}
	});

	it('is damaged if zeros take the place of its tables', async () => {
		const file = picture(kind);
		const at = file.indexOf(marker(0xc4));
		const zeros = Array.from({ length: 2 + file.readUInt16BE(at + 2) }, () => 0);
		expect(await verdict(changed(file, at, zeros), recipes.whole)).toBe('corrupt-picture');
	});
});

describe('a JPEG in several scans', () => {
	it('lacks more than its end marker if it ends between two scans', async () => {
		const file = picture('progressive');
		const last = file.lastIndexOf(marker(0xda));
		const before = file.lastIndexOf(marker(0xc4), last);
		expect(await verdict(file.subarray(0, before), recipes.whole)).toBe('corrupt-picture');
	});

	it('is whole if it says something twice', async () => {
		const file = picture('progressive');
		const tables = file.indexOf(marker(0xc4));
		const again = file.subarray(tables, file.indexOf(marker(0xc4), dataAt(file)));
		const twice = insert(file, dataAt(file) + file.subarray(dataAt(file)).indexOf(marker(0xc4)), again);
		await expect(sharp(twice).raw().toBuffer()).rejects.toThrow('Inconsistent progression sequence');
		expect(await verdict(twice, recipes.whole)).toBe(await verdict(file, recipes.whole));
	});

	it('may have padding behind a scan, but no data that the scan did not need', async () => {
		const file = picture('progressive');
		const second = file.indexOf(marker(0xc4), dataAt(file));
		expect(await verdict(insert(file, second, Buffer.alloc(200)), recipes.whole)).toBe(
			await verdict(file, recipes.whole),
		);
		const data = file.subarray(second + 200, second + 400);
		expect(await verdict(insert(file, second, data), recipes.whole)).toBe('corrupt-picture');
	});
});

describe('the sentence about damage', () => {
	it.each([
		[
			'a hole',
			(file: Buffer) =>
				changed(
					file,
					file.length >> 1,
					Array.from({ length: 2_000 }, () => 0),
				),
			/damaged/,
		],
		['a missing end', (file: Buffer) => cut(file, 70), /ends too early/],
	])('says what is wrong: %s', async (_name, harm, sentence) => {
		const error = await make(harm(picture('baseline')), recipes.whole).catch((one: PicpipeError) => one);
		expect(error).toMatchObject({ code: 'corrupt-picture', message: expect.stringMatching(sentence) });
	});
});

describe('looks at a JPEG', () => {
	it.each([
		['a good one', (file: Buffer) => file, 1],
		['one with stray bytes', strayByte, 2],
	])('%s', async (_name, odd, expected) => {
		const file = odd(picture('baseline'));
		let looks = 0;
		await decodeJpeg(file, await inspect(file, limits), async (bytes, failOn) => {
			looks++;
			const decoded = sharp(bytes, { failOn }).raw().toBuffer({ resolveWithObject: true });
			const { data, info } = await decoded.catch((error) => Promise.reject(classifyError(error, 'decode', 'decode')));
			return { data, width: info.width, height: info.height, channels: 3 };
		});
		expect(looks).toBe(expected);
	});
});

describe('kinds of JPEG that the decoder lacks', () => {
	const frameAt = (file: Buffer) => file.indexOf(marker(0xc0));
	it.each([
		['12 bits per sample', 4, 12, /12 bits per sample/],
		['16 bits per sample', 4, 16, /16 bits per sample/],
		['lossless', 1, 0xc3, /a lossless JPEG/],
		['lossless with arithmetic coding', 1, 0xcb, /a lossless JPEG/],
		['hierarchical', 1, 0xc5, /a hierarchical JPEG/],
		['hierarchical with arithmetic coding', 1, 0xcd, /a hierarchical JPEG/],
		['JPEG-LS', 1, 0xf7, /a JPEG-LS picture/],
	])('are not called damaged: %s', async (_name, at, value, sentence) => {
		const file = picture('baseline');
		const error = await make(changed(file, frameAt(file) + at, [value]), recipes.small).catch(
			(one: PicpipeError) => one,
		);
		expect(error).toMatchObject({
			code: 'unsupported-feature',
			class: 'unsupported',
			message: expect.stringMatching(sentence),
		});
	});

	it('are not called damaged: a height that follows after the scan (DNL)', async () => {
		const file = picture('baseline');
		const height = Buffer.from([0xff, 0xdc, 0, 4, size.height >> 8, size.height & 255]);
		const dnl = insert(changed(file, frameAt(file) + 5, [0, 0]), file.length - 2, height);
		await expect(make(dnl, recipes.small)).rejects.toMatchObject({
			code: 'unsupported-feature',
			message: expect.stringContaining('DNL'),
		});
		await expect(make(changed(file, frameAt(file) + 7, [0, 0]), recipes.small)).rejects.toMatchObject({
			class: 'corrupt',
		});
	});
});

const cases = sharedPictures('../cases', /^(no_eoi|hole|hole-and-one-stray-byte|jpeg-12bit)\.jpg$/);
describe.skipIf(cases.length === 0)(extraTitle('../cases', cases), () => {
	const right: Readonly<Record<string, string>> = {
		'hole.jpg': 'corrupt-picture',
		'hole-and-one-stray-byte.jpg': 'corrupt-picture',
		'jpeg-12bit.jpg': 'unsupported-feature',
	};
	it.skipIf(cases.length === 0).each(cases)('$name', async ({ name, path }) => {
		const file = await readFile(path);
		const expected = right[name] ?? (await verdict(Buffer.concat([file, marker(0xd9)]), recipes.whole));
		for (const recipe of [recipes.whole, recipes.small, undefined]) {
			const actual = await verdict(file, recipe);
			if (recipe === recipes.whole || right[name]) expect(actual).toBe(expected);
			else expect(actual).toMatch(/^[0-9a-f]{64}$/);
		}
	});
});

const photos = sharedPictures('photos', /iphone6|canon-s90|450d/);
describe.skipIf(photos.length === 0)(extraTitle('photos', photos), () => {
	it.skipIf(photos.length === 0).each(photos)(
		'$name is damaged by 4 kB of zeros, also beside a stray byte',
		async ({ path }) => {
			const file = await readFile(path);
			const holed = changed(
				file,
				file.length >> 1,
				Array.from({ length: 4_096 }, () => 0),
			);
			expect(await verdict(holed, undefined)).toBe('corrupt-picture');
			expect(await verdict(strayByte(holed), undefined)).toBe('corrupt-picture');
			expect(await verdict(strayByte(file), undefined)).toMatch(/^[0-9a-f]{64}$/);
		},
	);
});

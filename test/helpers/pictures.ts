import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import sharp, { type Sharp } from 'sharp';
import { randomNumbers } from '../../scripts/random-numbers.ts';

/** Fixtures made in code, the same bytes in every run, and a measure of how alike two pictures look. */

export type PhotographFormat = 'jpeg' | 'png' | 'webp' | 'avif' | 'gif' | 'tiff';

export interface PhotographOptions {
	/** Pixels as a person sees it, so after the orientation was applied. */
	readonly width: number;
	readonly height: number;
	readonly format?: PhotographFormat;
	/** EXIF orientation, 1 to 8: the stored pixels are turned so that applying it gives the upright picture. */
	readonly orientation?: number;
	/** Writes GPS coordinates, a camera's name and an owner's name into EXIF. */
	readonly gps?: boolean;
	/** Embeds a colour profile and converts the pixels to it. */
	readonly icc?: 'p3' | 'cmyk';
	/** 16 bits per channel; PNG and TIFF. */
	readonly deep?: boolean;
	readonly greyscale?: boolean;
	readonly progressive?: boolean;
	readonly quality?: number;
	/** Another seed is another photograph. */
	readonly seed?: number;
}

const made = new Map<string, Promise<Buffer>>();

/** Pixels of the smallest photograph that takes longer to make than to read. */
const leastKept = 100_000;

/**
 * A landscape with the detail of a photograph: sky, hills with grain at every scale, a red subject on the right.
 * Upright it has four corners that can't be mistaken. 4000×3000 takes about a second and 2.5 MB; made once per process.
 */
export function photograph(options: PhotographOptions): Promise<Buffer> {
	const key = JSON.stringify(Object.entries(options).sort());
	let buffer = made.get(key);
	if (!buffer) {
		buffer = options.width * options.height < leastKept ? makePhotograph(options) : keptPhotograph(key, options);
		made.set(key, buffer);
	}
	return buffer;
}

/** A colour profile that libvips has by name, such as `srgb` and `p3`. */
export async function profileOf(name: string): Promise<Buffer> {
	const dot = sharp({ create: { width: 1, height: 1, channels: 3, background: '#000000' } });
	const { icc } = await sharp(await dot.withIccProfile(name).png().toBuffer()).metadata();
	if (!icc) throw new TypeError(`Expected a profile ${name}.`);
	return icc;
}

/** 4000×3000, the photograph of the measurements. */
export function twelveMegapixels(seed = 1): Promise<Buffer> {
	return photograph({ width: 4000, height: 3000, seed });
}

/** Made by one test file and read by all others, of later runs too, from the folder that the set-up names (`setup.ts`). */
async function keptPhotograph(key: string, options: PhotographOptions): Promise<Buffer> {
	const folder = process.env.TEST_PICTURES;
	if (!folder) return makePhotograph(options);
	const path = join(folder, createHash('sha256').update(key).digest('hex'));
	const kept = await readFile(path).catch(() => undefined);
	if (kept) return kept;
	const photograph = await makePhotograph(options);
	// Another file may be at it, too; what it reads has to be whole.
	await writeFile(`${path}.${process.pid}`, photograph);
	await rename(`${path}.${process.pid}`, path);
	return photograph;
}

async function makePhotograph(options: PhotographOptions): Promise<Buffer> {
	const { width, height, orientation, format = 'jpeg', seed = 1 } = options;
	let image = sharp(await landscapeOf(width, height, seed), { raw: { width, height, channels: 3 } });
	if (options.greyscale) image = image.toColourspace('b-w');
	if (orientation) image = turnAgainst(image, orientation);
	if (options.deep) image = image.toColourspace('rgb16');
	if (options.icc) image = image.withIccProfile(options.icc === 'p3' ? 'p3' : 'cmyk');
	if (options.icc === 'cmyk') image = image.toColourspace('cmyk');
	if (options.gps) image = image.withExifMerge(privateExif);
	if (orientation) image = image.withMetadata({ orientation });
	switch (format) {
		case 'jpeg':
			return image.jpeg({ quality: options.quality ?? 85, progressive: options.progressive ?? false }).toBuffer();
		case 'avif':
			return image.avif({ effort: 0, quality: options.quality ?? 60 }).toBuffer();
		case 'webp':
			return image.webp({ effort: 0, quality: options.quality ?? 85 }).toBuffer();
		case 'png':
			return image.png({ compressionLevel: 1, progressive: options.progressive ?? false }).toBuffer();
		case 'gif':
			return image.gif({ effort: 1 }).toBuffer();
		case 'tiff':
			return image.tiff({ compression: 'lzw' }).toBuffer();
	}
}

/** What must never leave: a place, a camera, a person. */
const privateExif = {
	IFD0: { Make: 'Picpipe Camera Works', Artist: 'Ada Private' },
	IFD3: {
		GPSLatitudeRef: 'N',
		GPSLatitude: '51/1 28/1 40/1',
		GPSLongitudeRef: 'W',
		GPSLongitude: '0/1 0/1 5/1',
	},
};

/** The opposite of what applying the orientation does (EXIF 2.32, 4.6.4.A). sharp mirrors before it rotates, whatever the order of calls. */
function turnAgainst(image: Sharp, orientation: number): Sharp {
	switch (orientation) {
		case 2:
			return image.flop();
		case 3:
			return image.rotate(180);
		case 4:
			return image.flip();
		case 5:
			return image.rotate(90).flip();
		case 6:
			return image.rotate(270);
		case 7:
			return image.rotate(90).flop();
		case 8:
			return image.rotate(90);
		default:
			return image;
	}
}

const landscapes = new LRUCache<string, Promise<Buffer>>({ max: 12 });

/** Pixels of the largest landscape that is kept for the same photograph in other formats and orientations. */
const mostKept = 2_000_000;

function landscapeOf(width: number, height: number, seed: number): Promise<Buffer> {
	const key = `${width} ${height} ${seed}`;
	const kept = landscapes.get(key);
	if (kept) return kept;
	const made = landscape(width, height, seed);
	if (width * height <= mostKept) landscapes.set(key, made);
	return made;
}

/** RGB pixels: a sky that fades, hills with fractal grain, a red disc with a white heart at two thirds of the width. */
async function landscape(width: number, height: number, seed: number): Promise<Buffer> {
	const grain = await fractalNoise(width, height, seed);
	const pixels = Buffer.allocUnsafe(width * height * 3);
	const horizon = new Float32Array(width);
	for (let x = 0; x < width; x++) {
		const turn = (x / width) * Math.PI * 2;
		horizon[x] = (0.42 + 0.08 * Math.sin(turn * 1.5 + seed) + 0.03 * Math.sin(turn * 5)) * height;
	}
	const subject = { x: width * 0.68, y: height * 0.62, radius: Math.min(width, height) * 0.09 };
	let at = 0;
	for (let y = 0; y < height; y++) {
		const down = y / height;
		const below = y - subject.y;
		for (let x = 0; x < width; x++) {
			const detail = (grain[y * width + x] as number) - 128;
			const right = x - subject.x;
			const distance = Math.sqrt(right * right + below * below) / subject.radius;
			let red: number;
			let green: number;
			let blue: number;
			if (distance < 1) {
				const heart = distance < 0.35 ? 1 : 0;
				red = 214 + detail * 0.2;
				green = 40 + heart * 190 + detail * 0.2;
				blue = 48 + heart * 170 + detail * 0.2;
			} else if (y < (horizon[x] as number)) {
				red = 90 + down * 250 + detail * 0.12;
				green = 140 + down * 180 + detail * 0.12;
				blue = 225 - down * 40 + (x / width) * 20 + detail * 0.12;
			} else {
				red = 70 + down * 40 + (x / width) * 40 + detail * 0.8;
				green = 105 - down * 30 + detail * 0.9;
				blue = 50 + detail * 0.5;
			}
			pixels[at++] = clamp(red);
			pixels[at++] = clamp(green);
			pixels[at++] = clamp(blue);
		}
	}
	return pixels;
}

function clamp(value: number): number {
	return value < 0 ? 0 : Math.min(value, 255);
}

/** Sum of random grids of growing fineness, each enlarged smoothly to the whole size. */
async function fractalNoise(width: number, height: number, seed: number): Promise<Uint8Array> {
	const octaves = [
		{ cell: 256, weight: 0.9 },
		{ cell: 64, weight: 0.7 },
		{ cell: 16, weight: 0.55 },
		{ cell: 5, weight: 0.45 },
		{ cell: 2, weight: 0.28 },
	];
	const random = randomBytes(seed);
	const sum = new Int16Array(width * height);
	for (const { cell, weight } of octaves) {
		const grid = { width: Math.ceil(width / cell) + 1, height: Math.ceil(height / cell) + 1 };
		const values = Buffer.allocUnsafe(grid.width * grid.height);
		for (let at = 0; at < values.length; at++) values[at] = random();
		const layer = await sharp(values, { raw: { ...grid, channels: 1 } })
			.resize(width, height, { fit: 'fill', kernel: 'cubic' })
			.extractChannel(0)
			.raw()
			.toBuffer();
		const weighted = Float64Array.from({ length: 256 }, (_, value) => (value - 128) * weight);
		for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (weighted[layer[at] as number] as number);
	}
	// Loops: `Uint8Array.from` takes ten times as long.
	const grain = new Uint8Array(sum.length);
	for (let at = 0; at < sum.length; at++) grain[at] = clamp((sum[at] ?? 0) * 0.6 + 128);
	return grain;
}

/** Random bytes, the same in every run. */
function randomBytes(seed: number): () => number {
	const random = randomNumbers(seed * 0x9e3779b9);
	return () => (random() * 2 ** 32) & 0xff;
}

/** Valid JPEGs that differ only in a comment, so that each is a picture of its own without encoding anew. */
export function withComment(jpeg: Buffer, comment: string): Buffer {
	const text = Buffer.from(comment);
	const segment = Buffer.alloc(4);
	segment.writeUInt16BE(0xfffe, 0);
	segment.writeUInt16BE(text.length + 2, 2);
	return Buffer.concat([jpeg.subarray(0, 2), segment, text, jpeg.subarray(2)]);
}

/** The first part of a file, as a broken transfer leaves it. */
export function cut(file: Buffer, percent: number): Buffer {
	return file.subarray(0, Math.floor((file.length * percent) / 100));
}

/** A small PNG whose header declares a size that its data does not have. */
export function pngDeclaring(width: number, height: number): Buffer {
	const header = Buffer.alloc(13);
	header.writeUInt32BE(width, 0);
	header.writeUInt32BE(height, 4);
	header.set([8, 2, 0, 0, 0], 8);
	return Buffer.concat([
		Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
		pngChunk('IHDR', header),
		pngChunk('IDAT', deflateSync(Buffer.alloc(100_000))),
		pngChunk('IEND', Buffer.alloc(0)),
	]);
}

export function pngChunk(type: string, data: Buffer): Buffer {
	const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
	const chunk = Buffer.alloc(body.length + 8);
	chunk.writeUInt32BE(data.length, 0);
	body.copy(chunk, 4);
	chunk.writeUInt32BE(crc32(body), body.length + 4);
	return chunk;
}

/** A GIF of that size with so many frames of one pixel each: 20 bytes a frame. */
export function gifDeclaring(options: { width: number; height: number; frames: number }): Buffer {
	const screen = Buffer.alloc(7);
	screen.writeUInt16LE(options.width, 0);
	screen.writeUInt16LE(options.height, 2);
	screen[4] = 0x80;
	const frame = Buffer.from('21f904000a000000' + '2c00000000010001000002024401' + '00', 'hex');
	return Buffer.concat([
		Buffer.from('GIF89a'),
		screen,
		Buffer.from('ff0000000000', 'hex'),
		...Array.from({ length: options.frames }, () => frame),
		Buffer.from(';'),
	]);
}

/** Width to which both pictures are brought before they are compared: coarse enough to forgive encoders, fine enough to see. */
const compareWidth = 160;

const greys = onceEach(async (picture) => {
	const pixels = await sharp(picture)
		.autoOrient()
		.flatten({ background: '#808080' })
		.greyscale()
		.resize(compareWidth, compareWidth, { fit: 'fill' })
		.raw()
		.toBuffer();
	return Float64Array.from(pixels);
});

const colours = onceEach((picture) =>
	sharp(picture)
		.autoOrient()
		.toColourspace('srgb')
		.flatten({ background: '#808080' })
		.resize(32, 32, { fit: 'fill' })
		.raw()
		.toBuffer(),
);

/** The same work, done once for each picture: many are compared with the same one, and to decode that takes the most of it. */
function onceEach<T>(work: (picture: Buffer) => Promise<T>): (picture: Buffer) => Promise<T> {
	const done = new WeakMap<Buffer, Promise<T>>();
	return (picture) => {
		const result = done.get(picture) ?? work(picture);
		done.set(picture, result);
		return result;
	};
}

/**
 * How alike two pictures look, 1 for the same: mean structural similarity (SSIM, Wang et al. 2004) of their greys over
 * windows of 8×8, both brought to the same small size. Above 0.97 a person sees no difference.
 */
export async function similarity(one: Buffer, other: Buffer): Promise<number> {
	const [a, b] = await Promise.all([greys(one), greys(other)]);
	const window = 8;
	let sum = 0;
	let windows = 0;
	for (let top = 0; top + window <= compareWidth; top += 4) {
		for (let left = 0; left + window <= compareWidth; left += 4) {
			sum += windowSimilarity(a, b, top, left, window);
			windows++;
		}
	}
	return sum / windows;
}

function windowSimilarity(a: Float64Array, b: Float64Array, top: number, left: number, window: number): number {
	const count = window * window;
	let [sumA, sumB, sumAA, sumBB, sumAB] = [0, 0, 0, 0, 0];
	for (let y = top; y < top + window; y++) {
		for (let x = left; x < left + window; x++) {
			const valueA = a[y * compareWidth + x] ?? 0;
			const valueB = b[y * compareWidth + x] ?? 0;
			sumA += valueA;
			sumB += valueB;
			sumAA += valueA * valueA;
			sumBB += valueB * valueB;
			sumAB += valueA * valueB;
		}
	}
	const meanA = sumA / count;
	const meanB = sumB / count;
	const varianceA = sumAA / count - meanA * meanA;
	const varianceB = sumBB / count - meanB * meanB;
	const covariance = sumAB / count - meanA * meanB;
	const c1 = (0.01 * 255) ** 2;
	const c2 = (0.03 * 255) ** 2;
	return (
		((2 * meanA * meanB + c1) * (2 * covariance + c2)) / ((meanA ** 2 + meanB ** 2 + c1) * (varianceA + varianceB + c2))
	);
}

/** Mean absolute difference of the colours, 0 to 255, after both are brought to the same small size: catches a wrong colour space. */
export async function colourDifference(one: Buffer, other: Buffer): Promise<number> {
	const [a, b] = await Promise.all([colours(one), colours(other)]);
	let sum = 0;
	for (let at = 0; at < a.length; at++) sum += Math.abs((a[at] ?? 0) - (b[at] ?? 0));
	return sum / a.length;
}

/** A real file of the collection beside the checkout. */
export interface SharedPicture {
	readonly name: string;
	readonly path: string;
}

/**
 * Real files in `../shared/pictures/<folder>`, which a checkout may have beside it. Tests take them as extra cases and pass
 * without them (`npm run test:alone`); `extraTitle` says in the test's name which it was.
 */
export function sharedPictures(folder: string, pattern = /./): readonly SharedPicture[] {
	const path = fileURLToPath(new URL(`../../../shared/pictures/${folder}/`, import.meta.url));
	if (process.env.TEST_ALONE === 'true' || !existsSync(path)) return [];
	return readdirSync(path)
		.filter((name) => pattern.test(name))
		.sort()
		.map((name) => ({ name, path: join(path, name) }));
}

/** The small files in `../shared/cases`, each with a known right answer. */
export function sharedCase(name: string): string | undefined {
	const path = fileURLToPath(new URL(`../../../shared/cases/${name}`, import.meta.url));
	return process.env.TEST_ALONE === 'true' || !existsSync(path) ? undefined : path;
}

export function extraTitle(folder: string, pictures: readonly SharedPicture[]): string {
	return `EXTRA, ../shared/pictures/${folder}: ${pictures.length > 0 ? `${pictures.length} files` : 'NOT THERE, none tested'}`;
}

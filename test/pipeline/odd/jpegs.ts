import sharp from 'sharp';
import { randomNumbers } from '../../../scripts/random-numbers.ts';
import { profileOf } from '../../helpers/pictures.ts';
import type { End, OddFile } from './odd-file.ts';

/** JPEGs whose segments stand in every order, with stray bytes, and of every kind of frame (ITU-T T.81, annex B). */

const side = 16;
const [soi, eoi] = [Buffer.from([0xff, 0xd8]), Buffer.from([0xff, 0xd9])];

interface Segment {
	readonly marker: number;
	readonly bytes: Buffer;
}

/** The segments of a JPEG before its scan, and the rest with the scan. */
function split(jpeg: Buffer): { readonly segments: readonly Segment[]; readonly scan: Buffer } {
	const segments: Segment[] = [];
	let at = 2;
	for (; jpeg[at + 1] !== 0xda; at += 2 + jpeg.readUInt16BE(at + 2))
		segments.push({ marker: jpeg[at + 1] ?? 0, bytes: jpeg.subarray(at, at + 2 + jpeg.readUInt16BE(at + 2)) });
	return { segments, scan: jpeg.subarray(at, jpeg.length - eoi.length) };
}

function segment(marker: number, content: Buffer): Buffer {
	const head = Buffer.from([0xff, marker, 0, 0]);
	head.writeUInt16BE(content.length + 2, 2);
	return Buffer.concat([head, content]);
}

/** Kinds that decoders read. */
const kinds = {
	baseline: { progressive: false, mozjpeg: false },
	'without subsampling': { progressive: false, chromaSubsampling: '4:4:4' },
	progressive: { progressive: true },
} as const;

interface Base {
	readonly name: string;
	readonly segments: readonly Segment[];
	readonly scan: Buffer;
	readonly pixel: NonNullable<OddFile['pixel']>;
}

async function bases(): Promise<Base[]> {
	const pixels = Buffer.from(
		Array.from({ length: side * side }, (_, at) => [(at % side) * 15, Math.floor(at / side) * 15, 90]).flat(),
	);
	const image = () => sharp(pixels, { raw: { width: side, height: side, channels: 3 } });
	const files = await Promise.all([
		...Object.entries(kinds).map(
			async ([name, options]) =>
				[
					name,
					await image()
						.jpeg({ quality: 90, ...options })
						.toBuffer(),
				] as const,
		),
		(async () => ['grey', await image().toColourspace('b-w').jpeg({ quality: 90 }).toBuffer()] as const)(),
	]);
	return Promise.all(
		files.map(async ([name, jpeg]) => {
			const decoded = await sharp(jpeg).toColourspace('srgb').raw().toBuffer();
			const pixel: Base['pixel'] = (x, y) => {
				const [red = 0, green = 0, blue = 0] = decoded.subarray((y * side + x) * 3);
				return [red, green, blue, 255];
			};
			return { name, ...split(jpeg), pixel };
		}),
	);
}

/** Orders of the segments to try, of each kind of JPEG. */
const orders = 60;

/** Segments before the scan in any order, those of programs among those of the picture. */
export async function jpegsOfEveryOrder(): Promise<OddFile[]> {
	const random = randomNumbers(16);
	const icc = Buffer.concat([Buffer.from('ICC_PROFILE\0\x01\x01', 'latin1'), await profileOf('srgb')]);
	const further = [
		segment(0xe1, Buffer.from('Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0', 'latin1')),
		segment(0xe1, Buffer.from('http://ns.adobe.com/xap/1.0/\0<x/>', 'latin1')),
		segment(0xe2, icc),
		segment(0xed, Buffer.from('Photoshop 3.0\0')),
		segment(0xef, Buffer.alloc(20, 1)),
		segment(0xfe, Buffer.from('a comment')),
		segment(0xdd, Buffer.from([0, 0])),
	];
	return (await bases()).flatMap(({ name, segments, scan, pixel }) =>
		Array.from({ length: orders }, (_, order) => {
			const all = [...segments.map(({ bytes }) => bytes), ...further.filter(() => random() < 0.6)];
			const shuffled = all.map((bytes) => [random(), bytes] as const).sort(([one], [other]) => one - other);
			const markers = shuffled.map(([, bytes]) => (bytes[1] ?? 0).toString(16)).join(' ');
			return {
				name: `JPEG: ${name}, order ${order}: ${markers}`,
				file: Buffer.concat([soi, ...shuffled.map(([, bytes]) => bytes), scan, eoi]),
				ends: ['ready'] as const,
				pixel,
			};
		}),
	);
}

/** Bytes between two segments that change nothing. */
const strays = {
	'a fill byte': Buffer.from([0xff]),
	'fill bytes': Buffer.alloc(9, 0xff),
	'a zero': Buffer.from([0]),
	zeros: Buffer.alloc(40),
	noise: Buffer.from([1, 2, 3, 4, 5]),
	'an empty comment': segment(0xfe, Buffer.alloc(0)),
	'a long segment': segment(0xe9, Buffer.alloc(60_000, 0xd8)),
} as const;

/** Each of them before each segment, and behind the end. */
export async function jpegsOfStrayBytes(): Promise<OddFile[]> {
	return (await bases()).flatMap(({ name, segments, scan, pixel }) =>
		Object.entries(strays).flatMap(([stray, bytes]) => {
			const places = Array.from({ length: segments.length + 1 }, (_, place) => {
				const [before, after] = [segments.slice(0, place), segments.slice(place)];
				const parts = [...before.map((one) => one.bytes), bytes, ...after.map((one) => one.bytes)];
				return [`before segment ${place}`, Buffer.concat([soi, ...parts, scan, eoi])] as const;
			});
			const whole = Buffer.concat([soi, ...segments.map((one) => one.bytes), scan, eoi]);
			// The first segment tells the type: what stands before it makes the file something else.
			return [...places.slice(1), ['behind the end', Buffer.concat([whole, bytes])] as const].map(([place, file]) => ({
				name: `JPEG: ${name}, ${stray} ${place}`,
				file,
				ends: ['ready'] as const,
				pixel,
			}));
		}),
	);
}

/** Frames of every kind, lines that are counted at the end, and segments that lack or repeat. */
export async function jpegsOfOtherKinds(): Promise<OddFile[]> {
	const frames = [0xc0, 0xc1, 0xc2];
	return (await bases()).flatMap(({ name, segments, scan, pixel }) => {
		const isFrame = ({ marker }: Segment) => frames.includes(marker);
		const made = (list: readonly Buffer[], end: readonly Buffer[] = [eoi]) =>
			Buffer.concat([soi, ...list, scan, ...end]);
		const withFrame = (change: (bytes: Buffer) => void) =>
			made(
				segments.map((one) => {
					const bytes = Buffer.from(one.bytes);
					if (isFrame(one)) change(bytes);
					return bytes;
				}),
			);
		const one = (what: string, file: Buffer, ...ends: readonly End[]): OddFile => ({
			name: `JPEG: ${name}, ${what}`,
			file,
			ends,
			...(ends.length === 1 && ends[0] === 'ready' && { pixel }),
		});
		const kind = (marker: number) => withFrame((bytes) => void bytes.writeUInt8(marker, 1));
		const without = (marker: number) =>
			made(segments.filter((segment) => segment.marker !== marker).map(({ bytes }) => bytes));
		const all = segments.map(({ bytes }) => bytes);
		return [
			...[0xc3, 0xc5, 0xc6, 0xc7, 0xcb, 0xcd, 0xce, 0xcf].map((marker) =>
				one(`frame ${marker.toString(16)}`, kind(marker), 'unsupported'),
			),
			// Arithmetic codes are read, but these bytes are Huffman's: they decode to something, or to nothing.
			...[0xc9, 0xca].map((marker) => one(`frame ${marker.toString(16)}`, kind(marker), 'ready', 'corrupt')),
			...(name === 'progressive' ? [] : [one('extended', kind(0xc1), 'ready')]),
			one(
				'of 12 bits',
				withFrame((bytes) => void bytes.writeUInt8(12, 4)),
				'unsupported',
			),
			one(
				'of 2 bits',
				withFrame((bytes) => void bytes.writeUInt8(2, 4)),
				'unsupported',
				'corrupt',
			),
			one(
				'with lines that are counted at the end',
				Buffer.concat([
					withFrame((bytes) => void bytes.writeUInt16BE(0, 5)).subarray(0, -2),
					segment(0xdc, Buffer.from([0, side])),
					eoi,
				]),
				'unsupported',
			),
			one(
				'without width',
				withFrame((bytes) => void bytes.writeUInt16BE(0, 7)),
				'corrupt',
			),
			one(
				'of no components',
				withFrame((bytes) => void bytes.writeUInt8(0, 9)),
				'corrupt',
				'unsupported',
			),
			one('without its end', made(all, []), 'ready'),
			one(
				'without a frame',
				made(segments.filter((segment) => !isFrame(segment)).map(({ bytes }) => bytes)),
				'corrupt',
			),
			one(
				'with two frames',
				made(segments.flatMap((segment) => (isFrame(segment) ? [segment.bytes, segment.bytes] : [segment.bytes]))),
				'corrupt',
			),
			one('without quantisation', without(0xdb), 'corrupt'),
			one('without codes', without(0xc4), 'corrupt', 'ready'),
			...[0x01, 0x02, 0xbf, 0xc8, 0xd0, 0xd7, 0xde, 0xdf, 0xf0, 0xf7, 0xfd].map((marker) =>
				one(
					`with the marker ${marker.toString(16)}`,
					made([segment(marker, Buffer.alloc(8)), ...all]),
					'ready',
					'corrupt',
					'unsupported',
				),
			),
			one('with a segment that is too long', made([...all, Buffer.from([0xff, 0xe5, 0xff, 0xff])]), 'corrupt'),
			one('with a segment of no length', made([Buffer.from([0xff, 0xe5, 0, 0]), ...all]), 'corrupt', 'ready'),
			one('that says twice where it begins', made([soi, ...all]), 'ready', 'corrupt'),
			one('that ends before it begins', made([eoi, ...all]), 'corrupt'),
		];
	});
}

import { deflateSync } from 'node:zlib';

/** Writes TIFFs of every layout (TIFF 6.0; sample formats: section 19; BigTIFF: Adobe's note of 2007), which no library writes. */

const photometrics = {
	whiteIsZero: 0,
	blackIsZero: 1,
	rgb: 2,
	palette: 3,
	cmyk: 5,
	yCbCr: 6,
	lab: 8,
	sensor: 32_803,
} as const;
export const sampleFormats = { uint: 1, int: 2, float: 3, undefined: 4, complexInt: 5, complexFloat: 6 } as const;
const compressions = { none: 1, oldJpeg: 6, jpeg: 7, deflate: 8, packBits: 32_773 } as const;

export interface OddTiff {
	readonly width: number;
	readonly height: number;
	readonly photometric: keyof typeof photometrics;
	/** Absent from the file if undefined; then samples are unsigned. */
	readonly sampleFormat?: keyof typeof sampleFormats;
	readonly bits: number;
	readonly samples: number;
	/** Kinds of the samples beyond those of the colour: 0 for unspecified, 1 for premultiplied alpha, 2 for alpha. */
	readonly extra?: readonly number[];
	readonly isPlanar?: boolean;
	/** Side of the tiles, a multiple of 16; strips if absent. */
	readonly tile?: number;
	readonly isBigEndian?: boolean;
	readonly isBig?: boolean;
	readonly compression?: keyof typeof compressions;
	/** Differences between neighbours instead of the samples: 2 for integers, 3 for floats. */
	readonly predictor?: 2 | 3;
	/** Bit 0 of a byte is the leftmost, as fax machines send it. */
	readonly isReversed?: boolean;
	/** Further tags: their number, the type of their values (1 for bytes, 3 for shorts, 4 for longs, 7 for any bytes) and the values. */
	readonly tags?: readonly (readonly [tag: number, type: 1 | 3 | 4 | 7, values: readonly number[]])[];
	/** The value of a sample as it is stored. */
	value(x: number, y: number, sample: number): number;
}

/** The stored number for a level from 0 to 1: over the whole range of integers, and itself for floats. */
export function storedLevel(level: number, bits: number, sampleFormat: keyof typeof sampleFormats = 'uint'): number {
	if (sampleFormat === 'float' || sampleFormat === 'complexFloat') return level;
	const whole = Math.round(level * (2 ** Math.min(bits, 52) - 1)) * 2 ** Math.max(0, bits - 52);
	return sampleFormat === 'int' || sampleFormat === 'complexInt' ? whole - 2 ** (bits - 1) : whole;
}

export function oddTiff(spec: OddTiff): Buffer {
	const { width, height, samples, bits, tile, isPlanar = false, isBigEndian = false, isBig = false } = spec;
	const block = tile ? { width: tile, height: tile } : { width, height: Math.ceil(height / 2) };
	const planes = isPlanar ? Array.from({ length: samples }, (_, sample) => [sample]) : [[...Array(samples).keys()]];
	const blocks: Buffer[] = [];
	for (const plane of planes) {
		for (let top = 0; top < height; top += block.height) {
			for (let left = 0; left < width; left += block.width) {
				const rows = tile ? tile : Math.min(block.height, height - top);
				blocks.push(compressed(blockOf(spec, plane, { left, top, width: block.width, height: rows }), spec));
			}
		}
	}
	const format = sampleFormats[spec.sampleFormat ?? 'uint'];
	const same = (value: number) => Array.from({ length: samples }, () => value);
	const sizes = blocks.map(({ length }) => length);
	const [short, long] = [3, 4] as const;
	const head = isBig ? 16 : 8;
	const offsets = sizes.map((_, index) => head + sizes.slice(0, index).reduce((sum, size) => sum + size, 0));
	const tags: (readonly [number, 1 | 3 | 4 | 7, readonly number[]])[] = [
		[256, long, [width]],
		[257, long, [height]],
		[258, short, same(bits)],
		[259, short, [compressions[spec.compression ?? 'none']]],
		[262, short, [photometrics[spec.photometric]]],
		...(spec.isReversed ? [[266, short, [2]] as const] : []),
		[277, short, [samples]],
		...(tile ? [] : [[278, long, [block.height]] as const]),
		[284, short, [isPlanar ? 2 : 1]],
		...(tile
			? ([
					[322, long, [tile]],
					[323, long, [tile]],
					[324, long, offsets],
					[325, long, sizes],
				] as const)
			: ([
					[273, long, offsets],
					[279, long, sizes],
				] as const)),
		...(spec.predictor ? [[317, short, [spec.predictor]] as const] : []),
		...(spec.extra ? [[338, short, spec.extra] as const] : []),
		...(spec.sampleFormat ? [[339, short, same(format)] as const] : []),
		...(spec.tags ?? []),
	];
	return written(tags, Buffer.concat(blocks), { isBigEndian, isBig });
}

interface Block {
	readonly left: number;
	readonly top: number;
	readonly width: number;
	readonly height: number;
}

/** The samples of a strip or tile; every row begins with a whole byte. */
function blockOf(spec: OddTiff, plane: readonly number[], { left, top, width, height }: Block): Buffer {
	const rowBytes = Math.ceil((width * plane.length * spec.bits) / 8);
	const data = Buffer.alloc(rowBytes * height);
	for (let y = 0; y < height; y++) {
		for (let x = 0; x < width; x++) {
			for (const [index, sample] of plane.entries()) {
				// Tiles extend beyond the picture.
				const inside = { x: Math.min(left + x, spec.width - 1), y: Math.min(top + y, spec.height - 1) };
				const bit = (x * plane.length + index) * spec.bits;
				writeSample(data, y * rowBytes * 8 + bit, spec.value(inside.x, inside.y, sample), spec);
			}
		}
	}
	if (spec.predictor)
		for (let y = 0; y < height; y++) predict(data.subarray(y * rowBytes, (y + 1) * rowBytes), plane.length, spec);
	return data;
}

/** TIFF 6.0, section 14, and Adobe's TIFF Technical Note 3. */
function predict(row: Buffer, samples: number, { bits, predictor, isBigEndian = false }: OddTiff): void {
	const bytes = bits / 8;
	if (predictor === 3) {
		const own = Buffer.from(row);
		const count = row.length / bytes;
		for (let at = 0; at < row.length; at++) {
			const byte = Math.floor(at / count);
			row[at] = own[(at % count) * bytes + (isBigEndian ? byte : bytes - 1 - byte)] ?? 0;
		}
	}
	const step = predictor === 3 ? 1 : bytes;
	const number = (at: number) =>
		BigInt(isBigEndian || step === 1 ? row.readUIntBE(at, step) : row.readUIntLE(at, step));
	for (let at = row.length - step; at >= samples * step; at -= step) {
		const difference = Number(BigInt.asUintN(step * 8, number(at) - number(at - samples * step)));
		if (isBigEndian) row.writeUIntBE(difference, at, step);
		else row.writeUIntLE(difference, at, step);
	}
}

function writeSample(data: Buffer, bit: number, value: number, spec: OddTiff): void {
	const { bits, sampleFormat = 'uint', isBigEndian = false } = spec;
	const at = bit / 8;
	if (sampleFormat === 'float' && bits >= 32) {
		if (bits === 32) isBigEndian ? data.writeFloatBE(value, at) : data.writeFloatLE(value, at);
		else isBigEndian ? data.writeDoubleBE(value, at) : data.writeDoubleLE(value, at);
	} else if (sampleFormat === 'complexFloat') {
		for (const [index, part] of [value, 0].entries()) {
			const place = at + (index * bits) / 16;
			if (bits === 64) isBigEndian ? data.writeFloatBE(part, place) : data.writeFloatLE(part, place);
			else isBigEndian ? data.writeDoubleBE(part, place) : data.writeDoubleLE(part, place);
		}
	} else {
		const number = sampleFormat === 'float' ? halfFloat(value) : BigInt.asUintN(bits, BigInt(Math.round(value)));
		const isSwapped = bits % 8 === 0 && !isBigEndian;
		for (let index = 0; index < bits; index++) {
			if (!((number >> BigInt(index)) & 1n)) continue;
			const place = isSwapped ? bit + (index - (index % 8)) + 7 - (index % 8) : bit + bits - 1 - index;
			data[place >> 3] = (data[place >> 3] ?? 0) | (0x80 >> (place & 7));
		}
	}
}

/** The bits of a float of 16 bits (IEEE 754) for a number from 0 to 1; smaller ones than 2⁻¹⁴ become 0. */
function halfFloat(value: number): bigint {
	if (value < 2 ** -14) return 0n;
	const exponent = Math.floor(Math.log2(value));
	return BigInt(((exponent + 15) << 10) + Math.round((value / 2 ** exponent - 1) * 1024));
}

function compressed(data: Buffer, { compression = 'none', isReversed = false }: OddTiff): Buffer {
	if (isReversed) for (const [at, byte] of data.entries()) data[at] = reversed(byte);
	if (compression === 'deflate') return deflateSync(data);
	if (compression !== 'packBits') return data;
	const parts: Buffer[] = [];
	for (let at = 0; at < data.length; at += 128) {
		const part = data.subarray(at, at + 128);
		parts.push(Buffer.from([part.length - 1]), part);
	}
	return Buffer.concat(parts);
}

function reversed(byte: number): number {
	let result = 0;
	for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) result |= 0x80 >> bit;
	return result;
}

const typeBytes = { 1: 1, 3: 2, 4: 4, 7: 1 } as const;

/** A file with the data behind the header, then values that do not fit into the directory, then the directory. */
function written(
	tags: readonly (readonly [number, 1 | 3 | 4 | 7, readonly number[]])[],
	data: Buffer,
	{ isBigEndian, isBig }: { readonly isBigEndian: boolean; readonly isBig: boolean },
): Buffer {
	const put = (target: Buffer, value: number, at: number, bytes: number) => {
		if (bytes === 8)
			isBigEndian ? target.writeBigUInt64BE(BigInt(value), at) : target.writeBigUInt64LE(BigInt(value), at);
		else isBigEndian ? target.writeUIntBE(value, at, bytes) : target.writeUIntLE(value, at, bytes);
	};
	const word = isBig ? 8 : 4;
	const head = Buffer.alloc(isBig ? 16 : 8);
	head.write(isBigEndian ? 'MM' : 'II', 'latin1');
	put(head, isBig ? 43 : 42, 2, 2);
	if (isBig) put(head, 8, 4, 2);
	const sorted = [...tags].sort(([one], [other]) => one - other);
	const countBytes = isBig ? 8 : 2;
	const entryBytes = isBig ? 20 : 12;
	const directory = Buffer.alloc(countBytes + sorted.length * entryBytes + word);
	put(directory, sorted.length, 0, countBytes);
	const longValues: Buffer[] = [Buffer.alloc((head.length + data.length) % 2)];
	let place = head.length + data.length + (longValues[0]?.length ?? 0);
	for (const [index, [tag, type, values]] of sorted.entries()) {
		const at = countBytes + index * entryBytes;
		const bytes = typeBytes[type];
		const packed = Buffer.alloc(values.length * bytes + ((values.length * bytes) % 2));
		for (const [number, value] of values.entries()) put(packed, value, number * bytes, bytes);
		put(directory, tag, at, 2);
		put(directory, type, at + 2, 2);
		put(directory, values.length, at + 4, word);
		if (values.length * bytes <= word) packed.copy(directory, at + 4 + word);
		else {
			put(directory, place, at + 4 + word, word);
			longValues.push(packed);
			place += packed.length;
		}
	}
	put(head, place, head.length - word, word);
	return Buffer.concat([head, data, ...longValues, directory]);
}

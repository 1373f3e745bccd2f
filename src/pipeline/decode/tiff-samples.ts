import type { PicpipeError } from '../../errors.ts';
import { isOnePlane, unsupportedTiff } from '../inspect/tiff.ts';
import { photometric, sampleFormat, type TiffPage, withOnlyPage } from '../inspect/tiff-page.ts';
import { uncompressedTiff } from '../pixels/pixels.ts';
import { readBlock, type TiffBlock } from './tiff-blocks.ts';

/** Values of 16 bits, pixel by pixel. */
interface Levels {
	readonly values: Uint16Array;
	readonly channels: number;
}

const most = 65_535;

/**
 * Converts a page that libvips does not read into a 16-bit TIFF that it does, with the same orientation and colour profile. Integers are
 * scaled over their whole range, signed ones with the most negative value as black, and floating-point numbers from 0 to 1.
 *
 * @throws PicpipeError `corrupt-picture`; `unsupported-feature` if the numbers do not form a picture on that scale
 */
export function readableTiff(file: Buffer, page: TiffPage): Buffer {
	if (isOnePlane(page)) return withOnlyPage(file, page, true);
	const levels = levelsOf(file, page);
	if (page.photometric === photometric.palette) return written(page, colouredBy(levels, page.palette), photometric.rgb);
	if (page.photometric === photometric.yCbCr) return written(page, fromYCbCr(levels), photometric.rgb);
	return written(page, levels, page.photometric);
}

/** The samples of the colour, and of alpha if present, as 16-bit values. */
function levelsOf(file: Buffer, page: TiffPage): Levels {
	const { width, height, bits, block, colours } = page;
	const channels = colours + (page.alpha === 'none' ? 0 : 1);
	const values = new Uint16Array(width * height * channels);
	const across = Math.ceil(width / block.width);
	const down = Math.ceil(height / block.height);
	const stride = page.isPlanar ? 1 : page.samples;
	const read = sampleReader(page);
	const scale = scaleOf(page);
	const range = new Range(page);
	for (let index = 0; index < across * down * (page.isPlanar ? channels : 1); index++) {
		const plane = Math.floor(index / (across * down));
		const left = (index % across) * block.width;
		const top = (Math.floor(index / across) % down) * block.height;
		const rows = block.isTile ? block.height : Math.min(block.height, height - top);
		const part = readBlock(file, page, index, rows, stride);
		for (let y = 0; y < Math.min(rows, height - top); y++) {
			for (let x = 0; x < Math.min(block.width, width - left); x++) {
				let at = ((top + y) * width + left + x) * channels + plane;
				for (let sample = 0; sample < (page.isPlanar ? 1 : channels); sample++) {
					const value = read(part, y * part.rowBytes, (x * stride + sample) * bits);
					const level = scale(value, plane + sample);
					if (plane + sample < colours) range.add(value, level);
					values[at++] = level;
				}
			}
		}
	}
	range.check();
	return { values, channels };
}

/** Reads a sample. @param bit offset within the row */
type ReadSample = (block: TiffBlock, rowAt: number, bit: number) => number;

function sampleReader({ bits, sampleFormat: format }: TiffPage): ReadSample {
	const bytes = bits / 8;
	if (format === sampleFormat.float && bits === 16)
		return ({ data, isLittleEndian }, rowAt, bit) => {
			const at = rowAt + bit / 8;
			return halfFloat(isLittleEndian ? data.readUInt16LE(at) : data.readUInt16BE(at));
		};
	if (format === sampleFormat.float)
		return ({ data, isLittleEndian }, rowAt, bit) => {
			const at = rowAt + bit / 8;
			if (bits === 32) return isLittleEndian ? data.readFloatLE(at) : data.readFloatBE(at);
			return isLittleEndian ? data.readDoubleLE(at) : data.readDoubleBE(at);
		};
	if (Number.isInteger(bytes))
		return ({ data, isLittleEndian }, rowAt, bit) => {
			const at = rowAt + bit / 8;
			let value = 0;
			for (let byte = 0; byte < bytes; byte++)
				value = value * 256 + (data[at + (isLittleEndian ? bytes - 1 - byte : byte)] as number);
			return value;
		};
	// Other sizes are packed from the highest bit, whatever the byte order.
	return ({ data }, rowAt, bit) => {
		let value = 0;
		for (let at = bit; at < bit + bits; ) {
			const inByte = 8 - (at & 7);
			const taken = Math.min(inByte, bit + bits - at);
			const byte = data[rowAt + (at >> 3)] as number;
			value = value * 2 ** taken + ((byte >> (inByte - taken)) & (2 ** taken - 1));
			at += taken;
		}
		return value;
	};
}

/** IEEE 754, 3.6. */
function halfFloat(bits: number): number {
	const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
	if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
	return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** Scales a sample to 16 bits. */
function scaleOf(page: TiffPage): (value: number, channel: number) => number {
	const { bits } = page;
	const largest = 2 ** bits - 1;
	switch (page.photometric) {
		case photometric.palette:
		case photometric.yCbCr:
			return (value) => value;
		case photometric.lab:
			// a* and b* are signed (TIFF 6.0, section 23); with 16 bits they have 8 fractional bits. For libvips, alpha beside them is 0 to 255.
			return (value, channel) => {
				if (channel > 2) return Math.round((value / largest) * 255);
				if (bits === 16) return value;
				return channel === 0 ? value * 257 : value * 256;
			};
	}
	if (page.sampleFormat === sampleFormat.float)
		return (value) => Math.round(Math.min(1, Math.max(0, value || 0)) * most);
	// The highest bit of a signed number is its sign.
	const half = 2 ** (bits - 1);
	if (page.sampleFormat === sampleFormat.int)
		return (value) => Math.round(((value >= half ? value - half : value + half) / largest) * most);
	return (value) => Math.round((value / largest) * most);
}

/** Share of the samples that may be outside 0 to 1: highlights, and overshoot of filters at edges. */
const mayBeBeyond = 0.01;
/** How far a sample may be outside 0 to 1 without counting. */
const tolerance = 0.01;
/** Depth in bits from which on samples may use too little of their range to be visible. */
const coarseBits = 16;

/** Checks the values, so that measurements are not shown as a black or white picture. */
class Range {
	private readonly page: TiffPage;
	private samples = 0;
	private beyond = 0;
	private least = Number.POSITIVE_INFINITY;
	private largest = Number.NEGATIVE_INFINITY;
	private lowest = most;
	private highest = 0;

	constructor(page: TiffPage) {
		this.page = page;
	}

	add(value: number, level: number): void {
		this.samples++;
		if (!(value >= -tolerance && value <= 1 + tolerance)) this.beyond++;
		if (value < this.least) this.least = value;
		if (value > this.largest) this.largest = value;
		if (level < this.lowest) this.lowest = level;
		if (level > this.highest) this.highest = level;
	}

	check(): void {
		const isFloat = this.page.sampleFormat === sampleFormat.float;
		if (isFloat && this.beyond > this.samples * mayBeBeyond)
			throw unsupported(
				'floating-point samples from 0 to 1',
				this.largest >= this.least ? `samples from ${this.least} to ${this.largest}` : 'samples that are not numbers',
			);
		const isFlat = this.largest > this.least && this.highest - this.lowest < most / 255;
		if (isFlat && (isFloat || this.page.bits > coarseBits))
			throw unsupported('samples that fill their range', 'samples that all have the same brightness on it');
	}
}

function unsupported(expected: string, received: string): PicpipeError {
	return unsupportedTiff(expected, received, 'decode');
}

function colouredBy({ values, channels }: Levels, palette: readonly number[]): Levels {
	const size = palette.length / 3;
	const [kept, pixels] = [channels - 1, values.length / channels];
	const out = new Uint16Array(pixels * (3 + kept));
	for (let pixel = 0; pixel < pixels; pixel++) {
		const index = Math.min(values[pixel * channels] as number, size - 1);
		for (let colour = 0; colour < 3; colour++) out[pixel * (3 + kept) + colour] = palette[colour * size + index] ?? 0;
	}
	return { values: out, channels: 3 + kept };
}

/** ITU-R BT.601, the default of TIFF 6.0 (section 21). */
function fromYCbCr({ values, channels }: Levels): Levels {
	const out = new Uint16Array(values.length);
	const level = (value: number) => Math.round(Math.min(255, Math.max(0, value)) * 257);
	for (let at = 0; at < values.length; at += channels) {
		const [luma = 0, blue = 0, red = 0, alpha = 0] = values.subarray(at, at + channels);
		out[at] = level(luma + 1.402 * (red - 128));
		out[at + 1] = level(luma - 0.344136 * (blue - 128) - 0.714136 * (red - 128));
		out[at + 2] = level(luma + 1.772 * (blue - 128));
		if (channels > 3) out[at + 3] = level(alpha);
	}
	return { values: out, channels };
}

/** A TIFF of one page and one strip. CMYK has 8 bits, because libvips loses the alpha of 16. */
function written(page: TiffPage, { values, channels }: Levels, kind: number): Buffer {
	const { width, height, orientation, profile, alpha } = page;
	const bits = kind === photometric.cmyk ? 8 : 16;
	const data = bits === 8 ? Buffer.from(values.map((value) => value >> 8)) : Buffer.from(values.buffer);
	return uncompressedTiff({ data, width, height, channels, bits, photometric: kind, orientation, profile, alpha });
}

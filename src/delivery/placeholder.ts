import { crc32, deflateSync } from 'node:zlib';
import { decode as decodeBlurhash } from 'blurhash';
import { rgbaToDataURL, thumbHashToDataURL } from 'thumbhash';
import type { Analysis } from '../domain/analysis.ts';
import type { Facts } from '../domain/picture.ts';

/** An image that stands in until the requested one is made. */
export interface Placeholder {
	/** Media type. */
	readonly type: string;
	readonly data: Buffer;
}

/** Known data of the picture; empty while it is still to be fetched. */
interface Known {
	readonly analysis?: Analysis | undefined;
	readonly facts?: Pick<Facts, 'width' | 'height'> | undefined;
}

/** Light grey, inconspicuous on light and dark pages. */
const neutral = '#cccccc';
/** Longest sides of placeholders, pixels. A blur loses nothing when small, and a single colour only provides the shape. */
const blurredSide = 32;
const plainSide = 500;

/**
 * The best known preview of a picture, in its aspect ratio. Browsers show an `<img>` with any other response as broken.
 *
 * @returns a tiny copy of it, a blur, its dominant colour, or grey
 */
export function placeholderOf({ analysis = {}, facts = { width: 1, height: 1 } }: Known): Placeholder {
	const { thumbhash, placeholder, blurhash, dominant = neutral } = analysis;
	if (thumbhash !== undefined) return ofDataUrl(thumbHashToDataURL(Buffer.from(thumbhash, 'base64')));
	if (placeholder !== undefined) return ofDataUrl(placeholder);
	if (blurhash !== undefined) {
		const { width, height } = within(blurredSide, facts);
		return ofDataUrl(rgbaToDataURL(width, height, decodeBlurhash(blurhash, width, height)));
	}
	return { type: 'image/png', data: plainPng(within(plainSide, facts), dominant) };
}

function ofDataUrl(url: string): Placeholder {
	const [, type = '', base64 = ''] = /^data:([^;]+);base64,(.*)$/s.exec(url) ?? [];
	return { type, data: Buffer.from(base64, 'base64') };
}

function within(side: number, { width, height }: Pick<Facts, 'width' | 'height'>) {
	const scale = Math.min(1, side / Math.max(width, height));
	const scaled = (length: number) => Math.max(1, Math.round(length * scale));
	return { width: scaled(width), height: scaled(height) };
}

/**
 * A PNG of one colour (https://www.w3.org/TR/png-3/): a palette of one entry, and a zero bit for each pixel, which deflates to almost
 * nothing.
 */
function plainPng({ width, height }: Pick<Facts, 'width' | 'height'>, colour: string): Buffer {
	const header = Buffer.alloc(13);
	header.writeUInt32BE(width, 0);
	header.writeUInt32BE(height, 4);
	header.set([1, 3, 0, 0, 0], 8);
	const rows = Buffer.alloc((1 + Math.ceil(width / 8)) * height);
	return Buffer.concat([
		Buffer.from('89504e470d0a1a0a', 'hex'),
		chunk('IHDR', header),
		chunk('PLTE', Buffer.from(colour.slice(1), 'hex')),
		chunk('IDAT', deflateSync(rows)),
		chunk('IEND', Buffer.alloc(0)),
	]);
}

function chunk(name: string, data: Buffer): Buffer {
	const named = Buffer.concat([Buffer.from(name), data]);
	const ends = Buffer.alloc(8);
	ends.writeUInt32BE(data.length, 0);
	ends.writeUInt32BE(crc32(named), 4);
	return Buffer.concat([ends.subarray(0, 4), named, ends.subarray(4)]);
}

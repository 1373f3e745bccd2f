import sharp from 'sharp';

/** A page of a TIFF. */
export interface TiffPage {
	readonly width: number;
	readonly height: number;
	/** As in CSS; the whole page is of this colour. */
	readonly background: string;
	/** EXIF orientation, 1 to 8. */
	readonly orientation?: number;
	/** An ICC profile. */
	readonly profile?: Buffer;
	/** What its directory says, although the pixels are uncompressed RGB. */
	readonly compression?: number;
	readonly photometric?: number;
	readonly samples?: number;
}

/** Tags that each page has here (TIFF 6.0): their number, the type of their value (2 bytes or 4) and the value. */
function tagsOf(page: TiffPage, dataAt: number, bitsAt: number) {
	const { width, height, orientation = 1, compression = 1, photometric = 2, samples = 3 } = page;
	const [short, long] = [3, 4];
	return [
		[256, long, 1, width],
		[257, long, 1, height],
		[258, short, 3, bitsAt],
		[259, short, 1, compression],
		[262, short, 1, photometric],
		[273, long, 1, dataAt],
		[274, short, 1, orientation],
		[277, short, 1, samples],
		[278, long, 1, height],
		[279, long, 1, width * height * 3],
		[284, short, 1, 1],
	] as const;
}

/** A TIFF whose pages may differ in size, orientation and profile, which sharp cannot write. */
export async function tiff(pages: readonly TiffPage[]): Promise<Buffer> {
	const parts: Buffer[] = [Buffer.from('II*\0\0\0\0\0', 'latin1')];
	let length = 8;
	// Where the place of the next directory is to be written.
	let link: { readonly part: Buffer; readonly at: number } = { part: parts[0] as Buffer, at: 4 };
	for (const page of pages) {
		const { width, height, background, profile } = page;
		const data = await sharp({ create: { width, height, channels: 3, background } })
			.raw()
			.toBuffer();
		const padded = Buffer.concat([data, Buffer.alloc(data.length % 2)]);
		const bits = Buffer.from([8, 0, 8, 0, 8, 0]);
		const extra = profile ? Buffer.concat([profile, Buffer.alloc(profile.length % 2)]) : Buffer.alloc(0);
		const tags: Tag[] = [
			...tagsOf(page, length, length + padded.length),
			...(profile ? [[34675, 7, profile.length, length + padded.length + bits.length] as const] : []),
		];
		const directory = directoryOf(tags);
		link.part.writeUInt32LE(length + padded.length + bits.length + extra.length, link.at);
		link = { part: directory, at: directory.length - 4 };
		parts.push(padded, bits, extra, directory);
		length += padded.length + bits.length + extra.length + directory.length;
	}
	return Buffer.concat(parts);
}

/** The number of a tag, its type, how many values it has, and the value or its place. */
export type Tag = readonly [tag: number, type: number, count: number, value: number];

/** A directory of a TIFF (TIFF 6.0, section 2), little-endian, with no other behind it. */
export function directoryOf(tags: readonly Tag[]): Buffer {
	const directory = Buffer.alloc(2 + tags.length * 12 + 4);
	directory.writeUInt16LE(tags.length, 0);
	for (const [index, [tag, type, count, value]] of tags.entries()) {
		directory.writeUInt16LE(tag, 2 + index * 12);
		directory.writeUInt16LE(type, 4 + index * 12);
		directory.writeUInt32LE(count, 6 + index * 12);
		directory.writeUInt32LE(value, 10 + index * 12);
	}
	return directory;
}

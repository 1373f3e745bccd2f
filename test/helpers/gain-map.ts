import sharp from 'sharp';
import { photograph } from './pictures.ts';

/** A segment of a JPEG. */
function segment(code: number, content: Buffer): Buffer {
	const head = Buffer.from([0xff, code, 0, 0]);
	head.writeUInt16BE(content.length + 2, 2);
	return Buffer.concat([head, content]);
}

function xmp(attributes: string, inner = ''): Buffer {
	const spaces =
		'xmlns:Container="http://ns.google.com/photos/1.0/container/" xmlns:Item="http://ns.google.com/photos/1.0/container/item/" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"';
	const description = `<rdf:Description ${spaces} ${attributes}>${inner}</rdf:Description>`;
	const packet = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">${description}</rdf:RDF></x:xmpmeta>`;
	return segment(0xe1, Buffer.from(`http://ns.adobe.com/xap/1.0/\0${packet}`, 'latin1'));
}

const indexBytes = 90;

/** The index of a file of two pictures (CIPA DC-007, 5.2). @param at place of the segment in the file */
function pictureIndex(at: number, lengths: { readonly primary: number; readonly map: number }): Buffer {
	const index = Buffer.alloc(indexBytes - 4);
	index.write('MPF\0MM\0*', 'latin1');
	index.writeUInt32BE(8, 8);
	index.writeUInt16BE(3, 12);
	const entries = [
		[0xb000, 7, 4, 0x30313030],
		[0xb001, 4, 1, 2],
		[0xb002, 7, 32, 50],
	] as const;
	for (const [row, [tag, type, count, value]] of entries.entries()) {
		index.writeUInt16BE(tag, 14 + row * 12);
		index.writeUInt16BE(type, 16 + row * 12);
		index.writeUInt32BE(count, 18 + row * 12);
		index.writeUInt32BE(value, 22 + row * 12);
	}
	index.writeUInt32BE(0x030000, 54);
	index.writeUInt32BE(lengths.primary, 58);
	index.writeUInt32BE(lengths.map, 74);
	// Offsets count from the byte order behind the name.
	index.writeUInt32BE(lengths.primary - (at + 8), 78);
	return segment(0xe2, index);
}

/** A photograph in Ultra HDR. Its gain map has a quarter of its width and height, as stored; its left top quarter is bright (224), the rest dark (32). */
export async function ultraHdr(options: Parameters<typeof photograph>[0]): Promise<Buffer> {
	const base = await photograph(options);
	const { width, height } = await sharp(base).metadata();
	const size = `width="${width / 4}" height="${height / 4}"`;
	const svg = `<svg xmlns="http://www.w3.org/2000/svg" ${size}><rect width="100%" height="100%" fill="#202020"/><rect width="50%" height="50%" fill="#e0e0e0"/></svg>`;
	const grey = sharp(Buffer.from(svg)).removeAlpha().toColourspace('b-w');
	const map = await grey.jpeg({ quality: 95 }).toBuffer();
	const gains =
		'hdrgm:Version="1.0" hdrgm:GainMapMin="0" hdrgm:GainMapMax="2" hdrgm:Gamma="1" hdrgm:OffsetSDR="0.015625" hdrgm:OffsetHDR="0.015625" hdrgm:HDRCapacityMin="0" hdrgm:HDRCapacityMax="2" hdrgm:BaseRenditionIsHDR="False"';
	const second = Buffer.concat([map.subarray(0, 2), xmp(gains), map.subarray(2)]);
	const item = (semantic: string, more = '') =>
		`<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="${semantic}" Item:Mime="image/jpeg"${more}/></rdf:li>`;
	const items = `${item('Primary')}${item('GainMap', ` Item:Length="${second.length}"`)}`;
	const directory = xmp(
		'hdrgm:Version="1.0"',
		`<Container:Directory><rdf:Seq>${items}</rdf:Seq></Container:Directory>`,
	);
	const at = 2 + directory.length;
	const primary = base.length + directory.length + indexBytes;
	const index = pictureIndex(at, { primary, map: second.length });
	return Buffer.concat([base.subarray(0, 2), directory, index, base.subarray(2), second]);
}

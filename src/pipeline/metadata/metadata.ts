import type { Sharp } from 'sharp';
import type { MetadataOption } from '../../domain/output.ts';
import { readExifBlock } from './exif-block.ts';
import { densityIn, gpsTags, imageTags, maximumText, photoTags, readTags } from './exif-tags.ts';

/** Metadata as stored in an original. */
export interface FoundMetadata {
	readonly exif?: Buffer | undefined;
	readonly xmp?: Buffer | undefined;
	/** Pixels per inch. */
	readonly density?: number | undefined;
}

/** Texts about a picture. */
interface Words {
	readonly artist?: string | undefined;
	readonly copyright?: string | undefined;
	readonly description?: string | undefined;
}

/** Adds metadata to the output of a pipeline. */
export type Attach = (image: Sharp) => Sharp;

/**
 * Writes the metadata of a variant's files: none, or tags that are listed in `exif-tags.ts`. The block of the original is never copied,
 * so hidden data in it is dropped.
 *
 * Texts are written as EXIF, which is ASCII (`©` becomes `(C)`), and as XMP, which supports every character.
 */
export function metadataWriter(wanted: MetadataOption | undefined, original: FoundMetadata): Attach | undefined {
	const { mode, gps = false, set = {} } = typeof wanted === 'object' ? wanted : { mode: wanted ?? 'strip' };
	const block = mode === 'strip' || !original.exif ? undefined : readExifBlock(original.exif);
	const image = block ? readTags(block.image, imageTags) : {};
	const words: Words = {
		...(mode !== 'strip' && wordsOf(image, original.xmp, mode === 'keep')),
		...Object.fromEntries(Object.entries(set).filter(([, value]) => value !== undefined)),
	};
	const isKept = mode === 'keep' && block;
	const exif = {
		IFD0: { ...(isKept && image), ...exifWords(words) },
		...(isKept && { IFD2: readTags(block.photo, photoTags) }),
		...(isKept && gps && { IFD3: readTags(block.gps, gpsTags) }),
	};
	const xmp = xmpOf(words);
	const hasExif = Object.values(exif).some((tags) => Object.keys(tags).length > 0);
	// WebP and AVIF have a resolution in EXIF alone. In other formats EXIF comes first, too, as in libvips.
	const density = mode === 'keep' ? ((block && densityIn(block.image)) ?? original.density) : undefined;
	if (!hasExif && !xmp && density === undefined) return undefined;
	return (out) => {
		const withExif = hasExif ? out.withExif(mapValues(exif, forSharp)) : out;
		const withXmp = xmp ? withExif.withXmp(xmp) : withExif;
		return density === undefined ? withXmp : withXmp.withDensity(density);
	};
}

function wordsOf(image: Readonly<Record<string, string>>, xmp: Buffer | undefined, isWithDescription: boolean): Words {
	const found = xmp?.toString('utf8', 0, maximumXmp) ?? '';
	const description = isWithDescription ? (image.ImageDescription ?? xmpWord(found, 'description')) : undefined;
	return {
		artist: image.Artist ?? xmpWord(found, 'creator'),
		copyright: image.Copyright ?? xmpWord(found, 'rights'),
		...(description && { description }),
	};
}

/** Text that ASCII can represent, at least without accents; other text would become question marks and is written as XMP only. */
const almostAscii = /^[\u0020-\u007e\u00a0-\u024f\u2010-\u201f\u2026]*$/;

function exifWords({ artist, copyright, description }: Words): Record<string, string> {
	const tags = { Artist: artist, Copyright: copyright, ImageDescription: description };
	return Object.fromEntries(
		Object.entries(tags).filter((entry): entry is [string, string] => almostAscii.test(entry[1] ?? '\0')),
	);
}

/** libvips treats a bracketed suffix as its own remark and removes it, so one is added. */
function forSharp(tags: Readonly<Record<string, string>>): Record<string, string> {
	return mapValues(tags, (value) => (value.endsWith(')') ? `${value} (text)` : value));
}

function mapValues<From, To>(from: Readonly<Record<string, From>>, make: (value: From) => To): Record<string, To> {
	return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, make(value)]));
}

/** Bytes of an XMP packet to read. */
const maximumXmp = 256 * 1024;

/** The first text of a property of Dublin Core (XMP specification, part 1, 8.3), in whichever language comes first. */
function xmpWord(xmp: string, name: string): string | undefined {
	const start = xmp.indexOf(`<dc:${name}`);
	const end = start < 0 ? -1 : xmp.indexOf(`</dc:${name}>`, start);
	const item = end < 0 ? undefined : /<rdf:li\b[^>]{0,200}>([^<]{1,4000})</.exec(xmp.slice(start, end))?.[1];
	const clean =
		item &&
		unescaped(item)
			.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '')
			.trim();
	return clean ? [...clean].slice(0, maximumText).join('') : undefined;
}

function xmpOf({ artist, copyright, description }: Words): string | undefined {
	const inAnyLanguage = (name: string, text: string | undefined) =>
		text ? `<dc:${name}><rdf:Alt><rdf:li xml:lang="x-default">${escaped(text)}</rdf:li></rdf:Alt></dc:${name}>` : '';
	const properties = [
		artist ? `<dc:creator><rdf:Seq><rdf:li>${escaped(artist)}</rdf:li></rdf:Seq></dc:creator>` : '',
		inAnyLanguage('rights', copyright),
		inAnyLanguage('description', description),
	].join('');
	if (!properties) return undefined;
	const about = `<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">${properties}</rdf:Description>`;
	return `<?xpacket begin="\uFEFF" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">${about}</rdf:RDF></x:xmpmeta><?xpacket end="r"?>`;
}

const entities: readonly (readonly [character: string, entity: string])[] = [
	['&', '&amp;'],
	['<', '&lt;'],
	['>', '&gt;'],
	['"', '&quot;'],
	["'", '&apos;'],
];

function escaped(text: string): string {
	return entities.reduce((made, [character, entity]) => made.replaceAll(character, entity), text);
}

function unescaped(text: string): string {
	const plain = text.replace(/&#(?:x([0-9a-f]{1,6})|(\d{1,7}));/gi, (_, hex?: string, decimal?: string) => {
		const code = hex ? Number.parseInt(hex, 16) : Number(decimal);
		return code <= 0x10_ffff ? String.fromCodePoint(code) : '';
	});
	return entities.toReversed().reduce((made, [character, entity]) => made.replaceAll(entity, character), plain);
}

import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from 'saxes';
import type { Metadata, SharpOptions } from 'sharp';
import { escapeXml } from '../../domain/escape-xml.ts';
import { PicpipeError } from '../../errors.ts';
import { corrupt } from './classify-error.ts';
import { checkLimits, checkSvgBytes, type PictureLimits, type SvgLimits } from './limits.ts';
import { readHeader } from './sharp-input.ts';
import { sniffFormat } from './sniff.ts';
import { checkCss, checkElement, type Embedded, forbiddenReference, isSvgElement } from './svg-references.ts';
import { fitSize } from './svg-size.ts';
import { decodeText } from './svg-text.ts';

/**
 * SVG is a language, so a file is parsed before it is drawn: its references, its number of elements and its size are checked. The
 * renderer (librsvg) gets what was parsed here: the root element in UTF-8, without anything before it.
 */

/** A checked SVG. */
export interface Drawing {
	/** The SVG for the renderer. */
	readonly document: Buffer;
	/** Cost in memory beside the pixels of the result, in millions of pixels. */
	readonly megapixels: number;
}

/** Nesting depth that libxml2 accepts. */
const maximumDepth = 256;

/**
 * Memory of an element in the renderer relative to a pixel (16 bytes): 900,000 elements took 1.2 GB with librsvg 2.63.
 */
const pixelsPerElement = 85;

/** CSS pixels per inch, which define the size of a millimetre in pixels. */
const density = 96;
/** Density at which libvips draws one to one. */
const plainDensity = 72;

/** sharp's options for an SVG. It has as many pixels as requested, so their number is not limited here. */
export const svgOptions: SharpOptions = { density, limitInputPixels: 0 };

/** The natural size of an SVG in pixels. */
export function drawnSize({ width, height }: Pick<Metadata, 'width' | 'height'>): { width: number; height: number } {
	const plain = (pixels: number) => Math.max(1, Math.round((pixels * plainDensity) / density));
	return { width: plain(width), height: plain(height) };
}

/**
 * Parses an SVG and refuses one that would not be drawn as intended or exceeds the limits.
 *
 * @throws PicpipeError of class `unsupported`, `corrupt` or `limit`
 */
export async function readSvg(
	file: Buffer,
	limits: PictureLimits & Required<Pick<PictureLimits, 'svg'>>,
): Promise<Drawing> {
	if (!limits.svg) throw new TypeError('Expected limits of SVG.');
	checkSvgBytes(file.length, limits.svg, 'inspect');
	const text = decodeText(file);
	const { root, elements, embedded } = readElements(text, limits.svg);
	const pixels = await pixelsWithin(embedded, limits);
	return {
		document: Buffer.from(preamble + startTag(root.tag, limits) + text.slice(root.end)),
		megapixels: (pixels + elements * pixelsPerElement) / 1e6,
	};
}

/** libvips recognises an SVG by 24 ASCII characters and `<svg` soon after; a root element may have a prefix. */
const preamble = '<?xml version="1.0" encoding="UTF-8"?><!-- <svg -->\n';

interface Elements {
	readonly root: { readonly tag: SaxesTagNS; readonly end: number };
	readonly elements: number;
	readonly embedded: readonly Embedded[];
}

function readElements(text: string, { maxElements }: SvgLimits): Elements {
	const parser = new SaxesParser({ xmlns: true });
	const embedded: Embedded[] = [];
	let root: Elements['root'] | undefined;
	let elements = 0;
	let depth = 0;
	/** Text of the current style sheet. */
	let sheet: string[] | undefined;

	parser.on('error', (error) => {
		throw corrupt(`The SVG is not well-formed XML: ${error.message}`, 'inspect', error);
	});
	parser.on('doctype', (type) => {
		if (/<!ENTITY/i.test(type))
			throw unsupported('Expected an SVG without entity declarations but its document type has some.');
	});
	parser.on('processinginstruction', ({ target, body }) => {
		if (target === 'xml-stylesheet') throw forbiddenReference(`?${target}?`, body);
	});
	parser.on('opentag', (tag) => {
		root ??= { tag, end: parser.position };
		if (++elements > maxElements) throw tooManyElements(maxElements);
		if (++depth > maximumDepth)
			throw unsupported(`Expected at most ${maximumDepth} levels of nested elements in an SVG but received more.`);
		const found = checkElement(tag);
		if (found) embedded.push(found);
		if (tag.local === 'style' && isSvgElement(tag)) sheet = [];
	});
	const addText = (part: string) => void sheet?.push(part);
	parser.on('text', addText);
	parser.on('cdata', addText);
	parser.on('closetag', (tag) => {
		depth--;
		if (tag.local !== 'style' || !sheet) return;
		checkCss(tag.name, sheet.join(''));
		sheet = undefined;
	});
	parser.write(text).close();
	if (root?.tag.local !== 'svg' || !isSvgElement(root.tag))
		throw corrupt('The SVG has no svg root element.', 'inspect');
	return { root, elements, embedded };
}

/** The original start tag of the root element with a size that can be drawn. */
function startTag(tag: SaxesTagNS, limits: PictureLimits): string {
	const written = Object.fromEntries(
		Object.entries<SaxesAttributeNS>(tag.attributes).map(([name, { value }]) => [name, value]),
	);
	const attributes = Object.entries({ ...written, ...fitSize(written, limits) });
	const list = attributes.map(([name, value]) => ` ${name}="${escapeXml(value)}"`).join('');
	return `<${tag.name}${list}${tag.isSelfClosing ? '/' : ''}>`;
}

/** Pixels of the embedded pictures, which the renderer decodes in full, however small they are drawn. */
async function pixelsWithin(embedded: readonly Embedded[], limits: PictureLimits): Promise<number> {
	let pixels = 0;
	for (const { format, data } of embedded) {
		if (sniffFormat(data) !== format) throw corrupt(`A picture embedded in the SVG is not a ${format}.`, 'inspect');
		const { width, height } = await readHeader(data);
		checkLimits({ width, height, frames: 1, decoded: 1 }, limits);
		pixels += width * height;
		if (pixels > limits.maxMegapixels * 1e6) {
			const message = `Expected at most ${limits.maxMegapixels} million pixels in the pictures embedded in an SVG but received more.`;
			throw new PicpipeError('too-many-pixels', message, { step: 'inspect' });
		}
	}
	return pixels;
}

function unsupported(message: string): PicpipeError {
	return new PicpipeError('unsupported-feature', message, { step: 'inspect' });
}

function tooManyElements(maximum: number): PicpipeError {
	const message = `Expected at most ${maximum} elements in an SVG (PICPIPE_MAX_SVG_ELEMENTS) but received more.`;
	return new PicpipeError('too-many-elements', message, { step: 'inspect' });
}

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
 * SVG is a program in a language of its own, so it is read before it is drawn: what it refers to, how much it holds, how large it
 * is. What is handed to the renderer (librsvg) is what was read here: its root element, in UTF-8, without anything before it.
 */

/** What is drawn of an SVG. */
export interface Drawing {
	/** The SVG as it goes to the renderer. */
	readonly document: Buffer;
	/** What it costs in memory beside the pixels of the result, as pixels, in millions. */
	readonly megapixels: number;
}

/** Levels of elements within elements that libxml2 reads. */
const maximumDepth = 256;

/**
 * Memory of an element in the renderer against that of a pixel in work (16 bytes): 900,000 elements took 1.2 GB with librsvg 2.63.
 */
const pixelsPerElement = 85;

/** CSS has 96 pixels to an inch, which decides how large a millimetre is beside a pixel. */
const density = 96;
/** What libvips calls one to one. */
const plainDensity = 72;

/** How sharp opens a drawing: it has as many pixels as it is asked for, so they are no measure. */
export const svgOptions: SharpOptions = { density, limitInputPixels: 0 };

/** The size that an SVG has by itself, pixels. */
export function drawnSize({ width, height }: Pick<Metadata, 'width' | 'height'>): { width: number; height: number } {
	const plain = (pixels: number) => Math.max(1, Math.round((pixels * plainDensity) / density));
	return { width: plain(width), height: plain(height) };
}

/**
 * Reads an SVG and refuses what would not be drawn as it is meant, or would take more than is allowed.
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

/** libvips takes for an SVG what begins with 24 characters of ASCII and has these four soon after; a root may have a prefix. */
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
	/** Text of the style sheet that is being read. */
	let sheet: string[] | undefined;

	parser.on('error', (error) => {
		throw corrupt(`The SVG is not well-formed XML: ${error.message}`, 'inspect', error);
	});
	parser.on('doctype', (type) => {
		if (/<!ENTITY/i.test(type))
			throw unsupported('Expected an SVG without entities of its own but its document type declares some.');
	});
	parser.on('processinginstruction', ({ target, body }) => {
		if (target === 'xml-stylesheet') throw forbiddenReference(`?${target}?`, body);
	});
	parser.on('opentag', (tag) => {
		root ??= { tag, end: parser.position };
		if (++elements > maxElements) throw tooManyElements(maxElements);
		if (++depth > maximumDepth)
			throw unsupported(`Expected an SVG of at most ${maximumDepth} levels of elements but received more.`);
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
		throw corrupt('The SVG has no root element of SVG.', 'inspect');
	return { root, elements, embedded };
}

/** The root element's start as it was, but of a size that can be drawn. */
function startTag(tag: SaxesTagNS, limits: PictureLimits): string {
	const written = Object.fromEntries(
		Object.entries<SaxesAttributeNS>(tag.attributes).map(([name, { value }]) => [name, value]),
	);
	const attributes = Object.entries({ ...written, ...fitSize(written, limits) });
	const list = attributes.map(([name, value]) => ` ${name}="${escapeXml(value)}"`).join('');
	return `<${tag.name}${list}${tag.isSelfClosing ? '/' : ''}>`;
}

/** Pixels of the pictures within, which the renderer decodes whole, however small they are drawn. */
async function pixelsWithin(embedded: readonly Embedded[], limits: PictureLimits): Promise<number> {
	let pixels = 0;
	for (const { format, data } of embedded) {
		if (sniffFormat(data) !== format) throw corrupt(`A picture within the SVG is no ${format}.`, 'inspect');
		const { width, height } = await readHeader(data);
		checkLimits({ width, height, frames: 1, decoded: 1 }, limits);
		pixels += width * height;
		if (pixels > limits.maxMegapixels * 1e6) {
			const message = `Expected at most ${limits.maxMegapixels} million pixels in the pictures within an SVG but received more.`;
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

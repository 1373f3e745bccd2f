import type { SaxesTagNS } from 'saxes';
import { PicpipeError } from '../../errors.ts';

/**
 * References that an SVG may have: its own parts, and embedded PNGs and JPEGs. The renderer opens nothing else either, but it leaves
 * such places empty without an error, and a picture with holes is useless.
 */

const svgNamespace = 'http://www.w3.org/2000/svg';
const linkNamespace = 'http://www.w3.org/1999/xlink';
const includeNamespace = 'http://www.w3.org/2001/XInclude';

/** The two embedded formats that the renderer draws. */
const embedded = /^data:image\/(png|jpe?g)\s*(?:;[^,;]*)*;base64\s*,/i;

/** Longest part of a reference in messages, in characters. */
const shownCharacters = 60;

/** A picture embedded in an SVG. */
export interface Embedded {
	readonly format: 'png' | 'jpeg';
	readonly data: Buffer;
}

/** Does the renderer draw this element? It treats elements without a namespace as SVG. */
export function isSvgElement({ uri }: Pick<SaxesTagNS, 'uri'>): boolean {
	return uri === svgNamespace || uri === '';
}

/**
 * Returns the picture embedded in an element, if there is one.
 *
 * @throws PicpipeError `unsupported-feature` for a reference to anything outside
 */
export function checkElement(tag: SaxesTagNS): Embedded | undefined {
	if (tag.uri === includeNamespace) throw forbiddenReference(tag.name, tag.attributes.href?.value ?? '');
	if (!isSvgElement(tag)) return undefined;
	let found: Embedded | undefined;
	for (const { local, uri, value } of Object.values(tag.attributes)) {
		if (uri === '') checkCss(tag.name, value);
		if (local !== 'href' || (uri !== '' && uri !== linkNamespace)) continue;
		// People follow links; scripts never run.
		if (tag.local !== 'a' && tag.local !== 'script') found = checkReference(tag.name, value) ?? found;
	}
	return found;
}

/**
 * Checks the references in a style sheet or an attribute.
 *
 * @param where the element, for the message
 * @throws PicpipeError `unsupported-feature`
 */
export function checkCss(where: string, text: string): void {
	if (!/url|@|\\/i.test(text)) return;
	const css = text
		// Characters may be escaped (CSS Syntax 3, 4.3.7).
		.replace(/\\([0-9a-f]{1,6})\s?/gi, (_, code: string) =>
			String.fromCodePoint(Math.min(0x10_ffff, Number(`0x${code}`))),
		)
		.replace(/\/\*[\s\S]*?(?:\*\/|$)/g, ' ');
	const [, sheet] = /@import\s*([^;]{0,200})/i.exec(css) ?? [];
	if (sheet !== undefined) throw forbiddenReference(where, sheet);
	for (const [, reference = ''] of css.matchAll(/\burl\(\s*["']?([^"')]*)/gi)) checkReference(where, reference);
}

function checkReference(where: string, written: string): Embedded | undefined {
	const reference = written.trim();
	if (reference === '' || reference.startsWith('#')) return undefined;
	const [start, format] = embedded.exec(reference) ?? [];
	if (start === undefined) throw forbiddenReference(where, reference);
	return {
		format: format?.toLowerCase() === 'png' ? 'png' : 'jpeg',
		data: Buffer.from(reference.slice(start.length), 'base64'),
	};
}

/** An error about a reference outside of the SVG. @param where the element with the reference */
export function forbiddenReference(where: string, reference: string): PicpipeError {
	const shown = reference.length > shownCharacters ? `${reference.slice(0, shownCharacters)}…` : reference;
	return new PicpipeError(
		'unsupported-feature',
		`Expected an SVG that refers only to its own parts and to embedded base64 PNGs and JPEGs, but <${where}> refers to ${JSON.stringify(shown)}.`,
		{ step: 'inspect' },
	);
}

import { PicpipeError } from '../../errors.ts';
import { corrupt } from './classify-error.ts';

/** Decodes an SVG to text, from any encoding that XML allows. */

/** Bytes in which the root element has to begin, after declarations and comments; licences as comments have tens of thousands. */
export const svgHeadBytes = 64 * 1024;

/** Bytes in which the first element, comment or declaration has to begin. */
const quickBytes = 4_096;

/** Content before the root element: white space, processing instructions (the XML declaration is like one), comments. */
const misc = /^(?:\s+|<\?[\s\S]*?\?>|<!--[\s\S]*?-->)/;
/** The root element, with or without a prefix, or a document type that names it. */
const root = /^<(?:!DOCTYPE\s+)?(?:[\w.-]+:)?svg[\s>/]/;

/** Does a file begin like an SVG? The content is not checked, and compressed files are not recognised. */
export function isSvg(file: Buffer): boolean {
	const rest = afterMisc(file);
	return rest !== undefined && root.test(rest);
}

/** Could more bytes of the file show that it is an SVG? So far there are only declarations and comments. */
export function mayBecomeSvg(head: Buffer): boolean {
	const rest = afterMisc(head);
	return rest !== undefined && (/^<(?:!--|\?)/.test(rest) || rest.length < shortestRoot);
}

/** Characters that a root element has at least, as far as it has to be seen. */
const shortestRoot = '<!DOCTYPE svg>'.length;

/** The text from the root element on, or from a comment that does not end; undefined if the file is no XML. */
function afterMisc(file: Buffer): string | undefined {
	const head = file.subarray(0, svgHeadBytes);
	// A quick check first, because this runs for every file of no other format.
	if (!/^(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\0]*</.test(head.toString('latin1', 0, quickBytes))) return undefined;
	let text = new TextDecoder(unicodeOf(head) ?? 'latin1').decode(head);
	for (let found = misc.exec(text); found; found = misc.exec(text)) text = text.slice(found[0].length);
	return text;
}

/** Detected by the byte order mark, or by the zeros beside the first `<` (XML 1.0, appendix F). */
function unicodeOf(head: Buffer): 'utf-8' | 'utf-16le' | 'utf-16be' | undefined {
	const [first, second, third] = head;
	if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8';
	if ((first === 0xff && second === 0xfe) || (first === 0x3c && second === 0)) return 'utf-16le';
	if ((first === 0xfe && second === 0xff) || (first === 0 && second === 0x3c)) return 'utf-16be';
	return undefined;
}

/**
 * Decodes the text once, so that the checks and the renderer read the same characters.
 *
 * @throws PicpipeError `unsupported-feature` for an unknown encoding, `corrupt-picture` for bytes that are invalid in it
 */
export function decodeText(file: Buffer): string {
	const label = unicodeOf(file) ?? declaredEncoding(file) ?? 'utf-8';
	const decoder = decoderFor(label);
	try {
		return decoder.decode(file);
	} catch (cause) {
		throw corrupt(`The SVG holds bytes that are not ${label}.`, 'inspect', cause);
	}
}

function decoderFor(label: string) {
	try {
		return new TextDecoder(label, { fatal: true });
	} catch (cause) {
		const message = `Expected an SVG in an encoding such as UTF-8 but received ${JSON.stringify(label)}.`;
		throw new PicpipeError('unsupported-feature', message, { cause, step: 'inspect' });
	}
}

/** The encoding in the XML declaration, which is ASCII unless there is a byte order mark (XML 1.0, 4.3.3). */
function declaredEncoding(file: Buffer): string | undefined {
	const declaration = file.toString('latin1', 0, 200);
	const [, name] = /^<\?xml\s[^>]*?\bencoding\s*=\s*["']([\w.:-]{1,40})["']/.exec(declaration) ?? [];
	// A readable declaration is not in UTF-16: a program changed the encoding but not the declaration.
	return name && !/^utf-16/i.test(name) ? name.toLowerCase() : undefined;
}

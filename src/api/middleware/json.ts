import express, { type RequestHandler } from 'express';

/** Largest JSON body, bytes: enough for a hundred signed URLs. Only uploads are larger, and they are not JSON. */
export const maximumJson = 512 * 1024;
/** Deepest nesting of JSON. Recipes need about ten levels; whatever walks JSON does so recursively and would overflow its stack. */
const maximumDepth = 64;
/** Most values in one JSON text. A value takes up to 60 bytes of memory, and only three bytes of text. */
const maximumValues = 25_000;

/** Content codings of JSON bodies that are undone, for `Accept-Encoding`. */
export const jsonCodings = ['gzip', 'deflate'];

const [quote, backslash, comma, openList, closeList, openObject, closeObject] = Buffer.from('"\\,[]{}');

/**
 * Checks the depth and the number of values of a JSON text before it is parsed. Text that is not JSON passes; the parser refuses it.
 *
 * @param text in UTF-8
 * @returns what was expected and what was received, as a sentence; undefined if the text is within the limits
 */
export function jsonExcess(text: Buffer): string | undefined {
	let depth = 0;
	let values = 1;
	let isString = false;
	for (let at = 0; at < text.length; at++) {
		const byte = text[at];
		if (isString) {
			if (byte === backslash) at++;
			else if (byte === quote) isString = false;
		} else if (byte === quote) isString = true;
		else if (byte === comma) values++;
		else if (byte === closeList || byte === closeObject) depth--;
		else if (byte === openList || byte === openObject) {
			depth++;
			values++;
			if (depth > maximumDepth) return `Expected JSON of at most ${maximumDepth} levels but received more`;
		}
	}
	if (values <= maximumValues) return undefined;
	return `Expected JSON of at most ${maximumValues} values but received ${values}`;
}

/** Middleware that parses JSON bodies in UTF-8 (RFC 8259, 8.1), within the limits above. */
export function readJson(): RequestHandler {
	return express.json({
		limit: maximumJson,
		verify: (_request, _response, body, charset) => {
			if (charset !== 'utf-8')
				throw refusal('charset.unsupported', `Expected JSON in UTF-8 but received ${charset.toUpperCase()}`);
			const excess = jsonExcess(body);
			if (excess !== undefined) throw refusal('entity.verify.failed', excess);
		},
	});
}

/** An error as body-parser marks its own; `problem.ts` knows the types. body-parser assigns to the status, which a PicpipeError forbids. */
function refusal(type: string, detail: string): Error {
	return Object.assign(new Error(detail), { type });
}

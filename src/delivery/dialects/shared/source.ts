import type { ImageSource } from '../image-request.ts';

/** Longest URL of a source, characters. */
export const maximumSourceUrl = 2_048;

/** Longest name, characters. */
const maximumName = 200;
/** What a file name cannot contain: control characters, line ends and path separators. */
const unsafe = /[\p{C}\p{Zl}\p{Zp}/\\]+/gu;

/** The file name of a source without its extension: its id, or the last part of its URL's path. */
export function sourceName(source: ImageSource): string {
	if ('id' in source) return source.id;
	const last = new URL(source.url).pathname.split('/').at(-1) ?? '';
	const stem = decoded(last)
		.replace(/\.[^.]*$/, '')
		.replaceAll(unsafe, '_')
		.slice(0, maximumName);
	return stem === '' ? 'image' : stem;
}

function decoded(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

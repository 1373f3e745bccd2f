import type { ImageSource } from './image-request.ts';

/** Longest name, characters. */
const maximumName = 200;
/** What no name of a file may have in it: control characters, ends of lines and what divides folders. */
const unsafe = /[\p{C}\p{Zl}\p{Zp}/\\]+/gu;

/** The name of a source's file without its extension: an id, or the last part of the path that it has elsewhere. */
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

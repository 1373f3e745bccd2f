import { cutFilename, withoutUnsafe } from '../../../domain/filename.ts';
import type { ImageSource } from '../image-request.ts';

/** Longest URL of a source, characters. */
export const maximumSourceUrl = 2_048;

/** The file name of a source without its extension: its id, or the last part of its URL's path. */
export function sourceName(source: ImageSource): string {
	if ('id' in source) return source.id;
	const last = new URL(source.url).pathname.split('/').at(-1) ?? '';
	const stem = withoutUnsafe(decoded(last).replace(/\.[^.]*$/, ''), '_');
	return stem === '' ? 'image' : cutFilename(stem);
}

function decoded(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

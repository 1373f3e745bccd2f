import { fileURLToPath } from 'node:url';
import { openFileStorage } from './fs.ts';
import type { Storage } from './storage.ts';

/** The drivers by URL scheme. A new driver is a file and a line here. */
const drivers: Record<string, (url: string) => Storage> = {
	'file:': (url) => openFileStorage(filePath(url)),
};

const storageSchemes = Object.keys(drivers);

/** @param url `file:./data`, `file:/srv/pictures` or `file:///srv/pictures` */
export function openStorage(url: string): Storage {
	const scheme = storageScheme(url);
	const open = drivers[scheme];
	if (!open)
		throw new TypeError(
			`Expected a storage URL that starts with ${storageSchemes.join(' or ')} but received "${scheme}".`,
		);
	return open(url);
}

/** The scheme with its colon, or an empty string. */
function storageScheme(url: string): string {
	return /^[a-z0-9+.-]+:/i.exec(url)?.[0].toLowerCase() ?? '';
}

function filePath(url: string): string {
	return url.startsWith('file://') ? fileURLToPath(url) : url.slice('file:'.length);
}

/** Longest file name to keep, in characters as people count them. File systems allow 255 bytes or UTF-16 units. */
const maximumCharacters = 200;
/** Longest file name to keep, bytes: percent-encoded in `Content-Disposition` it fits the 4 kB that proxies have for a response's header. */
const maximumBytes = 800;
/** Longest extension that survives a cut, with its dot. */
const extension = /\.[a-z0-9]{1,9}$/i;
/** Names are cut to this many UTF-16 units before anything else looks at them. */
const maximumUnits = 16_384;

/**
 * Characters that no file name keeps, because they are dangerous or invisible: control characters and line ends, halves of surrogate pairs,
 * embeddings, overrides and isolates of direction (U+202A to U+202E, U+2066 to U+2069), which show another extension than the file has, and
 * signs without width. Joiners (U+200C, U+200D), marks of direction (U+200E, U+200F, U+061C) and the tags of flags stay: words and emoji need
 * them.
 */
const unsafe =
	/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\u00ad\u180e\u200b\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|(?<!\u{1f3f4}[\u{e0020}-\u{e007f}]{0,8})[\u{e0000}-\u{e007f}]/gu;

/** Whether a name is fit for a file: not empty, no path, nothing unsafe. */
export function isFilename(name: string): boolean {
	return !/^\.{0,2}$|[/\\]/.test(name) && name.search(unsafe) < 0;
}

/** The name with each run of unsafe characters and path separators replaced. */
export function withoutUnsafe(name: string, replacement: string): string {
	return name
		.slice(0, maximumUnits)
		.replaceAll(unsafe, '\0')
		.replaceAll(/[\0/\\]+/g, replacement);
}

/** The last segment of a name without unsafe characters, cut to a reasonable length. For display and downloads, never a path. */
export function cleanFilename(filename: string | undefined): string | undefined {
	const name = filename?.slice(-maximumUnits).split(/[/\\]/).at(-1)?.replaceAll(unsafe, '').trim();
	if (!name || /^\.+$/.test(name)) return undefined;
	return cutFilename(name);
}

/** Cuts a name to 200 characters and 800 bytes. Its extension stays, and no character is cut in half, however many code points it has. */
export function cutFilename(name: string): string {
	const [end = ''] = extension.exec(name) ?? [];
	const whole = beginning(name, maximumCharacters, maximumBytes);
	if (whole === name || end === '') return whole;
	return beginning(name, maximumCharacters - end.length, maximumBytes - end.length) + end;
}

const characters = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** As many whole characters as fit. A first one that is too long is cut between its code points. */
export function beginning(text: string, most: number, mostBytes = Number.POSITIVE_INFINITY): string {
	let [count, bytes, end] = [0, 0, 0];
	for (const { segment, index } of characters.segment(text)) {
		bytes += Buffer.byteLength(segment);
		if (++count > most || bytes > mostBytes) {
			if (index > 0 || most < 1) break;
			return [...segment].slice(0, mostBytes / 4).join('');
		}
		end = index + segment.length;
	}
	return text.slice(0, end);
}

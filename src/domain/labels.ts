/** What people write on a picture: tags to find it by, and metadata of their own. Both are stored and shown, never obeyed. */

export const maximumTags = 32;

/** Longest tag, characters. */
export const longestTag = 64;

/**
 * 1 to 64 characters, beginning with a letter, a digit or a symbol such as an emoji. Commas separate tags. The other forbidden characters
 * are those that are not visible, and those that end text in HTML, shells and JSON. U+200C and U+200D join letters and emoji.
 */
export const tagPattern = /^[\p{L}\p{N}\p{So}](?:[^\p{C}\p{Z},<>"\\`]|[ \u200c\u200d]){0,63}$/u;

/** The expected tag, for messages. */
export const tagSentence = `expected a tag of 1 to ${longestTag} characters without control characters and , < > " \\ \` that begins with a letter or digit`;

/**
 * A tag as it is stored and searched for, so that one spelling exists of each: NFC, trimmed, and one plain space for any white space within.
 *
 * @example
 * cleanLabel('  Sommer\u00a0 am Meer '); // 'Sommer am Meer'
 */
export function cleanLabel(text: string): string {
	return text
		.normalize('NFC')
		.replace(/\p{Zs}+/gu, ' ')
		.trim();
}

/** Metadata of a picture that its uploader made up. */
export type Meta = Readonly<Record<string, string>>;

/** Bounds of a picture's metadata. The index and every webhook carry it, so it stays small. */
export const metaLimits = {
	entries: 32,
	/** Characters of a key. */
	key: 64,
	/** Bytes of a value, in UTF-8. */
	value: 2_048,
	/** Bytes of all keys and values together, in UTF-8. */
	total: 4_096,
} as const;

/** Begins with a letter or digit, which also keeps out `__proto__`. */
const keyPattern = new RegExp(
	`^[\\p{L}\\p{N}][\\p{L}\\p{M}\\p{N} _.:/@\\u200c\\u200d-]{0,${metaLimits.key - 1}}$`,
	'u',
);

/** Anything but control characters, except tabs and line breaks, and halves of characters. */
const valuePattern = /^(?:[\t\n\r]|[^\p{Cc}\p{Cs}])*$/u;

/**
 * Reads metadata of a picture. Keys become NFC and trimmed; values stay as they are.
 *
 * @returns the metadata, or what was expected instead
 */
export function readMeta(given: unknown): { readonly meta: Meta } | { readonly problem: string } {
	if (typeof given !== 'object' || given === null || Array.isArray(given)) {
		return { problem: 'expected an object of texts' };
	}
	const entries = Object.entries(given).map(([key, value]: [string, unknown]) => [cleanLabel(key), value] as const);
	const problem = entries.map(([key, value]) => entryProblem(key, value)).find(Boolean);
	if (problem !== undefined) return { problem };
	const meta = Object.fromEntries(entries) as Meta;
	const { length } = Object.keys(meta);
	if (length > metaLimits.entries) {
		return { problem: `expected at most ${metaLimits.entries} names but there are ${length}` };
	}
	const bytes = Object.entries(meta).reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0);
	if (bytes <= metaLimits.total) return { meta };
	return { problem: `expected at most ${metaLimits.total} bytes of names and values together but there are ${bytes}` };
}

function entryProblem(key: string, value: unknown): string | undefined {
	const shown = JSON.stringify(key.slice(0, metaLimits.key));
	if (!keyPattern.test(key)) {
		return `expected names of 1 to ${metaLimits.key} letters, digits, spaces and _ . : / @ - that begin with a letter or digit, but one is ${shown}`;
	}
	if (typeof value !== 'string') return `expected text for ${shown} but it is ${typeName(value)}`;
	const bytes = Buffer.byteLength(value);
	if (bytes > metaLimits.value) return `expected at most ${metaLimits.value} bytes for ${shown} but there are ${bytes}`;
	if (!valuePattern.test(value)) return `expected no control characters but ${shown} has some`;
	return undefined;
}

function typeName(value: unknown): string {
	if (value === null) return 'null';
	return Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}

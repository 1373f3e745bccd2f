import { isIP } from 'node:net';

/** One environment variable. */
export interface Setting<T> {
	readonly variable: string;
	/** One sentence for the reference page, at most 160 characters. */
	readonly doc: string;
	/** The form of a valid value, for the reference page and for error messages. */
	readonly expected: string;
	/** As written in the environment; undefined for a setting without a default. */
	readonly default: string | undefined;
	/** Shown on the reference page instead of a default that depends on the machine. */
	readonly defaultNote?: string;
	/** The value is never printed. */
	readonly secret?: boolean;
	/** Returns undefined for an invalid value. */
	readonly parse: (text: string) => T | undefined;
}

/** Settings that belong together: a section of the reference page. */
export interface SettingGroup {
	readonly title: string;
	readonly settings: Readonly<Record<string, Setting<unknown>>>;
	/** Paragraphs below the table of the reference page, in Markdown. */
	readonly notes?: readonly string[];
}

/** The form of a value. */
export type Kind<T> = Pick<Setting<T>, 'expected' | 'parse'>;

/** A setting with a default. */
export function setting<T>(variable: string, kind: Kind<T>, fallback: string | number, doc: string): Setting<T> {
	return { variable, ...kind, default: String(fallback), doc };
}

/** A setting without a default. */
export function optional<T>(variable: string, kind: Kind<T>, doc: string): Setting<T | undefined> {
	return { variable, ...kind, default: undefined, doc };
}

/** A setting whose value is never printed. */
export function secret<T>(one: Setting<T>): Setting<T> {
	return { ...one, secret: true };
}

export function integer(minimum: number, maximum: number, unit: string): Kind<number> {
	return {
		expected: `an integer from ${minimum} to ${maximum} (${unit})`,
		parse: (value) => {
			const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
			return number >= minimum && number <= maximum ? number : undefined;
		},
	};
}

export function choice<const T extends string>(...values: readonly T[]): Kind<T> {
	return { expected: `one of ${values.join(', ')}`, parse: (given) => values.find((value) => value === given) };
}

export const yesOrNo: Kind<boolean> = {
	expected: 'true or false',
	parse: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
};

export function matching(pattern: RegExp, expected: string): Kind<string> {
	return { expected, parse: (value) => (pattern.test(value) ? value : undefined) };
}

/** Any text that is not blank. */
export const plainText = (expected: string): Kind<string> => matching(/\S/, expected);

/** A URL to which paths are appended, such as `https://pictures.example.org`. */
export const baseUrl = (example: string): Kind<string> =>
	matching(/^https?:\/\/[^\s/?#]+[^\s?#]*$/, `a URL such as ${example}`);

/**
 * A comma-separated list.
 *
 * @param parseItem returns undefined for an invalid item
 */
export function listOf<T>(
	expected: string,
	parseItem: (item: string) => T | undefined,
	maximum = Number.POSITIVE_INFINITY,
): Kind<readonly T[]> {
	return {
		expected,
		parse: (value) => {
			const items = value.split(',').map((item) => parseItem(item.trim()));
			return items.length <= maximum && items.every((item) => item !== undefined) ? items : undefined;
		},
	};
}

/** A list, or `*` for anything. */
export function anyOr<T>({ expected, parse }: Kind<T>): Kind<'*' | T> {
	return { expected: `${expected}, or *`, parse: (value) => (value.trim() === '*' ? '*' : parse(value)) };
}

/** Keys and shared secrets. */
export const secretList = (name: string): Kind<readonly string[]> =>
	listOf(`${name} of at least 16 characters without spaces, separated by commas`, (item) =>
		/^\S{16,}$/.test(item) ? item : undefined,
	);

const schemes = listOf('https, http or both, separated by commas; or none', (item) =>
	(['https', 'http'] as const).find((scheme) => scheme === item.toLowerCase()),
);

/** URL schemes; `none` turns outgoing requests off. */
export const schemeList: typeof schemes = {
	...schemes,
	parse: (value) => (value.trim() === 'none' ? [] : schemes.parse(value)),
};

/** Host names in the form that a parsed URL has (RFC 3490 applied); `*.example.org` covers every name below it. */
export const hostList = anyOr(
	listOf('names such as images.example.org or *.example.org, separated by commas', (item) => {
		const [, wildcard = '', name = ''] = /^(\*\.)?([^/@?#*\s]+)$/.exec(item) ?? [];
		const url = URL.parse(`http://${name}/`);
		return url && url.port === '' && !/:\d*$/.test(name.replace(/^\[.*\]$/, ''))
			? wildcard + url.hostname.replace(/\.$/, '')
			: undefined;
	}),
);

export const portList = anyOr(
	listOf('ports from 1 to 65535, separated by commas', (item) => {
		const port = /^\d{1,5}$/.test(item) ? Number(item) : 0;
		return port >= 1 && port <= 65_535 ? port : undefined;
	}),
);

/** Networks as an IP address and a prefix length (RFC 4632); an address alone is a network of one. */
export const networkList = listOf('networks such as 10.1.0.0/16 or fd00:1::/32, separated by commas', (item) => {
	const [, address = '', prefix] = /^([^/]+?)(?:\/(\d{1,3}))?$/.exec(item) ?? [];
	const bits = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1;
	return Number(prefix ?? 0) <= bits ? `${address}/${prefix ?? bits}` : undefined;
});

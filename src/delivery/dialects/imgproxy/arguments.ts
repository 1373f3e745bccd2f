import { unexpected } from './refusals.ts';

/** Arguments of options, from their text. Each refuses with the option's name what it can't read. */

/** Longest text of a number that makes sense. */
const maximumDigits = 24;
const numberPattern = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/i;

/** A number in a range, both ends allowed. */
export function number(option: string, text: string, minimum: number, maximum: number): number {
	const value = text.length <= maximumDigits && numberPattern.test(text) ? Number(text) : Number.NaN;
	if (value >= minimum && value <= maximum) return value + 0;
	throw unexpected(`a number from ${minimum} to ${maximum}`, option, text);
}

/** A number above 0. */
export function positive(option: string, text: string, maximum: number): number {
	const value = text.length <= maximumDigits && numberPattern.test(text) ? Number(text) : Number.NaN;
	if (value > 0 && value <= maximum) return value;
	throw unexpected(`a number above 0 and up to ${maximum}`, option, text);
}

/** An integer in a range, both ends allowed. */
export function integer(option: string, text: string, minimum: number, maximum: number): number {
	const value = /^[+-]?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
	if (value >= minimum && value <= maximum) return value + 0;
	throw unexpected(`an integer from ${minimum} to ${maximum}`, option, text);
}

const booleans: ReadonlyMap<string, boolean> = new Map([
	...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
	...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
]);

/** `1`, `t` or `true`, or else `0`, `f` or `false`. */
export function boolean(option: string, text: string): boolean {
	const value = booleans.get(text);
	if (value === undefined) throw unexpected('1, t or true, or else 0, f or false,', option, text);
	return value;
}

/** A colour of three or six hexadecimal digits; with six and a `#` from then on. */
export function hexColour(option: string, text: string): string {
	if (!/^([0-9a-f]{3}|[0-9a-f]{6})$/i.test(text)) {
		throw unexpected('a colour of three or six hexadecimal digits', option, text);
	}
	return `#${(text.length === 3 ? text.replaceAll(/./g, '$&$&') : text).toLowerCase()}`;
}

/** One of a few words. */
export function oneOf<Word extends string>(option: string, text: string, words: readonly Word[]): Word {
	const found = words.find((word) => word === text);
	if (found === undefined) throw unexpected(`one of ${words.join(', ')}`, option, text);
	return found;
}

/** Text in base64 of the alphabet for URLs, with or without padding. */
export function base64Text(option: string, text: string): string {
	if (!/^[\w-]+={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) {
		throw unexpected('text in URL-safe base64', option, text);
	}
	try {
		return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'base64url'));
	} catch {
		throw unexpected('UTF-8 in URL-safe base64', option, text);
	}
}

/** Text with percent signs and hexadecimal digits for some of its characters. */
export function percentText(option: string, text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		throw unexpected('percent-encoded UTF-8', option, text);
	}
}

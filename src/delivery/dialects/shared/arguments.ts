import { invalidValue } from './refusals.ts';

/** How a dialect writes numbers and booleans. */
export interface ArgumentSyntax {
	readonly integer: RegExp;
	readonly number: RegExp;
	readonly booleans: ReadonlyMap<string, boolean>;
	/** The spellings of booleans, for errors. */
	readonly expectedBoolean: string;
}

/**
 * Reads single arguments of a URL. Each method refuses an unreadable argument with the name of its option.
 *
 * @example arguments.integer('quality', '80', 1, 100)
 */
export class ArgumentReader {
	readonly #syntax: ArgumentSyntax;

	constructor(syntax: ArgumentSyntax) {
		this.#syntax = syntax;
	}

	/** An integer in a range, inclusive. */
	integer(name: string, text: string, minimum: number, maximum: number): number {
		const value = this.#syntax.integer.test(text) ? Number(text) : Number.NaN;
		// Adding 0 turns -0 into 0, which would otherwise be a different option.
		if (Number.isInteger(value) && value >= minimum && value <= maximum) return value + 0;
		throw invalidValue(name, `an integer from ${minimum} to ${maximum}`, text);
	}

	/** A number in a range, inclusive. */
	number(name: string, text: string, minimum: number, maximum: number): number {
		const value = this.#syntax.number.test(text) ? Number(text) : Number.NaN;
		if (value >= minimum && value <= maximum) return value + 0;
		throw invalidValue(name, `a number from ${minimum} to ${maximum}`, text);
	}

	/** A number above 0. */
	positive(name: string, text: string, maximum: number): number {
		const value = this.#syntax.number.test(text) ? Number(text) : Number.NaN;
		if (value > 0 && value <= maximum) return value;
		throw invalidValue(name, `a number above 0 and up to ${maximum}`, text);
	}

	boolean(name: string, text: string): boolean {
		const value = this.#syntax.booleans.get(text);
		if (value === undefined) throw invalidValue(name, this.#syntax.expectedBoolean, text);
		return value;
	}

	/** One of several words. */
	choice<Word extends string>(name: string, text: string, words: readonly Word[]): Word {
		const found = words.find((word) => word === text);
		if (found === undefined) throw invalidValue(name, `one of ${words.join(', ')}`, text);
		return found;
	}
}

/** Rounds to four decimals: more are invisible, and would make a different render of the same picture. */
export function rounded(value: number): number {
	return Math.round(value * 10_000) / 10_000;
}

/** Percent-encoded text. */
export function percentDecoded(name: string, text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		throw invalidValue(name, 'percent-encoded UTF-8', text);
	}
}

/** Text in URL-safe base64, with or without padding. */
export function base64Decoded(name: string, text: string): string {
	if (!/^[\w-]+={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) {
		throw invalidValue(name, 'text in URL-safe base64', text);
	}
	try {
		return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(text, 'base64url'));
	} catch {
		throw invalidValue(name, 'UTF-8 in URL-safe base64', text);
	}
}

import { PicpipeError } from '../../../errors.ts';
import { expectation } from '../expectation.ts';
import { type Colour, colourOf } from './colours.ts';

/** What can't be read, or is out of range. */
export function refused(name: string, expected: string, received: string): PicpipeError {
	return new PicpipeError('invalid-delivery-url', expectation(expected, name, received));
}

/** What the language has and picpipe has not. @param why a whole sentence, where the name alone would not explain it */
export function unsupported(name: string, why = ''): PicpipeError {
	return new PicpipeError('option-unsupported', `${name} is not supported here.${why && ` ${why}`}`);
}

/** As JSON writes numbers, and no longer than any that means something. */
const numberPattern = /^-?(?:0|[1-9]\d{0,11})(?:\.\d{1,12})?$/;
const sizePattern = /^(\d{1,9})(?:x(\d{1,9}))?$/;

/**
 * The values of one modifier, in their order. A value that is empty is as if it were not there, and so is the word `undefined`, which
 * templates leave where they had nothing to write.
 */
export class Given {
	readonly name: string;
	readonly #values: readonly string[];

	/** @param text what follows the name, values separated by `_` */
	constructor(name: string, text: string) {
		this.name = name;
		this.#values = text.split('_').map((value) => (value === 'undefined' ? '' : value));
	}

	/** @throws PicpipeError when there are more values than that: they would mean nothing */
	atMost(count: number): void {
		const more = this.#values.slice(count).find((value) => value !== '');
		if (more === undefined) return;
		throw refused(this.name, count === 0 ? 'no value' : `at most ${count} value${count > 1 ? 's' : ''}`, more);
	}

	/** A modifier that is named or not: a value can only say yes to it. */
	flag(): void {
		this.atMost(1);
		const value = this.text(0) ?? 'true';
		if (value !== 'true' && value !== '1') throw refused(this.name, 'true, or to be left out,', value);
	}

	text(at: number): string | undefined {
		return this.#values[at] || undefined;
	}

	number(at: number, minimum: number, maximum: number, part?: string): number | undefined {
		const value = this.text(at);
		if (value === undefined) return undefined;
		const number = numberPattern.test(value) ? Number(value) : Number.NaN;
		if (number >= minimum && number <= maximum) return number;
		throw refused(this.#nameOf(part), `a number from ${minimum} to ${maximum}`, value);
	}

	integer(at: number, minimum: number, maximum: number, part?: string): number | undefined {
		const value = this.text(at);
		if (value === undefined) return undefined;
		const number = numberPattern.test(value) ? Number(value) : Number.NaN;
		if (Number.isInteger(number) && number >= minimum && number <= maximum) return number;
		throw refused(this.#nameOf(part), `an integer from ${minimum} to ${maximum}`, value);
	}

	/** @throws PicpipeError when there is none, too */
	needed(value: number | undefined, part?: string): number {
		if (value === undefined) throw refused(this.#nameOf(part), 'a value', '');
		return value;
	}

	choice<Value extends string>(at: number, values: readonly Value[], part?: string): Value | undefined {
		const value = this.text(at);
		if (value === undefined) return undefined;
		const chosen = values.find((one) => one === value);
		if (chosen === undefined) throw refused(this.#nameOf(part), `one of ${values.join(', ')}`, value);
		return chosen;
	}

	boolean(at: number, part: string): boolean | undefined {
		const value = this.text(at);
		if (value === undefined) return undefined;
		if (value === 'true' || value === '1') return true;
		if (value === 'false' || value === '0') return false;
		throw refused(this.#nameOf(part), 'true or false', value);
	}

	colour(at: number): Colour | undefined {
		const value = this.text(at);
		if (value === undefined) return undefined;
		const colour = colourOf(value);
		if (colour === undefined) throw refused(this.name, 'a colour such as ff0000, ff000080 or red', value);
		return colour;
	}

	/** `200x100`, or `200` for a square. */
	size(at: number, maximum: number): { readonly width: number; readonly height: number } | undefined {
		const value = this.text(at);
		if (value === undefined) return undefined;
		const [matched, width, height = width] = sizePattern.exec(value) ?? [];
		const size = { width: Number(width), height: Number(height) };
		if (matched && [size.width, size.height].every((side) => side >= 1 && side <= maximum)) return size;
		throw refused(this.name, `a width and a height from 1 to ${maximum} such as 200x100`, value);
	}

	#nameOf(part: string | undefined): string {
		return part === undefined ? this.name : `${this.name} (${part})`;
	}
}

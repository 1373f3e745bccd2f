import type { Size } from '../../../operations/operation.ts';
import { ArgumentReader } from '../shared/arguments.ts';
import { colourOfDigits, colourOfName, type HexColour, transparent } from '../shared/colours.ts';
import { invalidValue } from '../shared/refusals.ts';

/** Numbers in JSON syntax, with a limited length. */
const numberPattern = /^-?(?:0|[1-9]\d{0,11})(?:\.\d{1,12})?$/;
const sizePattern = /^(\d{1,9})(?:x(\d{1,9}))?$/;

const reader = new ArgumentReader({
	integer: numberPattern,
	number: numberPattern,
	booleans: new Map([
		...['true', '1'].map((text) => [text, true] as const),
		...['false', '0'].map((text) => [text, false] as const),
	]),
	expectedBoolean: 'true or false',
});

/**
 * The values of one modifier, in order. An empty value counts as absent, and so does `undefined`, which templates write for a missing
 * value.
 */
export class ModifierArguments {
	readonly name: string;
	readonly #values: readonly string[];

	/** @param text the part after the name; values are separated by `_` */
	constructor(name: string, text: string) {
		this.name = name;
		this.#values = text.split('_').map((value) => (value === 'undefined' ? '' : value));
	}

	/** @throws PicpipeError if there are more values, which would have no effect */
	atMost(count: number): void {
		const more = this.#values.slice(count).find((value) => value !== '');
		if (more === undefined) return;
		throw invalidValue(this.name, count === 0 ? 'no value' : `at most ${count} value${count > 1 ? 's' : ''}`, more);
	}

	/** A modifier that needs no value; a value can only confirm it. */
	flag(): void {
		this.atMost(1);
		const value = this.text(0) ?? 'true';
		if (value !== 'true' && value !== '1') throw invalidValue(this.name, 'true, or to be left out,', value);
	}

	text(at: number): string | undefined {
		return this.#values[at] || undefined;
	}

	number(at: number, minimum: number, maximum: number, part?: string): number | undefined {
		return this.#read(at, part, (name, text) => reader.number(name, text, minimum, maximum));
	}

	integer(at: number, minimum: number, maximum: number, part?: string): number | undefined {
		return this.#read(at, part, (name, text) => reader.integer(name, text, minimum, maximum));
	}

	/** @throws PicpipeError also if there is no value */
	needed(value: number | undefined, part?: string): number {
		if (value === undefined) throw invalidValue(this.#nameOf(part), 'a value', '');
		return value;
	}

	choice<Value extends string>(at: number, values: readonly Value[], part?: string): Value | undefined {
		return this.#read(at, part, (name, text) => reader.choice(name, text, values));
	}

	boolean(at: number, part: string): boolean | undefined {
		return this.#read(at, part, (name, text) => reader.boolean(name, text));
	}

	/** Three, four, six or eight hexadecimal digits with or without `#`, or a name. */
	colour(at: number): HexColour | undefined {
		return this.#read(at, undefined, (name, text) => {
			const word = text.toLowerCase();
			const named = word === 'transparent' ? transparent : colourOfName(word);
			const colour = colourOfDigits(word.replace(/^#/, '')) ?? named;
			if (colour === undefined) throw invalidValue(name, 'a colour such as ff0000, ff000080 or red', text);
			return colour;
		});
	}

	/** `200x100`, or `200` for a square. */
	size(at: number, maximum: number): Size | undefined {
		return this.#read(at, undefined, (name, text) => {
			const [matched, width, height = width] = sizePattern.exec(text) ?? [];
			const size = { width: Number(width), height: Number(height) };
			if (matched && [size.width, size.height].every((side) => side >= 1 && side <= maximum)) return size;
			throw invalidValue(name, `a width and a height from 1 to ${maximum} such as 200x100`, text);
		});
	}

	#read<Value>(at: number, part: string | undefined, read: (name: string, text: string) => Value): Value | undefined {
		const text = this.text(at);
		return text === undefined ? undefined : read(this.#nameOf(part), text);
	}

	#nameOf(part: string | undefined): string {
		return part === undefined ? this.name : `${this.name} (${part})`;
	}
}

import type { DialectOptions } from '../image-request.ts';
import { ArgumentReader, percentDecoded } from '../shared/arguments.ts';
import { colourOfDigits, colourOfName, transparent } from '../shared/colours.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';

/** Reads the values of qualifiers. Cloudinary has no booleans. */
export const qualifier = new ArgumentReader({
	integer: /^-?\d{1,9}$/,
	number: /^-?\d{1,9}(\.\d{1,17})?$/,
	booleans: new Map(),
	expectedBoolean: '',
});

/** Colours that Cloudinary derives from the picture or generates. */
const computedColour = /^(auto|gen_fill|blurred)(:|$)/;

/**
 * A colour for operations, from `red`, `rgb:f00`, `rgb:ff0000` or, with opacity, `rgb:ff000080`.
 *
 * @param name the option that the colour belongs to
 * @throws PicpipeError
 */
export function colourArgument(name: string, text: string): string {
	const expected = 'the name of a colour, or one such as rgb:ff0000';
	if (computedColour.test(text)) throw unsupportedValue(name, expected, text);
	if (text === 'transparent') return transparent;
	const [, digits] = /^rgb:(.+)$/is.exec(text) ?? [];
	const colour = digits === undefined ? colourOfName(text) : colourOfDigits(digits);
	if (colour === undefined) throw invalidValue(name, expected, text);
	return colour;
}

/** Most components of a URL, including those of its named transformations. */
const maximumComponents = 40;
/** Most qualifiers of a component. */
const maximumQualifiers = 40;

/** The qualifiers of one component. The code that understands a qualifier takes it, so that the remaining ones can be refused. */
export class Component {
	readonly #values = new Map<string, string>();
	readonly #flags = new Map<string, string>();

	/** @throws PicpipeError */
	constructor(text: string) {
		const qualifiers = text.split(',');
		if (qualifiers.length > maximumQualifiers) {
			throw invalidValue('a component', `at most ${maximumQualifiers} qualifiers`, String(qualifiers.length));
		}
		for (const qualifier of qualifiers) this.#read(qualifier);
	}

	#read(qualifier: string): void {
		if (qualifier.startsWith('$')) throw unsupportedValue('a qualifier', 'no variable', qualifier);
		const [, key = '', value = ''] = /^([a-z]{1,3})_(.+)$/s.exec(qualifier) ?? [];
		if (key === '') throw invalidValue('a qualifier', 'a key, _ and a value, such as w_300,', qualifier);
		if (key === 'if') throw unsupportedValue('a qualifier', 'no condition', qualifier);
		if (key !== 'fl') {
			if (this.#values.has(key)) throw invalidValue(`${key}_`, 'one value in a component', qualifier);
			this.#values.set(key, value);
			return;
		}
		for (const flag of value.split('.')) {
			const [, name = flag, argument = ''] = /^([^:]*):(.*)$/s.exec(flag) ?? [];
			this.#flags.set(name, argument);
		}
	}

	has(key: string): boolean {
		return this.#values.has(key);
	}

	hasFlag(name: string): boolean {
		return this.#flags.has(name);
	}

	/** Returns the value of a qualifier and marks it as understood. */
	take(key: string): string | undefined {
		const value = this.#values.get(key);
		this.#values.delete(key);
		return value;
	}

	/** The text after the `:` of a flag, or an empty text; undefined if there is no such flag. */
	takeFlag(name: string): string | undefined {
		const value = this.#flags.get(name);
		this.#flags.delete(name);
		return value;
	}

	/** Refuses qualifiers that were not taken. @throws PicpipeError `option-unsupported` */
	finish(): void {
		for (const flag of this.#flags.keys()) {
			throw unsupportedValue('a flag', 'one that is known here, and there', `fl_${flag}`);
		}
		for (const [key, value] of this.#values) {
			throw unsupportedValue('a qualifier', 'one that is known here, and in such a component', `${key}_${value}`);
		}
	}
}

/** The value of a qualifier in the first component that has it. */
export function takeAny(components: readonly Component[], key: string): string | undefined {
	return components.find((component) => component.has(key))?.take(key);
}

/**
 * The components of a transformation. Named transformations are replaced by their definitions.
 *
 * @param text decoded
 * @throws PicpipeError
 */
export function readComponents(text: string, { presets, presetsOnly }: DialectOptions): Component[] {
	const found: Component[] = [];
	let named = 0;
	const add = (text: string, within: readonly string[]) => {
		for (const part of text.split('/')) {
			if (part === '') continue;
			const name = /^t_([^,]+)$/s.exec(part)?.[1];
			if (name === undefined) {
				if (presetsOnly && within.length === 0) throw invalidValue('a component', 't_ and the name of a preset', part);
				if (/(^|,)t_/.test(part)) {
					throw unsupportedValue('a named transformation', 'a component of its own', part);
				}
				if (found.length === maximumComponents) {
					throw invalidValue('the transformation', `at most ${maximumComponents} components`, text);
				}
				found.push(new Component(part));
				continue;
			}
			named += 1;
			// Otherwise a preset that refers only to other presets could expand without limit.
			if (named > maximumComponents) throw invalidValue('t_', `at most ${maximumComponents} presets`, name);
			// Several names are separated by dots, and a name may contain dots.
			for (const one of presets.has(name) ? [name] : name.split('.')) {
				const preset = presets.get(one);
				if (preset === undefined) throw invalidValue('t_', 'the name of a preset', one);
				if (within.includes(one)) {
					throw invalidValue('t_', 'presets that do not name each other in a circle', [...within, one].join(' → '));
				}
				add(percentDecoded(`the preset ${one}`, preset), [...within, one]);
			}
		}
	};
	add(text, []);
	return found;
}

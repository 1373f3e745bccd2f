import type { DialectOptions } from '../image-request.ts';
import { ArgumentReader, percentDecoded } from '../shared/arguments.ts';
import { colourOfDigits, colourOfName, transparent } from '../shared/colours.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';

/** Reads values of qualifiers. Cloudinary has no booleans. */
export const qualifier = new ArgumentReader({
	integer: /^-?\d{1,9}$/,
	number: /^-?\d{1,9}(\.\d{1,17})?$/,
	booleans: new Map(),
	expectedBoolean: '',
});

/** Colours that Cloudinary finds in the picture or generates. */
const computedColour = /^(auto|gen_fill|blurred)(:|$)/;

/**
 * A colour as operations take it, of `red`, `rgb:f00`, `rgb:ff0000` or, with opacity, `rgb:ff000080`.
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

/** Most components that one URL has, those of its named transformations among them. */
const maximumComponents = 40;
/** Most qualifiers of one component. */
const maximumQualifiers = 40;

/** Qualifiers of one component. Each is taken by what understands it, so that what nobody took is known in the end. */
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

	/** The value of a qualifier, which then counts as understood. */
	take(key: string): string | undefined {
		const value = this.#values.get(key);
		this.#values.delete(key);
		return value;
	}

	/** What stands after `:` of a flag, or an empty text; undefined when there is no such flag. */
	takeFlag(name: string): string | undefined {
		const value = this.#flags.get(name);
		this.#flags.delete(name);
		return value;
	}

	/** Nothing may be left that nobody took. @throws PicpipeError `option-unsupported` */
	finish(): void {
		for (const flag of this.#flags.keys()) {
			throw unsupportedValue('a flag', 'one that is known here, and there', `fl_${flag}`);
		}
		for (const [key, value] of this.#values) {
			throw unsupportedValue('a qualifier', 'one that is known here, and in such a component', `${key}_${value}`);
		}
	}
}

/** The first of the components that has a qualifier. */
export function takeAny(components: readonly Component[], key: string): string | undefined {
	return components.find((component) => component.has(key))?.take(key);
}

/**
 * The components of a transformation; named ones are replaced by what they stand for.
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
			// A preset that stands for nothing but others could be as many as it likes.
			if (named > maximumComponents) throw invalidValue('t_', `at most ${maximumComponents} presets`, name);
			// Several are written with dots between them, and a name may have dots.
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

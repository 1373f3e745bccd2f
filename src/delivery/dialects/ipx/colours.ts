import { channelsOf } from '../../../operations/options.ts';
import { colourNames, longDigits } from '../colour-names.ts';

/** A colour as operations take it: `#rrggbb`, or `#rrggbbaa` where something shows through. */
export type Colour = `#${string}`;

/**
 * The colour that a value of an address stands for: three, four, six or eight hexadecimal digits with or without `#`, or a name.
 *
 * @example colourOf('f00'); // '#ff0000'
 */
export function colourOf(text: string): Colour | undefined {
	const word = text.toLowerCase();
	const digits = /^#?((?:[0-9a-f]{3,4}){1,2})$/.exec(word)?.[1] ?? digitsOf(word);
	return digits === undefined ? undefined : `#${longDigits(digits)}`;
}

/** The colour with nothing showing through. */
export function opaque(colour: Colour): Colour {
	return colour.slice(0, 7) as Colour;
}

/** The grey that sharp takes for it beside greys: by the weights of ITU-R BT.709, of the values as they are. */
export function greyOf(colour: Colour): Colour {
	const [red, green, blue] = channelsOf(colour);
	const grey = Math.floor(0.2126 * red + 0.7152 * green + 0.0722 * blue);
	return `#${grey.toString(16).padStart(2, '0').repeat(3)}${colour.slice(7)}`;
}

function digitsOf(name: string): string | undefined {
	if (name === 'transparent') return '00000000';
	return colourNames.get(name);
}

import colourNames from 'color-name';
import { channelsOf } from '../../../operations/options.ts';

/** A colour for operations: `#rrggbb`, or `#rrggbbaa` if it is translucent. */
export type HexColour = `#${string}`;

export const transparent: HexColour = '#00000000';

/** The colour of 3, 4, 6 or 8 hexadecimal digits; undefined for any other text. @example colourOfDigits('f00') // '#ff0000' */
export function colourOfDigits(text: string): HexColour | undefined {
	if (!/^(?:[0-9a-f]{3,4}){1,2}$/i.test(text)) return undefined;
	const digits = text.toLowerCase();
	const long = digits.length < 6 ? digits.replaceAll(/./g, '$&$&') : digits;
	return `#${long.length === 8 && long.endsWith('ff') ? long.slice(0, 6) : long}`;
}

/** The colour of a CSS name (CSS Color Module Level 4, without `transparent`); undefined for any other text. */
export function colourOfName(text: string): HexColour | undefined {
	const name = text.toLowerCase();
	if (!Object.hasOwn(colourNames, name)) return undefined;
	return `#${colourNames[name as keyof typeof colourNames].map(hexDigits).join('')}`;
}

export function isOpaque(colour: string): boolean {
	return colour.length === 7;
}

/** The same colour, opaque. */
export function opaqueColour(colour: HexColour): HexColour {
	return colour.slice(0, 7) as HexColour;
}

/** The colour with its opacity multiplied by a factor. @param factor from 0 to 1 */
export function fadedColour(colour: string, factor: number): string {
	const alpha = isOpaque(colour) ? 255 : Number.parseInt(colour.slice(7), 16);
	const digits = hexDigits(Math.round(alpha * factor));
	return digits === 'ff' ? colour.slice(0, 7) : `${colour.slice(0, 7)}${digits}`;
}

/** The grey of a colour by sharp's formula: the weights of ITU-R BT.709, on the encoded values. */
export function greyOf(colour: HexColour): HexColour {
	const [red, green, blue] = channelsOf(colour);
	return `#${hexDigits(Math.floor(0.2126 * red + 0.7152 * green + 0.0722 * blue)).repeat(3)}${colour.slice(7)}`;
}

/** The two hexadecimal digits of a channel. @param channel 0 to 255 */
export function hexDigits(channel: number): string {
	return channel.toString(16).padStart(2, '0');
}

import { colourNames, longDigits } from '../colour-names.ts';
import { unreadable, unsupported } from './values.ts';

/** What no colour is written as: it would have to be found in the picture, or made up. */
const isFound = /^(auto|gen_fill|blurred)(:|$)/;

/**
 * A colour as operations take it: `red`, `rgb:f00`, `rgb:ff0000` or, with opacity, `rgb:ff000080`.
 *
 * @param name option that it stands in
 * @throws PicpipeError
 */
export function colourOf(name: string, text: string): string {
	const expected = 'the name of a colour, or one such as rgb:ff0000';
	if (isFound.test(text)) throw unsupported(name, expected, text);
	if (text === 'transparent') return '#00000000';
	const digits = /^rgb:([0-9a-f]{3}|[0-9a-f]{4}|[0-9a-f]{6}|[0-9a-f]{8})$/i.exec(text)?.[1]?.toLowerCase();
	const known = digits === undefined ? colourNames.get(text.toLowerCase()) : longDigits(digits);
	if (known === undefined) throw unreadable(name, expected, text);
	return `#${known}`;
}

/** The colour with its opacity multiplied. @param factor from 0 to 1 */
export function fainter(colour: string, factor: number): string {
	const alpha = colour.length === 9 ? Number.parseInt(colour.slice(7), 16) : 255;
	const digits = Math.round(alpha * factor)
		.toString(16)
		.padStart(2, '0');
	return digits === 'ff' ? colour.slice(0, 7) : `${colour.slice(0, 7)}${digits}`;
}

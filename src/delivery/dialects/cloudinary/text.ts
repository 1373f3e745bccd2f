import { fadedColour } from '../shared/colours.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';
import type { AddSteps } from '../shared/step-list.ts';
import { borderOf } from './appearance.ts';
import { type Component, colourArgument, qualifier, takeAny } from './components.ts';
import { type LayerPlacement, lengthInPixels, movedBy, readLength } from './gravity.ts';

/** Style words besides family and size, with the options of the operation. */
const styles: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
	normal: {},
	bold: { weight: 'bold' },
	italic: { italic: true },
	left: {},
	start: {},
	center: { align: 'centre' },
	right: { align: 'right' },
	end: { align: 'right' },
	stroke: {},
};

/** Largest font size, pixels. */
const maximumSize = 2_000;

/**
 * A text layer: `l_text:<family>_<size>[_<style>…]:<text>`.
 *
 * @throws PicpipeError
 */
export function takeText(
	named: string,
	components: readonly Component[],
	placement: LayerPlacement,
	dpr: number,
): AddSteps {
	const [, style = '', text = ''] = /^text:([^:]*):(.+)$/s.exec(named) ?? [];
	if (text === '') throw invalidValue('l_text', 'a style and a text, such as text:Arial_40:Hello,', named);
	if (/\$\(\w+\)/.test(text)) throw unsupportedValue('l_text', 'no variable', text);
	const { options, hasStroke } = styleOf(style, dpr);
	const colour = colourArgument('co_', takeAny(components, 'co') ?? 'black');
	const background = takeAny(components, 'b');
	const border = hasStroke ? takeAny(components, 'bo') : undefined;
	const room = takeRoom(components, dpr);
	const faint = (one: string) => fadedColour(one, placement.opacity);
	const outline = border === undefined ? undefined : borderOf(border, dpr);
	const made = {
		// Commas, slashes and other special characters are encoded twice.
		text: onceMore(text),
		...options,
		colour: faint(colour),
		...(background !== undefined && { background: faint(colourArgument('b_', background)) }),
		...(outline && outline.width > 0 && { outline: { width: outline.width, colour: faint(outline.colour) } }),
		...room,
		position: placement.position,
	};
	return (steps) => {
		if (placement.opacity > 0) steps.add('text', { ...made, ...movedBy(steps, placement, dpr) });
	};
}

function styleOf(style: string, dpr: number) {
	const words = onceMore(style).split('_');
	const at = words.findIndex((word) => /^\d+$/.test(word));
	if (at < 1) throw invalidValue('the style of l_text', 'a font and its size, such as Arial_40,', style);
	const size = Math.round(qualifier.integer('the size of l_text', words[at] ?? '', 4, maximumSize) * dpr);
	const further = words.slice(at + 1);
	for (const word of further) {
		if (!Object.hasOwn(styles, word))
			throw unsupportedValue('the style of l_text', Object.keys(styles).join(', '), word);
	}
	return {
		options: Object.assign({ font: words.slice(0, at).join('_'), size }, ...further.map((word) => styles[word])),
		hasStroke: further.includes('stroke'),
	};
}

/** `c_fit` with a width and an optional height wraps the lines. Without it, a size would stretch the letters. */
function takeRoom(components: readonly Component[], dpr: number) {
	const mode = takeAny(components, 'c');
	if (mode === undefined) return {};
	if (mode !== 'fit') throw unsupportedValue('c_', 'fit for a text', mode);
	const side = (key: string) => {
		const text = takeAny(components, key);
		if (text === undefined) return undefined;
		const length = readLength(`${key}_`, text, 'side');
		if ('share' in length) throw unsupportedValue(`${key}_`, 'pixels for a text', text);
		return lengthInPixels(`${key}_`, length, 0, dpr);
	};
	const [width, height] = [side('w'), side('h')];
	if (width === undefined) throw invalidValue('c_fit', 'w_ for a text', 'none');
	return { width, ...(height !== undefined && { height }) };
}

/** Undoes double encoding; the SDKs encode only commas and slashes twice. A percent sign that encodes nothing stays. */
function onceMore(text: string): string {
	return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (encoded) => {
		try {
			return decodeURIComponent(encoded);
		} catch {
			return encoded;
		}
	});
}

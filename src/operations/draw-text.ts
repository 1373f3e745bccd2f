import { escapeXml } from '../domain/escape-xml.ts';
import { PicpipeError } from '../errors.ts';
import type { Layer } from './layer.ts';
import { loadSharp } from './load-sharp.ts';
import type { Size } from './operation.ts';
import { opacityOf } from './options.ts';

/** How letters look. */
export interface TextStyle {
	/** Family. */
	readonly font: string;
	readonly weight: 'normal' | 'bold';
	readonly italic: boolean;
	/** Pixels. */
	readonly size: number;
	readonly colour: string;
	readonly align: 'left' | 'centre' | 'right';
}

/** Smallest size that is tried, pixels; nobody reads less. */
const smallestSize = 4;
/**
 * Size at which text is measured, pixels. Text is laid out the same at every size, and at this one the worst of it (each of the
 * most characters that are allowed on a line of its own) is a picture of a few thousand rows.
 */
const measuredSize = 8;

/**
 * Letters on nothing, in lines no wider than there is room: at the size asked for, or at the largest that fits.
 *
 * @throws PicpipeError `no-fonts`
 */
export async function drawText(text: string, style: TextStyle, room: Size): Promise<Layer> {
	if (!(await hasFonts())) throw new PicpipeError('no-fonts');
	const visible = text.trimEnd();
	let size = await fittingSize(visible, style, room);
	let letters = await render(visible, { ...style, size }, room.width);
	// What was measured small can be a pixel more or a line longer in truth.
	while (size > smallestSize && (letters.width > room.width || letters.height > room.height)) {
		size = Math.max(smallestSize, Math.floor(size * 0.97));
		letters = await render(visible, { ...style, size }, room.width);
	}
	return letters;
}

async function fittingSize(text: string, style: TextStyle, room: Size): Promise<number> {
	const fits = async (size: number) => {
		const scale = measuredSize / size;
		const width = Math.max(1, Math.round(room.width * scale));
		const measured = await render(text, { ...style, size: measuredSize }, width);
		return measured.width <= width && measured.height <= Math.max(1, room.height * scale);
	};
	if (await fits(style.size)) return style.size;
	let [low, high] = [smallestSize, style.size];
	while (high - low > 1) {
		const middle = Math.floor((low + high) / 2);
		if (await fits(middle)) low = middle;
		else high = middle;
	}
	return low;
}

/** Text becomes Pango's markup here and nowhere else: every character that means something there is escaped. */
async function render(text: string, style: TextStyle, width: number): Promise<Layer> {
	const sharp = await loadSharp();
	const { font, weight, italic, size, colour, align } = style;
	// Pango counts opacity to 65535, and takes 0 for none given.
	const alpha = Math.max(1, Math.round(opacityOf(colour) * 65_535));
	try {
		const { data, info } = await sharp({
			text: {
				text: `<span foreground="${colour.slice(0, 7)}" alpha="${alpha}">${escapeXml(text)}</span>`,
				// The comma ends the family, so that no word of it is taken for a style.
				font: `${font}, ${weight} ${italic ? 'italic' : ''} ${size}px`,
				align,
				width,
				wrap: 'word-char',
				rgba: true,
			},
		})
			.raw()
			.toBuffer({ resolveWithObject: true });
		return { data, width: info.width, height: info.height };
	} catch (error) {
		// Characters that have no shape at all, such as spaces of no width.
		if (/no text to render/.test(String(error))) return { data: Buffer.alloc(4), width: 1, height: 1 };
		throw error;
	}
}

let foundFonts: Promise<boolean> | undefined;

function hasFonts(): Promise<boolean> {
	foundFonts ??= lookForFonts();
	return foundFonts;
}

/** Without any font Pango draws small boxes with numbers, of one size whatever size is asked for, and reports nothing. */
async function lookForFonts(): Promise<boolean> {
	const sharp = await loadSharp();
	const height = async (size: number) =>
		(await sharp({ text: { text: 'X', font: `sans, ${size}px`, rgba: true } }).metadata()).height ?? 0;
	return (await height(80)) > (await height(20)) * 2;
}

import { escapeXml } from '../domain/escape-xml.ts';
import { PicpipeError } from '../errors.ts';
import type { Layer } from './layer.ts';
import { loadSharp } from './load-sharp.ts';
import type { Size } from './operation.ts';
import { opacityOf } from './options.ts';

/** Appearance of the letters. */
export interface TextStyle {
	/** Font family. */
	readonly font: string;
	readonly weight: 'normal' | 'bold';
	readonly italic: boolean;
	/** Pixels. */
	readonly size: number;
	readonly colour: string;
	readonly align: 'left' | 'centre' | 'right';
}

/** Smallest font size in pixels; smaller text is illegible. */
const smallestSize = 4;
/**
 * Font size at which text is measured, in pixels. The layout is the same at every size, and at this one even the worst text (as many lines
 * as characters are allowed) is a picture of a few thousand rows.
 */
const measuredSize = 8;

/**
 * Draws letters on a transparent background, wrapped to the available width: at the requested size, or at the largest that fits.
 *
 * @throws PicpipeError `no-fonts`
 */
export async function drawText(text: string, style: TextStyle, room: Size): Promise<Layer> {
	if (!(await hasFonts())) throw new PicpipeError('no-fonts');
	const visible = text.trimEnd();
	let size = await fittingSize(visible, style, room);
	let letters = await render(visible, { ...style, size }, room.width);
	// The real text can be a pixel wider or a line longer than the measured one.
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

/** The only place that writes Pango markup: every character with a meaning there is escaped. */
async function render(text: string, style: TextStyle, width: number): Promise<Layer> {
	const sharp = await loadSharp();
	const { font, weight, italic, size, colour, align } = style;
	// Pango's opacity ranges to 65535, and it reads 0 as not given.
	const alpha = Math.max(1, Math.round(opacityOf(colour) * 65_535));
	try {
		const { data, info } = await sharp({
			text: {
				text: `<span foreground="${colour.slice(0, 7)}" alpha="${alpha}">${escapeXml(text)}</span>`,
				// The comma ends the family, so that no word of it is read as a style.
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
		// Characters without a shape, such as zero-width spaces.
		if (/no text to render/.test(String(error))) return { data: Buffer.alloc(4), width: 1, height: 1 };
		throw error;
	}
}

let foundFonts: Promise<boolean> | undefined;

function hasFonts(): Promise<boolean> {
	foundFonts ??= lookForFonts();
	return foundFonts;
}

/** Without fonts Pango draws small boxes with numbers, whose size never changes, and reports no error. */
async function lookForFonts(): Promise<boolean> {
	const sharp = await loadSharp();
	const height = async (size: number) =>
		(await sharp({ text: { text: 'X', font: `sans, ${size}px`, rgba: true } }).metadata()).height ?? 0;
	return (await height(80)) > (await height(20)) * 2;
}

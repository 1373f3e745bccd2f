import * as z from 'zod';
import { drawText, type TextStyle } from './draw-text.ts';
import { type Layer, placed, whereOptions } from './layer.ts';
import { loadSharp } from './load-sharp.ts';
import type { Operation, Size } from './operation.ts';
import { channelsOf, colour, integer, length, opacityOf, pixelsOf, place } from './options.ts';
import { outlineOf } from './outline.ts';

/** Longest text in characters: a line or a paragraph, not a page. */
const maximumCharacters = 500;
const textError = `expected 1 to ${maximumCharacters} characters of visible text`;
const fontError = 'expected the name of a font family such as sans, serif, monospace or DejaVu Sans';

const schema = z.strictObject({
	text: z
		.string({ error: textError })
		.max(maximumCharacters, { error: textError })
		.regex(/\S/u, { error: textError })
		// Line breaks and tabs are text; other control characters are not.
		.regex(/^[^\p{Cc}\p{Cs}\p{Co}\p{Cn}]*(?:[\n\t][^\p{Cc}\p{Cs}\p{Co}\p{Cn}]*)*$/u, { error: textError })
		.describe('Text to write, without markup. Line breaks are kept and long lines are wrapped.'),
	font: z
		.string({ error: fontError })
		.regex(/^[\p{L}\p{N}][\p{L}\p{N} _.-]{0,62}$/u, { error: fontError })
		.default('sans')
		.describe(
			'Font family that is installed on the machine (`fc-list : family`). A missing one is replaced by the closest match.',
		),
	weight: z.enum(['normal', 'bold']).default('normal').describe('Font weight.'),
	italic: z.boolean().default(false).describe('Italic letters.'),
	size: length(4, "the picture's height")
		.default('6%')
		.describe('Font size: pixels, or a share such as `6%`. Reduced if the text does not fit into its box.'),
	colour: colour().default('#ffffff').describe('Text colour.'),
	align: z.enum(['left', 'centre', 'right']).default('left').describe('Alignment of the lines within the box.'),
	width: length(1, "the picture's width").optional().describe('Width of the box; that of the text when absent.'),
	height: length(1, "the picture's height").optional().describe('Height of the box; that of the text when absent.'),
	padding: length(0, "the picture's height").default(0).describe('Space between the text and the edge of its box.'),
	background: colour().optional().describe('Background colour of the box; none when absent.'),
	outline: z
		.strictObject({
			width: integer(1, 20).describe('Width of the outline in pixels.'),
			colour: colour().default('#000000').describe('Colour of the outline.'),
		})
		.optional()
		.describe('Outline of the letters, which keeps them legible on any picture.'),
	position: place().default('bottom').describe('Where the box is placed.'),
	...whereOptions,
});
type TextOptions = z.infer<typeof schema>;

/**
 * Writes text on the picture.
 *
 * @example { text: { text: '© Ann Example', size: '5%', position: 'right bottom', padding: 12, background: '#00000080' } }
 */
export const text: Operation<TextOptions> = {
	name: 'text',
	doc: 'Writes text on the picture, with or without a box, in a font that is installed on the machine.',
	schema: schema as z.ZodType<TextOptions>,
	example: {
		text: 'Fish & <chips>',
		size: 40,
		weight: 'bold',
		colour: '#ffd166',
		padding: 16,
		background: '#00000099',
		y: 24,
	},
	predict: (input) => ({ output: input }),

	async apply(image, options, input) {
		const overlay = placed(await box(input, options), input, options);
		return overlay ? image.composite([overlay]) : image;
	},
};

/** The box with its text. */
async function box(input: Size, options: TextOptions): Promise<Layer> {
	// Space around the letters, limited so that the box does not outgrow the picture.
	const wanted = pixelsOf(options.padding, input.height) + (options.outline?.width ?? 0);
	const edge = Math.min(wanted, Math.floor((Math.min(input.width, input.height) - 1) / 2));
	const inside = (length: TextOptions['width'], side: number) =>
		Math.max(1, Math.min(side, length === undefined ? side : pixelsOf(length, side)) - 2 * edge);
	const room = { width: inside(options.width, input.width), height: inside(options.height, input.height) };
	const style: TextStyle = { ...options, size: Math.max(4, pixelsOf(options.size, input.height)) };
	const letters = await drawText(options.text, style, room);
	const size = {
		width: (options.width === undefined ? Math.min(letters.width, room.width) : room.width) + 2 * edge,
		height: (options.height === undefined ? Math.min(letters.height, room.height) : room.height) + 2 * edge,
	};
	const where = { position: options.align, x: options.align === 'centre' ? 0 : edge, y: 0 } as const;
	const layers = [await spread(letters, size, where)];
	if (options.outline) layers.unshift(outlineOf(layers[0] as Layer, options.outline.width, options.outline.colour));
	return { ...size, data: await flat(layers, size, options.background) };
}

/** Places a layer in a larger transparent one. */
async function spread(layer: Layer, size: Size, where: Parameters<typeof placed>[2]): Promise<Layer> {
	const overlay = placed(layer, size, where);
	return { ...size, data: await flat(overlay ? [overlay] : [], size) };
}

type Part = Layer | NonNullable<ReturnType<typeof placed>>;

/** Merges layers over a colour. */
async function flat(parts: readonly Part[], size: Size, background = '#00000000'): Promise<Buffer> {
	const sharp = await loadSharp();
	const [r, g, b] = channelsOf(background);
	return sharp({ create: { ...size, channels: 4, background: { r, g, b, alpha: opacityOf(background) } } })
		.composite(
			parts.map((part) =>
				'data' in part
					? { input: part.data, raw: { width: part.width, height: part.height, channels: 4 as const } }
					: part,
			),
		)
		.raw()
		.toBuffer();
}

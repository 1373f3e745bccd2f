import type { OverlayOptions, Sharp } from 'sharp';
import * as z from 'zod';
import { blendModes, type Layer, type LayerPart, placed, visiblePart, whereOptions } from './layer.ts';
import { loadSharp } from './load-sharp.ts';
import type { Asset, Operation, Size } from './operation.ts';
import { integer, type Length, length, maximumSide, number, pixelsOf, place } from './options.ts';

const pictureError = 'expected the plain name of a file in PICPIPE_ASSETS, or the id of a picture';

const side = integer(1, maximumSide);

const schema = z.strictObject({
	picture: z
		.string({ error: pictureError })
		// No path, no hidden file, no name that a file system reads differently.
		.regex(/^[\p{L}\p{N}_](?:[\p{L}\p{N}_. -]{0,98}[\p{L}\p{N}_-])?$/u, { error: pictureError })
		.describe('Name of a file in the folder `PICPIPE_ASSETS`, or id of a stored picture, whose original is used.'),
	position: place()
		.default('right bottom')
		.describe('Where the watermark is placed; with `tile`, where the first one is placed.'),
	...whereOptions,
	scale: z
		.union([number(0.01, 1), z.literal('own')], { error: 'expected a number from 0.01 to 1, or "own"' })
		.default(0.25)
		.describe(
			'Maximum size as a share of the width and height of the picture, or `own` for its own size. The aspect ratio is kept.',
		),
	width: side.optional().describe('Width in pixels; with `height`, the watermark fits into both. Replaces `scale`.'),
	height: side.optional().describe('Height in pixels. Replaces `scale`.'),
	opacity: number(0, 1).default(1).describe('Opacity factor: 0 is invisible, 1 changes nothing.'),
	blend: z.enum(blendModes).default('over').describe('Blend mode; `over` covers the picture.'),
	tile: z
		.boolean()
		.default(false)
		.describe('Repeat the watermark over the whole picture; `x` and `y` have no effect then.'),
	gap: length(0, 'the watermark')
		.default(0)
		.describe('With `tile`: space between watermarks, in pixels or as a share of their own size.'),
	gapBelow: length(0, "the watermark's height")
		.optional()
		.describe('With `tile`: vertical space between watermarks; that of `gap` when absent.'),
});
type WatermarkOptions = z.infer<typeof schema>;

/** Positions as sharp names them. */
const gravities: Readonly<Record<WatermarkOptions['position'], string>> = {
	centre: 'centre',
	center: 'centre',
	top: 'north',
	'right top': 'northeast',
	right: 'east',
	'right bottom': 'southeast',
	bottom: 'south',
	'left bottom': 'southwest',
	left: 'west',
	'left top': 'northwest',
};

/**
 * Lays another picture over the picture: a logo in a corner, or one that repeats.
 *
 * @example { watermark: { picture: 'logo.png', position: 'right bottom', x: '3%', y: '3%', scale: 0.2, opacity: 0.7 } }
 */
export const watermark: Operation<WatermarkOptions> = {
	name: 'watermark',
	doc: 'Lays another picture over the picture, once or repeated: a file in the folder `PICPIPE_ASSETS` or a stored picture.',
	schema: schema as z.ZodType<WatermarkOptions>,
	example: { picture: 'logo.png', x: '3%', y: '3%', scale: 0.3, opacity: 0.8 },

	assets: ({ picture }) => [picture],
	predict: (input) => ({ output: input }),

	async apply(image, options, input, assets) {
		const asset = assets.get(options.picture);
		if (!asset) throw new TypeError(`Expected the picture ${options.picture} to be there.`);
		const size = sizeOf(asset, input, options);
		const overlay = options.tile ? await tiles(asset, size, input, options) : await once(asset, size, input, options);
		return overlay ? image.composite([{ ...overlay, blend: options.blend }]) : image;
	},
};

/** Size of the whole watermark. */
function sizeOf(asset: Asset, input: Size, { scale, width, height }: WatermarkOptions): Size {
	const isSized = width !== undefined || height !== undefined;
	const share = scale === 'own' ? 1 : scale;
	const room = isSized
		? { width: width ?? Number.POSITIVE_INFINITY, height: height ?? Number.POSITIVE_INFINITY }
		: { width: input.width * share, height: input.height * share };
	const isOwn = !isSized && scale === 'own';
	const factor = isOwn ? 1 : Math.min(room.width / asset.width, room.height / asset.height);
	return {
		width: Math.max(1, Math.round(asset.width * factor)),
		height: Math.max(1, Math.round(asset.height * factor)),
	};
}

async function once(
	asset: Asset,
	size: Size,
	input: Size,
	options: WatermarkOptions,
): Promise<OverlayOptions | undefined> {
	const visible = visiblePart(size, input, options);
	if (!visible) return undefined;
	const { data, width, height } = await drawn(asset, size, visible.part, options);
	return { input: data, raw: { width, height, channels: 4 }, left: visible.left, top: visible.top };
}

/** The visible part of the scaled watermark; the rest is never rendered, however large it would be. */
async function drawn(
	asset: Asset,
	{ width, height }: Size,
	part: LayerPart,
	{ opacity }: WatermarkOptions,
): Promise<Layer> {
	const opened = await open(asset);
	const data = await opened
		.resize({ width, height, fit: 'fill' })
		.extract(part)
		// Half a step more, because libvips truncates fractions.
		.linear([1, 1, 1, opacity], [0, 0, 0, opacity < 1 ? 0.5 : 0])
		.raw()
		.toBuffer();
	return { data, width: part.width, height: part.height };
}

/** Adds space on the right and at the bottom, which separates one watermark from the next. */
async function withGap(layer: Layer, input: Size, gap: Length, gapBelow: Length): Promise<Layer> {
	// With a larger gap the next one would be outside of the picture anyway.
	const right = Math.min(pixelsOf(gap, layer.width), input.width);
	const bottom = Math.min(pixelsOf(gapBelow, layer.height), input.height);
	if (right === 0 && bottom === 0) return layer;
	const opened = await open(layer);
	const data = await opened
		.extend({ right, bottom, background: { r: 0, g: 0, b: 0, alpha: 0 } })
		.raw()
		.toBuffer();
	return { data, width: layer.width + right, height: layer.height + bottom };
}

async function tiles(
	asset: Asset,
	size: Size,
	input: Size,
	options: WatermarkOptions,
): Promise<OverlayOptions | undefined> {
	const { position, gap, gapBelow = gap } = options;
	const part = {
		left: 0,
		top: 0,
		width: Math.min(size.width, input.width),
		height: Math.min(size.height, input.height),
	};
	const layer = await withGap(await drawn(asset, size, part, options), input, gap, gapBelow);
	const within = placed(
		layer,
		{ width: Math.min(layer.width, input.width), height: Math.min(layer.height, input.height) },
		{
			position: 'left top',
			x: 0,
			y: 0,
		},
	);
	const { left: _left, top: _top, ...tile } = within ?? {};
	return within && { ...tile, tile: true, gravity: gravities[position] };
}

async function open({ data, width, height }: Layer): Promise<Sharp> {
	const sharp = await loadSharp();
	return sharp(data, { raw: { width, height, channels: 4 }, limitInputPixels: maximumSide * maximumSide });
}

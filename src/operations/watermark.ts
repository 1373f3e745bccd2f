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
		// No path, no hidden file, nothing that a file system takes for something else.
		.regex(/^[\p{L}\p{N}_](?:[\p{L}\p{N}_. -]{0,98}[\p{L}\p{N}_-])?$/u, { error: pictureError })
		.describe(
			'A file in the folder `PICPIPE_ASSETS`, by its plain name, or the id of a stored picture, whose original is taken.',
		),
	position: place().default('right bottom').describe('Where it stands; with `tile`, where the first one stands.'),
	...whereOptions,
	scale: z
		.union([number(0.01, 1), z.literal('own')], { error: 'expected a number from 0.01 to 1, or "own"' })
		.default(0.25)
		.describe(
			'How large it is at most: a share of the width and of the height of the picture; `own` for as large as it is. Its shape stays.',
		),
	width: side.optional().describe('Instead of `scale`: its width, pixels; with `height` too it fits into both.'),
	height: side.optional().describe('Instead of `scale`: its height, pixels.'),
	opacity: number(0, 1).default(1).describe('Factor: 0 is invisible, 1 leaves it as it is.'),
	blend: z.enum(blendModes).default('over').describe('How it is mixed with the picture; `over` covers it.'),
	tile: z.boolean().default(false).describe('Again and again, over all of the picture; `x` and `y` mean nothing then.'),
	gap: length(0, 'the watermark')
		.default(0)
		.describe('With `tile`: room between one and the next, pixels or a share of its own size.'),
	gapBelow: length(0, "the watermark's height")
		.optional()
		.describe('With `tile`: room between one and the next below it; the same as `gap` when absent.'),
});
type WatermarkOptions = z.infer<typeof schema>;

/** What sharp calls the places. */
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
 * Lays another picture over the picture: a logo in a corner, or one that repeats all over it.
 *
 * @example { watermark: { picture: 'logo.png', position: 'right bottom', x: '3%', y: '3%', scale: 0.2, opacity: 0.7 } }
 */
export const watermark: Operation<WatermarkOptions> = {
	name: 'watermark',
	doc: 'Lays another picture over the picture: a file of the folder `PICPIPE_ASSETS` or a stored picture, once or all over.',
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

/** How large the whole watermark is. */
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

/** A part of the scaled watermark: what sticks out of the picture is never there, however large it would be. */
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
		// Half a step more, because libvips cuts fractions off.
		.linear([1, 1, 1, opacity], [0, 0, 0, opacity < 1 ? 0.5 : 0])
		.raw()
		.toBuffer();
	return { data, width: part.width, height: part.height };
}

/** With room to the right and below, which is what lies between one and the next. */
async function withGap(layer: Layer, input: Size, gap: Length, gapBelow: Length): Promise<Layer> {
	// More would put the next one outside of the picture all the same.
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

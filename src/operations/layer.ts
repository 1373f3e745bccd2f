import type { OverlayOptions } from 'sharp';
import { placeIn } from './geometry.ts';
import type { Size } from './operation.ts';
import { type Length, length, maximumSide, type Place, pixelsOf } from './options.ts';

/** A picture to lay over another: 8 bits per channel, four channels with unpremultiplied alpha. */
export interface Layer extends Size {
	readonly data: Buffer;
}

/** Blend modes as sharp names them, limited to those that keep an opaque picture opaque. */
export const blendModes = [
	'over',
	'multiply',
	'screen',
	'overlay',
	'darken',
	'lighten',
	'colour-dodge',
	'colour-burn',
	'hard-light',
	'soft-light',
	'difference',
	'exclusion',
	'add',
] as const;

/** Options for the place of a layer. */
export const whereOptions = {
	x: length(-maximumSide, "the picture's width")
		.default(0)
		.describe(
			'Horizontal distance from the side that `position` names; from the centre to the right. Pixels, or a share such as `3%`.',
		),
	y: length(-maximumSide, "the picture's height")
		.default(0)
		.describe('Vertical distance from the top or bottom; from the centre downwards.'),
};

export interface Where {
	readonly position: Place;
	readonly x: Length;
	readonly y: Length;
}

/** A part of a layer, in its own pixels. */
export interface LayerPart extends Size {
	readonly left: number;
	readonly top: number;
}

/** The part of a layer that lies within the picture, and its place there. Undefined if no part does. */
export function visiblePart(
	layer: Size,
	picture: Size,
	{ position, x, y }: Where,
): { readonly part: LayerPart; readonly left: number; readonly top: number } | undefined {
	const start = placeIn(picture, layer, position);
	const left = start.left + pixelsOf(x, picture.width) * (position.includes('right') ? -1 : 1);
	const top = start.top + pixelsOf(y, picture.height) * (position.includes('bottom') ? -1 : 1);
	const from = { left: Math.max(0, -left), top: Math.max(0, -top) };
	const width = Math.min(layer.width, picture.width - left) - from.left;
	const height = Math.min(layer.height, picture.height - top) - from.top;
	if (width <= 0 || height <= 0) return undefined;
	return { part: { ...from, width, height }, left: Math.max(0, left), top: Math.max(0, top) };
}

/** The layer at its place, cropped to the picture. Undefined if no part is visible. */
export function placed(layer: Layer, picture: Size, where: Where): OverlayOptions | undefined {
	const visible = visiblePart(layer, picture, where);
	if (!visible) return undefined;
	const { part, left, top } = visible;
	const isWhole = part.width === layer.width && part.height === layer.height;
	const raw = { width: part.width, height: part.height, channels: 4 } as const;
	return { input: isWhole ? layer.data : cut(layer, part), raw, left, top };
}

function cut(layer: Layer, { left, top, width, height }: LayerPart): Buffer {
	const data = Buffer.allocUnsafe(width * height * 4);
	for (let row = 0; row < height; row++) {
		const from = ((top + row) * layer.width + left) * 4;
		layer.data.copy(data, row * width * 4, from, from + width * 4);
	}
	return data;
}

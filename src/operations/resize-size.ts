import { roundToEven } from './geometry.ts';
import type { Size } from './operation.ts';
import type { Length } from './options.ts';
import type { ResizeOptions } from './resize-options.ts';

/** Resolves the options of `resize` to numbers for a picture of a known size. */

type Fit = Exclude<ResizeOptions['fit'], 'auto'>;

/** Options in pixels of the result, independent of the picture. */
export interface Sized extends Omit<ResizeOptions, 'width' | 'height' | 'fit' | 'dpr' | 'minDpr' | 'orSmaller'> {
	readonly width?: number | undefined;
	readonly height?: number | undefined;
	readonly fit: Fit;
}

/** Resolves options for a picture. Resolving the result again changes nothing. */
export function sizedFor(input: Size, asked: ResizeOptions): Sized {
	const { dpr = 1, minDpr = dpr, orSmaller = false, ...options } = asked;
	const page: Partial<Size> = { ...sideOf('width', input, options.width), ...sideOf('height', input, options.height) };
	const fit = options.fit === 'auto' ? automatic(input, page) : options.fit;
	const density = minDpr < dpr ? densityFor(input, page, fit, { dpr, minDpr }) : dpr;
	// Options that were resolved before may be fractions.
	const times = (pixels: number | undefined) =>
		pixels && (density === 1 ? pixels : Math.max(1, Math.round(pixels * density)));
	// A share refers to the picture, not to the page. A single share is a scale and is not rounded.
	const isScale = (page.width === undefined || page.height === undefined) && fit !== 'contain';
	const whole = (pixels: number | undefined) => pixels && (isScale ? pixels : Math.max(1, Math.round(pixels)));
	const side = (name: 'width' | 'height') => (isShare(options[name]) ? whole(page[name]) : times(page[name]));
	const moved = (length: Length | undefined) => (typeof length === 'number' ? roundToEven(length * density) : length);
	const sized: Sized = {
		...options,
		fit,
		width: side('width'),
		height: side('height'),
		...(options.minWidth !== undefined && { minWidth: times(options.minWidth) }),
		...(options.minHeight !== undefined && { minHeight: times(options.minHeight) }),
		...(options.x !== undefined && { x: moved(options.x) }),
		...(options.y !== undefined && { y: moved(options.y) }),
	};
	return orSmaller ? smaller(input, sized) : sized;
}

function isShare(length: Length | undefined): boolean {
	return typeof length === 'string';
}

function sideOf(name: 'width' | 'height', input: Size, length: Length | undefined): Partial<Size> {
	if (length === undefined) return {};
	return { [name]: typeof length === 'number' ? length : (input[name] * Number.parseFloat(length)) / 100 };
}

/** Both landscape or both portrait: cover. A missing side is that of the picture. */
function automatic(input: Size, { width = input.width, height = input.height }: Partial<Size>): Fit {
	return input.width >= input.height === width >= height ? 'cover' : 'inside';
}

/** The highest density that the picture has enough pixels for, between `minDpr` and `dpr`. */
function densityFor(
	input: Size,
	page: Partial<Size>,
	fit: Fit,
	{ dpr, minDpr }: { readonly dpr: number; readonly minDpr: number },
): number {
	const both = [page.width && input.width / page.width, page.height && input.height / page.height];
	const possible = both.filter((density) => density !== undefined);
	const isWithin = fit === 'inside' || fit === 'contain';
	const most = isWithin ? Math.max(...possible) : Math.min(...possible);
	return Math.max(minDpr, Math.min(dpr, most));
}

/** A smaller size of the same aspect ratio, if the picture has too few pixels. */
function smaller(input: Size, options: Sized): Sized {
	const isWhole = options.fit === 'fill';
	const width = options.width ?? (isWhole ? input.width : undefined);
	const height = options.height ?? (isWhole ? input.height : undefined);
	const share = Math.min(1, input.width / (width ?? 1), input.height / (height ?? 1));
	// A result that is enlarged to its minimum sides keeps its aspect ratio, however small it is before.
	const isEnlarged = options.minWidth !== undefined || options.minHeight !== undefined;
	const pixelsFor = (pixels: number) => (isEnlarged ? pixels * share : Math.max(1, Math.round(pixels * share)));
	const side = (pixels: number | undefined) => pixels && pixelsFor(pixels);
	return { ...options, width: side(width), height: side(height), withoutEnlargement: true };
}

/** Size of the whole scaled picture, before `cover` crops and `contain` pads. Rounds like libvips. */
export function scaledSize(input: Size, options: Sized): Size {
	let [horizontal, vertical] = scales(input, options);
	if (options.withoutEnlargement) [horizontal, vertical] = [Math.min(1, horizontal), Math.min(1, vertical)];
	const { minWidth = 0, minHeight = 0 } = options;
	const more = Math.max(1, minWidth / (input.width * horizontal), minHeight / (input.height * vertical));
	return {
		width: Math.max(1, Math.round(input.width * horizontal * more)),
		height: Math.max(1, Math.round(input.height * vertical * more)),
	};
}

export function scales(input: Size, { width, height, fit }: Sized): [number, number] {
	const horizontal = width === undefined ? undefined : width / input.width;
	const vertical = height === undefined ? undefined : height / input.height;
	if (fit === 'fill') return [horizontal ?? 1, vertical ?? 1];
	if (horizontal === undefined || vertical === undefined) {
		const scale = horizontal ?? vertical ?? 1;
		return [scale, scale];
	}
	const scale = fit === 'cover' || fit === 'outside' ? Math.max(horizontal, vertical) : Math.min(horizontal, vertical);
	return [scale, scale];
}

/** Size after cropping or padding; undefined when the scaled picture is the result. */
export function frameOf(scaled: Size, { width, height, fit }: Sized): Size | undefined {
	if (fit === 'contain') return { width: width ?? scaled.width, height: height ?? scaled.height };
	if (width === undefined || height === undefined) return undefined;
	if (fit === 'cover') return { width: Math.min(width, scaled.width), height: Math.min(height, scaled.height) };
	return undefined;
}

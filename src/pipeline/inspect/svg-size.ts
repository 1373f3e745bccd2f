import { corrupt } from './classify-error.ts';
import type { PictureLimits } from './limits.ts';

/** The natural size of an SVG, computed like in browsers (CSS Images 3, 5; SVG 2, 8.2). */

/** Largest side that the renderer supports, in pixels. */
export const maximumSvgSide = 32_767;

/** CSS pixels of each unit (CSS Values 4, 6): 96 to an inch, 16 for the default font size. */
const pixelsPerUnit: Readonly<Record<string, number>> = {
	'': 1,
	px: 1,
	in: 96,
	cm: 96 / 2.54,
	mm: 96 / 25.4,
	q: 96 / 101.6,
	pt: 96 / 72,
	pc: 16,
	em: 16,
	rem: 16,
	ex: 8,
	ch: 8,
};

/** Attributes of the root element, by name. */
type Attributes = Readonly<Record<string, string | undefined>>;

interface Lengths {
	readonly width: number;
	readonly height: number;
}

/** Lengths that the root element specifies. */
interface Written {
	readonly width: number | undefined;
	readonly height: number | undefined;
}

/** The size where an SVG does not say (CSS Images 3, 5.2; CSS 2, 10.3.2), as in Chromium. */
const defaultSize: Lengths = { width: 300, height: 150 };

/**
 * The size and view box of the root element as numbers for the renderer, reduced to the limits and at least one pixel.
 *
 * @throws PicpipeError `corrupt-picture` if one of the lengths is 0
 */
export function fitSize(root: Attributes, limits: PictureLimits): Record<string, string> {
	const box = viewBoxOf(root.viewBox);
	const written = { width: lengthOf(root.width), height: lengthOf(root.height) };
	const { width, height } = naturalSize(written, box);
	if (width === 0 || height === 0) throw corrupt('The picture has no width or no height.', 'inspect');
	const side = Math.min(limits.maxDimension, maximumSvgSide);
	const most = Math.min(1, side / Math.max(width, height), Math.sqrt((limits.maxMegapixels * 1e6) / (width * height)));
	// Rounding must not exceed the limit again.
	const scale = most < 1 ? most * (1 - 1e-4) : Math.max(1, 1 / Math.min(width, height));
	const fitted = (length: number) => String(Math.min(side, Math.max(1, length * scale)));
	return {
		width: fitted(width),
		height: fitted(height),
		viewBox: root.viewBox !== undefined && box ? root.viewBox : `0 0 ${width} ${height}`,
	};
}

function naturalSize({ width, height }: Written, box: Lengths | undefined): Lengths {
	if (!box || (width !== undefined && height !== undefined))
		return { width: width ?? defaultSize.width, height: height ?? defaultSize.height };
	if (width !== undefined) return { width, height: (width * box.height) / box.width };
	if (height !== undefined) return { width: (height * box.width) / box.height, height };
	return box;
}

/** A length in CSS pixels, 0 for a negative one; undefined if it is missing, invalid or a percentage. */
function lengthOf(text: string | undefined): number | undefined {
	const [, digits, unit = ''] = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?)([a-z]*)\s*$/i.exec(text ?? '') ?? [];
	const pixels = Number(digits) * (pixelsPerUnit[unit.toLowerCase()] ?? Number.NaN);
	return Number.isFinite(pixels) ? Math.max(0, pixels) : undefined;
}

function viewBoxOf(text: string | undefined): Lengths | undefined {
	const numbers =
		text
			?.trim()
			.split(/[\s,]+/)
			.map(Number) ?? [];
	const [x, y, width = 0, height = 0] = numbers;
	if (numbers.length !== 4 || !Number.isFinite(x) || !Number.isFinite(y)) return undefined;
	return isUsable(width) && isUsable(height) ? { width, height } : undefined;
}

function isUsable(length: number): boolean {
	return Number.isFinite(length) && length > 0;
}

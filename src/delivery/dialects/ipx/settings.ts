import type { Kernel, Size } from '../../../operations/operation.ts';
import type { Place } from '../../../operations/options.ts';
import type { Colour } from './colours.ts';

export const fits = ['contain', 'cover', 'fill', 'inside', 'outside'] as const;
export type Fit = (typeof fits)[number];
export type Position = Place | 'attention' | 'entropy';

/** A part of a picture, pixels. */
export interface Area extends Size {
	readonly left: number;
	readonly top: number;
}

/**
 * What modifiers have come to, all of them together. ipx calls sharp once for each, and sharp keeps what was said last and does all of
 * it in an order of its own; so what a modifier means may depend on the others, and this holds what sharp would hold.
 */
export interface Settings {
	/** Said once for whichever modifier needs it. */
	readonly quality?: number | undefined;
	readonly fit?: Fit | undefined;
	readonly position?: Position | undefined;
	readonly background?: Colour | undefined;
	readonly kernel?: Kernel | undefined;
	readonly enlarge?: boolean;

	/** Turned before everything else, and not after the scaling. */
	readonly turnsFirst?: boolean;
	/** Degrees clockwise, from 0 to less than 360. */
	readonly angle?: number;
	readonly flip?: boolean;
	readonly flop?: boolean;
	/** How far a pixel may differ from the first one and still be removed. */
	readonly trim?: number;
	/** Cut before the scaling, and after it. */
	readonly cutFirst?: Area;
	readonly cutLast?: Area;
	readonly resize?: Resize;
	readonly extend?: Extend;

	readonly flatten?: boolean;
	/** Darkened by the first before the scaling, lightened by the second afterwards. */
	readonly gamma?: { readonly before: number; readonly after: number };
	readonly grayscale?: boolean;
	readonly median?: number;
	/** 0 is none. */
	readonly threshold?: number;
	/** Sigma. */
	readonly blur?: number;
	readonly brightness?: number;
	readonly saturation?: number;
	readonly hue?: number;
	readonly lightness?: number;
	readonly sharpen?: Readonly<Record<string, number>>;
	readonly opacity?: number;
	readonly normalise?: { readonly lower: number; readonly upper: number };
	readonly clahe?: { readonly width: number; readonly height: number; readonly maxSlope: number };
	readonly tint?: Colour;
	/** Its value says whether opacity is turned around too, and whether the address said so. */
	readonly negate?: 'colours' | 'opacity' | 'unsaid';
}

export interface Resize {
	readonly width?: number | undefined;
	readonly height?: number | undefined;
	readonly fit?: Fit | undefined;
	readonly position?: Position | undefined;
	readonly kernel?: Kernel | undefined;
	readonly withoutEnlargement?: boolean;
}

export const materials = ['background', 'copy', 'repeat', 'mirror'] as const;

export interface Extend {
	readonly top: number;
	readonly right: number;
	readonly bottom: number;
	readonly left: number;
	readonly with: (typeof materials)[number];
}

/** What one modifier does to them: it sets some, or it looks at the others and at the size of the picture, upright. */
export type Change = Settings | ((settings: Settings, picture: Size) => Settings);

/** Has a size been asked for so far? */
export function isSized({ resize }: Settings): boolean {
	return resize?.width !== undefined || resize?.height !== undefined;
}

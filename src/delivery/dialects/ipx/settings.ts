import type { Kernel, Size } from '../../../operations/operation.ts';
import type { Place } from '../../../operations/options.ts';
import type { HexColour } from '../shared/colours.ts';
import type { AddSteps } from '../shared/step-list.ts';

export const fits = ['contain', 'cover', 'fill', 'inside', 'outside'] as const;
type Fit = (typeof fits)[number];
export type Position = Place | 'attention' | 'entropy';

/** A part of a picture, pixels. */
export interface Area extends Size {
	readonly left: number;
	readonly top: number;
}

/**
 * The combined settings of all modifiers. ipx calls sharp once for each modifier; sharp keeps the last value of each setting and has a
 * processing order of its own. So a modifier can depend on the others, and this holds the settings that sharp would hold.
 */
export interface Settings {
	/** Shared by all modifiers that need it. */
	readonly quality?: number | undefined;
	readonly fit?: Fit | undefined;
	readonly position?: Position | undefined;
	readonly background?: HexColour | undefined;
	readonly kernel?: Kernel | undefined;
	readonly enlarge?: boolean;

	/** Rotate before everything else instead of after scaling. */
	readonly turnsFirst?: boolean;
	/** Degrees clockwise, from 0 to less than 360. */
	readonly angle?: number;
	readonly flip?: boolean;
	readonly flop?: boolean;
	/** Tolerance for trimmed pixels, compared with the first pixel. */
	readonly trim?: number;
	/** Crops before and after scaling. */
	readonly cutFirst?: Area;
	readonly cutLast?: Area;
	readonly resize?: IpxResize;
	readonly extend?: Extend;

	readonly flatten?: boolean;
	/** Darkens the picture before scaling; 1 is no change. */
	readonly gammaBefore?: number;
	readonly grayscale?: boolean;
	readonly brightness?: number;
	readonly saturation?: number;
	readonly hue?: number;
	readonly lightness?: number;
	/** Steps of modifiers that make their own, by the long name of the modifier. */
	readonly filters?: ReadonlyMap<string, AddSteps<Settings> | undefined>;
}

export interface IpxResize {
	readonly width?: number | undefined;
	readonly height?: number | undefined;
	readonly fit?: Fit | undefined;
	readonly position?: Position | undefined;
	readonly kernel?: Kernel | undefined;
	readonly withoutEnlargement?: boolean;
}

export const materials = ['background', 'copy', 'repeat', 'mirror'] as const;

interface Extend {
	readonly top: number;
	readonly right: number;
	readonly bottom: number;
	readonly left: number;
	readonly with: (typeof materials)[number];
}

/** The settings that a modifier sets; a function if they depend on the others and on the size of the upright picture. */
export type SettingsChange = Settings | ((settings: Settings, picture: Size) => Settings);

/** Whether a size has been set so far. */
export function isSized({ resize }: Settings): boolean {
	return resize?.width !== undefined || resize?.height !== undefined;
}

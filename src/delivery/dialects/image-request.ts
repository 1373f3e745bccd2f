import type { ColourOption, MetadataOption } from '../../domain/output.ts';

/** What a URL asks for, in whatever dialect it is written: dialects make it, delivery serves it. */
export interface ImageRequest {
	readonly source: ImageSource;
	readonly target: ImageTarget;
	/** When the URL expires, seconds since 1970. */
	readonly expiresAt?: number;
	/** Name for saving the image, without the extension: delivery adds that of the format served. */
	readonly filename?: string;
	/** Browsers save the image and do not show it. */
	readonly isAttachment?: boolean;
}

/** A URL that was read and may be served. */
export interface ImageUrl {
	readonly image: ImageRequest;
	/** Signed with a key of this installation. */
	readonly isSigned: boolean;
}

/** A stored picture, or a remote one, which is stored on its first request. */
export type ImageSource = { readonly id: string } | { readonly url: string };

/** What is made of the source. */
export type ImageTarget =
	/** The original, as it was received. */
	| { readonly kind: 'original' }
	/** A variant that a recipe made. */
	| ({ readonly kind: 'variant' } & VariantTarget)
	/** An image made on demand. */
	| { readonly kind: 'render'; readonly plan: (source: SourceFacts) => RenderPlan };

/** A variant of the recipe that a picture was processed with. */
export interface VariantTarget {
	readonly name: string;
	/** Name of an encoder; the first encoding of the variant when absent. */
	readonly format?: string;
}

/** What is known of a picture before it is decoded. */
export interface SourceFacts {
	/** Pixels, after the EXIF orientation was applied. */
	readonly width: number;
	readonly height: number;
	/** Frames of an animation, pages of a TIFF. */
	readonly frames: number;
	readonly alpha: boolean;
	/** The EXIF orientation that was applied, 1 to 8; 1 when absent. */
	readonly orientation?: number;
	/** As it was received: `jpeg`, `png`, `heic`, `svg`, ... */
	readonly format: string;
}

/** Formats that a render may be written in, as encoders are named. */
export const renderFormats = ['avif', 'webp', 'jpeg', 'png', 'gif', 'tiff'] as const;
export type RenderFormat = (typeof renderFormats)[number];

/** One variant of a recipe, in the words of recipes; `pipeline/recipe/parse-recipe.ts` checks it. */
export interface RenderPlan {
	/** Of a TIFF, or the frame of an animation as a still, counted from 1. */
	readonly page?: number;
	/** The picture stays as it lies in the file, whatever its EXIF says. */
	readonly orient?: false;
	/** Operations as recipes write them, one after the other. */
	readonly steps: readonly Readonly<Record<string, unknown>>[];
	/** `auto`: the best that the one who asks can show. `source`: that of the original, if it can be written, else the nearest. */
	readonly format: RenderFormat | 'auto' | 'source';
	/** Options of the encoder. */
	readonly encode?: (format: RenderFormat) => Readonly<Record<string, unknown>>;
	readonly metadata?: MetadataOption;
	readonly colour?: ColourOption;
	/** Nothing of it is to be done: the original is wanted as it was received. */
	readonly isUnneeded?: boolean;
}

/** Shorthands of the installation: a name, and what it stands for in the dialect's own words. */
export type Presets = ReadonlyMap<string, string>;

export interface DialectOptions {
	readonly presets: Presets;
	/** URLs may name presets and nothing else. */
	readonly presetsOnly?: boolean;
}

import type { ColourOption, MetadataOption } from '../../domain/output.ts';

/** The request of an image URL in any dialect. A dialect creates it; delivery serves it. */
export interface ImageRequest {
	readonly source: ImageSource;
	readonly target: ImageTarget;
	/** When the URL expires, seconds since 1970. */
	readonly expiresAt?: number;
	/** File name for saving the image, without the extension; delivery adds that of the served format. */
	readonly filename?: string;
	/** Browsers save the image instead of showing it. */
	readonly isAttachment?: boolean;
}

/** A valid URL that may be served. */
export interface ImageUrl {
	readonly image: ImageRequest;
	/** Signed with a key of this installation. */
	readonly isSigned: boolean;
}

/** A stored picture, or a remote one, which is stored on its first request. */
export type ImageSource = { readonly id: string } | { readonly url: string };

/** The requested image. */
export type ImageTarget =
	/** The original as received. */
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

/** Facts about a picture that are known before it is decoded. */
export interface SourceFacts {
	/** Pixels, after applying the EXIF orientation. */
	readonly width: number;
	readonly height: number;
	/** Frames of an animation, pages of a TIFF. */
	readonly frames: number;
	readonly alpha: boolean;
	/** The EXIF orientation that was applied, 1 to 8; 1 if absent. */
	readonly orientation?: number;
	/** Format of the original: `jpeg`, `png`, `heic`, `svg`, ... */
	readonly format: string;
}

/** Output formats of renders, by encoder name. */
export const renderFormats = ['avif', 'webp', 'jpeg', 'png', 'gif', 'tiff'] as const;
export type RenderFormat = (typeof renderFormats)[number];

/** One variant in the form of a recipe; `pipeline/recipe/parse-recipe.ts` checks it. */
export interface RenderPlan {
	/** Page of a TIFF, or frame of an animation as a still; starts at 1. */
	readonly page?: number;
	/** Keep the orientation of the stored pixels and ignore EXIF. */
	readonly orient?: false;
	/** Operations in recipe form, in order. */
	readonly steps: readonly Readonly<Record<string, unknown>>[];
	/** `auto`: the best format that the client accepts. `source`: the original's format, or the nearest one that can be written. */
	readonly format: RenderFormat | 'auto' | 'source';
	/** Options of the encoder. */
	readonly encode?: (format: RenderFormat) => Readonly<Record<string, unknown>>;
	readonly metadata?: MetadataOption;
	readonly colour?: ColourOption;
	/** No processing: the original is served as received. */
	readonly isUnneeded?: boolean;
}

/** Presets of the installation: a name and its definition in the dialect's own syntax. */
export type Presets = ReadonlyMap<string, string>;

export interface DialectOptions {
	readonly presets: Presets;
	/** Whether URLs may contain only presets. */
	readonly presetsOnly?: boolean;
}

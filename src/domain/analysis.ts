import * as z from 'zod';
import { stored } from './stored.ts';

/** The measurements of a picture, by the names that recipes use. */
export const measuredKinds = [
	'thumbhash',
	'blurhash',
	'placeholder',
	'dominant',
	'palette',
	'phash',
	'sharpness',
	'entropy',
	'focus',
	'opaque',
	'exif',
	'gps',
] as const;
/** A kind that the worker measures and the manifest stores. */
export type MeasuredKind = (typeof measuredKinds)[number];

/** All kinds that a recipe can ask for. `element` is not stored: it is built for each response from the current variants. */
export const analysisKinds = [...measuredKinds, 'element'] as const;
export type AnalysisKind = (typeof analysisKinds)[number];

/** `#rrggbb` */
const colour = z.string().regex(/^#[0-9a-f]{6}$/);
/** 0 is the left or top edge, 1 the right or bottom edge. */
const place = z.number().min(0).max(1);

/** A perceptual hash: 64 bits in hex. */
export const phashPattern = /^[0-9a-f]{16}$/;

const shapes = {
	/** Base64 of a ThumbHash (evanw.github.io/thumbhash). */
	thumbhash: z.string(),
	/** A BlurHash (blurha.sh). */
	blurhash: z.string(),
	/** A data URI of a tiny WebP. */
	placeholder: z.string(),
	dominant: colour,
	/** Largest share first. The shares cover the non-transparent pixels and add up to about 1. */
	palette: z.array(stored({ colour, share: z.number().min(0).max(1) })),
	phash: z.string().regex(phashPattern),
	/** Variance of the Laplacian. */
	sharpness: z.number().min(0),
	/** Bits per pixel of the grey values, 0 to 8. */
	entropy: z.number().min(0).max(8),
	focus: stored({ x: place, y: place }),
	opaque: z.boolean(),
	exif: stored({
		make: z.string().optional(),
		model: z.string().optional(),
		lens: z.string().optional(),
		/** Seconds. */
		exposureTime: z.number().optional(),
		/** F-number. */
		aperture: z.number().optional(),
		iso: z.number().optional(),
		/** Millimetres. */
		focalLength: z.number().optional(),
		/** 35 mm equivalent, millimetres. */
		focalLength35: z.number().optional(),
		/** Local time of the camera, ISO 8601; with an offset if the camera recorded one. */
		takenAt: z.string().optional(),
	}),
	gps: stored({
		/** Degrees, north is positive. */
		latitude: z.number().min(-90).max(90),
		/** Degrees, east is positive. */
		longitude: z.number().min(-180).max(180),
		/** Metres above sea level. */
		altitude: z.number().optional(),
	}),
} as const satisfies Record<MeasuredKind, z.ZodType>;

/** The results: the kinds that the recipe asks for and the picture has. */
export const analysisSchema = stored(shapes).partial();
export type Analysis = z.infer<typeof analysisSchema>;

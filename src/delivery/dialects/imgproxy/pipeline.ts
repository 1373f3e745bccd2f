import type { RenderFormat } from '../image-request.ts';
import { centre, type Gravity } from './gravity.ts';

/** What an address says, in imgproxy's terms: one or more pipelines, and what becomes of the result. */

export const resizingTypes = ['fit', 'fill', 'fill-down', 'force', 'auto'] as const;
export type ResizingType = (typeof resizingTypes)[number];

/** Kernels that imgproxy knows; all are kernels of ours. */
export const algorithms = ['nearest', 'linear', 'cubic', 'lanczos2', 'lanczos3'] as const;

export interface Sides {
	top: number;
	right: number;
	bottom: number;
	left: number;
}

export interface Growth {
	isOn: boolean;
	gravity: Gravity;
}

export interface Watermark {
	opacity: number;
	/** A name of a place, or `re`: all over. */
	position: string;
	x: number;
	y: number;
	/** Absent or 0: the size that it has. */
	scale: number;
}

/** Options of one pass over the picture. */
export interface Pipeline {
	resizingType: ResizingType;
	algorithm: (typeof algorithms)[number];
	/** 0 follows from the other one. */
	width: number;
	height: number;
	minWidth: number;
	minHeight: number;
	zoomX: number;
	zoomY: number;
	dpr: number;
	enlarge: boolean;
	extend: Growth;
	extendRatio: Growth;
	gravity: Gravity;
	/** Pixels where 1 or more, shares of the picture where less, 0 is all. */
	crop: { width: number; height: number; gravity?: Gravity };
	cropRatio: { ratio: number; enlarge: boolean };
	trim?: { threshold: number; colour?: string; equal?: 'horizontal' | 'vertical' | 'both' };
	rotate: number;
	flipX: boolean;
	flipY: boolean;
	padding: Sides;
	background?: string;
	backgroundOpacity: number;
	brightness: number;
	contrast: number;
	saturation: number;
	/** Colour of the shades. */
	monochrome?: { colour: string; intensity: number };
	duotone?: { dark: string; light: string; intensity: number };
	blur: number;
	sharpen: number;
	/** Absent for none. `auto` is where the picture is scaled down and not sharpened otherwise. */
	unsharp?: { readonly mode: 'auto' | 'always'; readonly amount: number };
	pixelate: number;
	colorize?: { opacity: number; colour: string; keepAlpha: boolean };
	gradient?: { opacity: number; colour: string; towards?: string; angle?: number; start: number; stop: number };
	watermark?: Watermark;
	watermarkPicture: string;
}

/** The watermark of the installation, a file in `PICPIPE_ASSETS`. */
const defaultWatermark = 'watermark.png';

export function newPipeline(): Pipeline {
	return {
		resizingType: 'fit',
		algorithm: 'lanczos3',
		width: 0,
		height: 0,
		minWidth: 0,
		minHeight: 0,
		zoomX: 1,
		zoomY: 1,
		dpr: 1,
		enlarge: false,
		extend: { isOn: false, gravity: centre },
		extendRatio: { isOn: false, gravity: centre },
		gravity: centre,
		crop: { width: 0, height: 0 },
		cropRatio: { ratio: 0, enlarge: false },
		rotate: 0,
		flipX: false,
		flipY: false,
		padding: { top: 0, right: 0, bottom: 0, left: 0 },
		backgroundOpacity: 1,
		brightness: 0,
		contrast: 1,
		saturation: 1,
		blur: 0,
		sharpen: 0,
		pixelate: 0,
		watermarkPicture: defaultWatermark,
	};
}

export type Format = RenderFormat | 'auto' | 'source';

/** What a quality is looked for, and between which; absent where the address does not say. */
export interface Autoquality {
	readonly goal: { readonly maxBytes: number } | { readonly ssim: number };
	readonly min?: number;
	readonly max?: number;
}

/** How the result is written. */
export interface Output {
	format: Format;
	/** 0 is the default. */
	quality: number;
	formatQuality: Map<string, number>;
	/** 0 is no limit. */
	maxBytes: number;
	autoquality?: Autoquality;
	jpeg: Readonly<Record<string, unknown>>;
	png: Readonly<Record<string, unknown>>;
	webp: Readonly<Record<string, unknown>>;
	avif: Readonly<Record<string, unknown>>;
	stripMetadata: boolean;
	keepCopyright: boolean;
	stripProfile: boolean;
	/** Counted from 0. */
	page: number;
	isStill: boolean;
	/** As its EXIF says, which is what sizes and steps are about. */
	isUpright: boolean;
	/** Formats, as facts name them, that stay as they are. */
	skipped: Set<string>;
}

/** What becomes of the answer; nothing of it changes the picture. */
export interface Handling {
	raw: boolean;
	expiresAt: number;
	filename: string;
	isAttachment: boolean;
	variant?: { name: string; format?: string };
}

/** All of an address but the source. */
export interface Draft {
	readonly pipelines: Pipeline[];
	readonly output: Output;
	readonly handling: Handling;
}

export function newDraft(): Draft {
	return {
		pipelines: [newPipeline()],
		output: {
			format: 'source',
			quality: 0,
			formatQuality: new Map(),
			maxBytes: 0,
			jpeg: {},
			png: {},
			webp: {},
			avif: {},
			stripMetadata: true,
			keepCopyright: false,
			stripProfile: true,
			page: 0,
			isStill: false,
			isUpright: true,
			skipped: new Set(),
		},
		handling: { raw: false, expiresAt: 0, filename: '', isAttachment: false },
	};
}

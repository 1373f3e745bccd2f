import type { Size } from '../../../operations/operation.ts';
import type { RenderFormat } from '../image-request.ts';
import type { AddSteps } from '../shared/step-list.ts';
import { centre, type ImgproxyGravity } from './gravity.ts';

/** The request of a URL in imgproxy's terms: one or more pipelines, and how the result is written and sent. */

export const resizingTypes = ['fit', 'fill', 'fill-down', 'force', 'auto'] as const;
export type ResizingType = (typeof resizingTypes)[number];

/** Kernels of imgproxy; `resize` supports all of them. */
export const algorithms = ['nearest', 'linear', 'cubic', 'lanczos2', 'lanczos3'] as const;

export interface Sides {
	top: number;
	right: number;
	bottom: number;
	left: number;
}

export interface Extension {
	isOn: boolean;
	gravity: ImgproxyGravity;
}

/** Sizes during a pipeline; 0 means no such size. */
export interface PipelineSizes {
	/** The whole picture before cropping. */
	readonly scaled: Size;
	/** The requested size, as far as it can be reached. */
	readonly target: Size;
	/** Largest part of the scaled picture to keep. */
	readonly kept: Size;
	/** The requested shape around the kept part. */
	readonly framed: Size;
	/** Multiplies paddings and offsets. */
	readonly dpr: number;
	/** Whether the picture was scaled down; undefined if only the decoded picture tells. */
	readonly isDown?: boolean;
	/** The requested sides in CSS pixels, if only the decoded picture tells how much of the density it supports. */
	readonly page?: Size;
}

/** State that the steps of one pipeline share. */
export interface PipelineState {
	readonly pipeline: Pipeline;
	/** The picture has no pixels yet: it is drawn at the required size. */
	readonly isVector: boolean;
	/** Set by the resizing step. */
	sizes: PipelineSizes;
	/** Whether the picture could be transparent before it was extended. */
	wasTransparent: boolean;
}

/** Options of one pass over the picture. */
export interface Pipeline {
	resizingType: ResizingType;
	algorithm: (typeof algorithms)[number];
	/** 0 to derive it from the other side. */
	width: number;
	height: number;
	minWidth: number;
	minHeight: number;
	zoomX: number;
	zoomY: number;
	dpr: number;
	enlarge: boolean;
	extend: Extension;
	extendRatio: Extension;
	gravity: ImgproxyGravity;
	/** Pixels from 1 upwards, a share of the picture below 1, the whole side if 0. */
	crop: { width: number; height: number; gravity?: ImgproxyGravity };
	cropRatio: { ratio: number; enlarge: boolean };
	rotate: number;
	flipX: boolean;
	flipY: boolean;
	padding: Sides;
	background?: string;
	backgroundOpacity: number;
	brightness: number;
	contrast: number;
	saturation: number;
	watermarkPicture: string;
	/** Steps of options that make their own, by the long name of the option. */
	readonly made: Map<string, AddSteps<PipelineState>>;
}

/** The default watermark, a file in `PICPIPE_ASSETS`. */
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
		watermarkPicture: defaultWatermark,
		made: new Map(),
	};
}

export type RequestedFormat = RenderFormat | 'auto' | 'source';

/** The target of a quality search and its bounds; a bound is absent if the URL does not name it. */
export interface Autoquality {
	readonly goal: { readonly maxBytes: number } | { readonly ssim: number };
	readonly min?: number;
	readonly max?: number;
}

/** How the result is written. */
export interface OutputOptions {
	format: RequestedFormat;
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
	/** Starts at 0. */
	page: number;
	isStill: boolean;
	/** Whether the EXIF orientation is applied before sizes and steps. */
	isUpright: boolean;
	/** Formats that are not processed, by their names in facts. */
	skipped: Set<string>;
}

/** Options of the response, which do not change the picture. */
interface ResponseOptions {
	raw: boolean;
	expiresAt: number;
	filename: string;
	isAttachment: boolean;
	variant?: { name: string; format?: string };
}

/** Everything in a URL except the source. */
export interface Draft {
	readonly pipelines: Pipeline[];
	readonly output: OutputOptions;
	readonly response: ResponseOptions;
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
		response: { raw: false, expiresAt: 0, filename: '', isAttachment: false },
	};
}

import type { Size } from '../../../operations/operation.ts';
import type { Pipeline, ResizingType } from './pipeline.ts';

/** Sizes that a pipeline leads to; 0 stands for no such size. */
export interface Scaled {
	/** The whole picture, before it is cut. */
	readonly scaled: Size;
	/** What is asked for, as large as it may become. */
	readonly target: Size;
	/** What is kept of the scaled picture at most. */
	readonly kept: Size;
	/** Size in the shape that is asked for, around what is kept. */
	readonly framed: Size;
	/** By which paddings and offsets are multiplied. */
	readonly dpr: number;
	/** Scaled down; absent where only the picture tells. */
	readonly isDown?: boolean;
	/** The sides in pixels of a page, where only the picture tells how much of the density it takes. */
	readonly page?: Size;
}

/**
 * How large a picture becomes, by the rules that imgproxy has for it (`calcScale` and `calcSizes` in its `processing`).
 *
 * @param isDrawn it has no pixels of its own, and so is never too small
 */
export function scaleFor(input: Size, pipeline: Pipeline, isDrawn: boolean): Scaled {
	const { scale, dpr } = factors(input, pipeline, isDrawn);
	const target = {
		width: times(pipeline.width, dpr * pipeline.zoomX),
		height: times(pipeline.height, dpr * pipeline.zoomY),
	};
	const scaled = { width: times(input.width, scale.x), height: times(input.height, scale.y) };
	const kept = keptOf(scaled, target, pipeline);
	const framed = pipeline.extendRatio.isOn ? frameAround(leastOf(scaled, kept), target) : none;
	return { scaled, target, kept, framed, dpr };
}

const none: Size = { width: 0, height: 0 };

interface Factors {
	readonly x: number;
	readonly y: number;
}

/** By how much the picture is scaled. Counted as imgproxy does, in how much it shrinks. */
export function factors(
	input: Size,
	pipeline: Pipeline,
	isDrawn: boolean,
): { readonly scale: Factors; readonly dpr: number } {
	const { zoomX, zoomY, minWidth, minHeight } = pipeline;
	let { x, y } = shrinks(input, pipeline);
	x /= zoomX;
	y /= zoomY;
	let { dpr } = pipeline;
	if (!pipeline.enlarge && !isDrawn) {
		const least = Math.min(x, y);
		if (least < 1) {
			x /= least;
			y /= least;
			// A picture that is too small loses nothing to a low density, unless room is added for what it lacks.
			if (!pipeline.extend.isOn) dpr /= least;
		}
		dpr = Math.min(dpr, x, y);
	}
	if (minWidth > 0 && input.width / minWidth < x) {
		y *= input.width / minWidth / x;
		x = input.width / minWidth;
	}
	if (minHeight > 0 && input.height / minHeight < y) {
		x *= input.height / minHeight / y;
		y = input.height / minHeight;
	}
	// One pixel at least.
	return { scale: { x: 1 / Math.min(x / dpr, input.width), y: 1 / Math.min(y / dpr, input.height) }, dpr };
}

function shrinks(input: Size, { width, height, resizingType }: Pipeline): Factors {
	const x = width === 0 ? 1 : input.width / width;
	const y = height === 0 ? 1 : input.height / height;
	if (x === 1 && y === 1) return { x, y };
	const type = resizingType === 'auto' ? automatic(input, { width, height }) : resizingType;
	if (type === 'force') return { x, y };
	if (width === 0) return { x: y, y };
	if (height === 0) return { x, y: x };
	const both = type === 'fit' ? Math.max(x, y) : Math.min(x, y);
	return { x: both, y: both };
}

/** Both lie or both stand: filled. */
function automatic(input: Size, { width, height }: Size): ResizingType {
	const isLying = input.width >= input.height;
	return isLying === (width || input.width) >= (height || input.height) ? 'fill' : 'fit';
}

/** `fill-down` keeps the shape that is asked for where there are too few pixels. */
function keptOf(scaled: Size, target: Size, { resizingType, enlarge }: Pipeline): Size {
	if (resizingType !== 'fill-down' || enlarge) return target;
	// With one side no shape is asked for.
	if (target.width === 0 || target.height === 0) return target;
	const lack = { x: target.width / scaled.width, y: target.height / scaled.height };
	if (lack.x > lack.y && lack.x > 1) {
		return { width: scaled.width, height: times(scaled.width, target.height / target.width) };
	}
	if (lack.y > lack.x && lack.y > 1) {
		return { width: times(scaled.height, target.width / target.height), height: scaled.height };
	}
	return target;
}

function frameAround(inner: Size, target: Size): Size {
	if (target.width === 0 || target.height === 0) return none;
	const lack = { x: target.width / inner.width, y: target.height / inner.height };
	if (lack.y > lack.x) return { width: inner.width, height: times(inner.width, target.height / target.width) };
	if (lack.x > lack.y) return { width: times(inner.height, target.width / target.height), height: inner.height };
	return none;
}

/** The smaller one of each side; 0 is no limit. */
export function leastOf(size: Size, limit: Size): Size {
	return {
		width: limit.width === 0 ? size.width : Math.min(size.width, limit.width),
		height: limit.height === 0 ? size.height : Math.min(size.height, limit.height),
	};
}

/** 0 stays 0; of anything else at least a pixel is left. */
function times(pixels: number, factor: number): number {
	return pixels === 0 ? 0 : Math.max(1, Math.round(pixels * factor));
}

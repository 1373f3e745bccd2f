import { coverIn, placeIn, shapeAround, shapeWithin } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import type { Place } from '../../../operations/options.ts';
import { changedSides, checkSides, isSameSize, type StepList } from '../shared/step-list.ts';
import { type ImgproxyGravity, isPlain, standsAt } from './gravity.ts';
import type { Pipeline, PipelineSizes, ResizingType } from './pipeline.ts';

/** Crops and scales a picture of known size. Every number is computed here, so that equal results have equal steps. */

/** Applies `crop`, before any scaling. */
export function cropSized(steps: StepList, input: Size, pipeline: Pipeline): Size {
	const kept = cropSize(input, pipeline);
	cropTo(steps, input, kept, { gravity: pipeline.crop.gravity ?? pipeline.gravity, dpr: 1 });
	return kept;
}

function cropSize(input: Size, { crop, cropRatio: { ratio, enlarge } }: Pipeline): Size {
	const along = (length: number, side: number) => {
		if (length === 0) return side;
		return length >= 1 ? Math.min(length, side) : Math.max(1, Math.round(side * length));
	};
	const asked = { width: along(crop.width, input.width), height: along(crop.height, input.height) };
	if (ratio === 0) return asked;
	if (!enlarge) return shapeWithin(asked, ratio);
	const around = shapeAround(asked, ratio);
	return around.width > input.width || around.height > input.height ? shapeWithin(input, ratio) : around;
}

/** Scales the picture and crops the excess. */
export function resizeSized(steps: StepList, input: Size, pipeline: Pipeline, isVector: boolean): PipelineSizes {
	const sizes = sizesFor(input, pipeline, isVector);
	scaleAndCrop(steps, input, sizes, pipeline);
	return { ...sizes, isDown: sizes.scaled.width < input.width || sizes.scaled.height < input.height };
}

function scaleAndCrop(steps: StepList, input: Size, { scaled, kept, dpr }: PipelineSizes, pipeline: Pipeline): void {
	const { gravity, algorithm } = pipeline;
	const result = leastOf(scaled, kept);
	const kernel = algorithm === 'lanczos3' ? {} : { kernel: algorithm };
	if (isSameSize(input, scaled)) {
		cropTo(steps, input, result, { gravity, dpr });
		return;
	}
	if (isSameSize(scaled, result)) {
		checkSides(scaled);
		steps.scaleTo(scaled, kernel);
		return;
	}
	checkSides(result);
	const place = gravity.type === 'smart' ? 'attention' : isPlain(gravity) ? gravity.place : undefined;
	const isEnlarged = scaled.width > input.width || scaled.height > input.height;
	if (place !== undefined && isAlike(coverIn(input, result), scaled)) {
		// An enlarged picture is cropped first, in pixels that are larger than the difference.
		const moved = place === 'attention' || isEnlarged ? {} : moveToEven(coverIn(input, result), result, place);
		steps.add('resize', { ...result, ...positionOf(place), ...moved, ...kernel });
		return;
	}
	if (isEnlarged && gravity.type !== 'smart') {
		// Cropped first, so that no pixels are enlarged and then discarded.
		const at = standsAt(scaled, result, gravity, dpr);
		const [x, y] = [input.width / scaled.width, input.height / scaled.height];
		const part = {
			width: Math.min(input.width, Math.max(1, Math.round(result.width * x))),
			height: Math.min(input.height, Math.max(1, Math.round(result.height * y))),
		};
		const left = Math.min(Math.round(at.left * x), input.width - part.width);
		const top = Math.min(Math.round(at.top * y), input.height - part.height);
		if (!isSameSize(part, input)) steps.add('crop', { ...changedSides(input, part), left, top });
		steps.add('resize', { ...result, fit: 'fill', ...kernel });
		return;
	}
	checkSides(scaled);
	steps.scaleTo(scaled, kernel);
	cropTo(steps, scaled, result, { gravity, dpr });
}

interface Placement {
	readonly gravity: ImgproxyGravity;
	/** Multiplies offsets in pixels. */
	readonly dpr: number;
}

/** Crops to a part of the picture; adds no step if the part is the whole. */
function cropTo(steps: StepList, input: Size, kept: Size, { gravity, dpr }: Placement): void {
	if (isSameSize(input, kept)) return;
	const sides = changedSides(input, kept);
	checkSides({ width: 0, height: 0, ...sides });
	const place = gravity.type === 'smart' ? { position: 'attention' } : standsAt(input, kept, gravity, dpr);
	steps.add('crop', { ...sides, ...place });
}

/** What imgproxy's middle differs from that of operations, which do not round to even numbers. */
function moveToEven(scaled: Size, kept: Size, place: Place): { readonly x?: number; readonly y?: number } {
	const right = standsAt(scaled, kept, { type: 'place', place, x: 0, y: 0 }, 1);
	const usual = placeIn(scaled, kept, place);
	const [x, y] = [right.left - usual.left, right.top - usual.top];
	return { ...(x !== 0 && { x }), ...(y !== 0 && { y }) };
}

function positionOf(position: string): { readonly position?: string } {
	return position === 'centre' ? {} : { position };
}

/** Equal except for a rounding difference of one pixel, which is invisible after cropping. */
function isAlike(one: Size, other: Size): boolean {
	return Math.abs(one.width - other.width) <= 1 && Math.abs(one.height - other.height) <= 1;
}

/**
 * The size of the result, by imgproxy's rules (`calcScale` and `calcSizes` in its `processing`).
 *
 * @param isVector the picture has no pixels, and is never too small
 */
export function sizesFor(input: Size, pipeline: Pipeline, isVector: boolean): PipelineSizes {
	const { scale, dpr } = factors(input, pipeline, isVector);
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

/** The scaling factors. Like imgproxy, this computes how much the picture shrinks. */
export function factors(
	input: Size,
	pipeline: Pipeline,
	isVector: boolean,
): { readonly scale: Factors; readonly dpr: number } {
	const { zoomX, zoomY, minWidth, minHeight } = pipeline;
	let { x, y } = shrinks(input, pipeline);
	x /= zoomX;
	y /= zoomY;
	let { dpr } = pipeline;
	if (!pipeline.enlarge && !isVector) {
		const least = Math.min(x, y);
		if (least < 1) {
			x /= least;
			y /= least;
			// A low density does not shrink a picture that is too small, unless it is extended to the size.
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
	// At least one pixel.
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

/** Fills if picture and size are both landscape or both portrait. */
function automatic(input: Size, { width, height }: Size): ResizingType {
	const isLandscape = input.width >= input.height;
	return isLandscape === (width || input.width) >= (height || input.height) ? 'fill' : 'fit';
}

/** `fill-down` keeps the requested shape if there are too few pixels. */
function keptOf(scaled: Size, target: Size, { resizingType, enlarge }: Pipeline): Size {
	if (resizingType !== 'fill-down' || enlarge) return target;
	// A single side requests no shape.
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

/** The smaller of each side; 0 means no limit. */
export function leastOf(size: Size, limit: Size): Size {
	return {
		width: limit.width === 0 ? size.width : Math.min(size.width, limit.width),
		height: limit.height === 0 ? size.height : Math.min(size.height, limit.height),
	};
}

/** 0 stays 0; any other length is at least one pixel. */
function times(pixels: number, factor: number): number {
	return pixels === 0 ? 0 : Math.max(1, Math.round(pixels * factor));
}

import type { Size } from '../../../operations/operation.ts';
import { maximumSide } from '../../../operations/options.ts';
import { invalidUrl, sizeUnknown } from '../shared/refusals.ts';
import { checkSides, type StepList, type StepOptions } from '../shared/step-list.ts';
import { placement, share } from './gravity.ts';
import type { Pipeline, PipelineSizes } from './pipeline.ts';
import { factors } from './resize.ts';

/**
 * Crops and scales a picture whose size is unknown before it is decoded: a trimmed picture, or a further page of a TIFF. The steps contain
 * shares and bounds, which operations turn into pixels once they know the size. Requests that operations have no options for are refused.
 */

/** A picture that is too small uses less of the density, but at least 1. */
function isElastic({ dpr, enlarge }: Pipeline): boolean {
	return dpr > 1 && !enlarge;
}

/** Applies `crop`, before any scaling. */
export function cropUnsized(steps: StepList, { crop, cropRatio: { ratio, enlarge }, gravity }: Pipeline): void {
	const { width, height } = crop;
	const isCut = width > 0 || height > 0;
	if (!isCut && ratio === 0) return;
	if (isCut && ratio !== 0 && enlarge) throw sizeUnknown('crop_aspect_ratio that enlarges a crop');
	const length = (asked: number) => (asked >= 1 ? asked : share(asked));
	steps.add('crop', {
		...(width > 0 && { width: length(width) }),
		...(height > 0 && { height: length(height) }),
		...(ratio > 0 && { ratio: `${Number(ratio.toFixed(4))}:1` }),
		...placement(crop.gravity ?? gravity, 1),
	});
}

/** Scales the picture and crops the excess. */
export function resizeUnsized(steps: StepList, requested: Pipeline, isVector: boolean): PipelineSizes {
	// A vector image is never too small.
	const pipeline = { ...requested, enlarge: requested.enlarge || isVector, resizingType: typeOf(requested) };
	const { width, height, dpr, zoomX, zoomY, resizingType: type } = pipeline;
	if (width === 0 && height === 0) return scaleByFactors(steps, pipeline);
	if (zoomX !== zoomY && type !== 'force') throw sizeUnknown('zoom by two factors');
	const target = { width: times(width, dpr * zoomX), height: times(height, dpr * zoomY) };
	checkSides(target);
	const isFlexible = dpr !== 1 && !pipeline.enlarge;
	if (isFlexible && dpr < 1 && pipeline.extend.isOn) throw sizeUnknown('dpr below 1 with extend and without enlarge');
	if (isFlexible && dpr < 1 && type === 'auto') throw sizeUnknown('dpr below 1 with the resizing type auto');
	const isFilled = type !== 'fit' && type !== 'auto' && width > 0 && height > 0;
	const result = pipeline.enlarge && isFilled ? target : undefined;
	if (hasLeast(pipeline)) scaleAtLeast(steps, target, pipeline, result);
	else steps.add('resize', scaling(target, pipeline), result);
	const page = isElastic(pipeline) ? { page: pageOf(pipeline) } : {};
	return { scaled: none, target, kept: target, framed: none, dpr, ...page };
}

/** A single side cannot be filled. */
function typeOf({ resizingType, width, height }: Pipeline): Pipeline['resizingType'] {
	return resizingType === 'force' || (width > 0 && height > 0) ? resizingType : 'fit';
}

/** The factors do not depend on the size. */
function scaleByFactors(steps: StepList, pipeline: Pipeline): PipelineSizes {
	const { scale, dpr } = factors(unbounded, { ...pipeline, minWidth: 0, minHeight: 0 }, false);
	const least = leastSides(pipeline, dpr);
	const isPipelineSizes = scale.x !== 1 || scale.y !== 1;
	const isDistorted = scale.x !== scale.y;
	const sides = {
		...(isPipelineSizes && { width: scaleShare(scale.x) }),
		...(isDistorted && { height: scaleShare(scale.y), fit: 'fill' }),
	};
	if (isPipelineSizes || hasLeast(pipeline)) steps.add('resize', { ...sides, ...least, ...kernelOf(pipeline) });
	return { scaled: none, target: none, kept: none, framed: none, dpr };
}

function scaling(target: Size, pipeline: Pipeline): StepOptions {
	const { enlarge, resizingType: type, gravity, dpr } = pipeline;
	const kernel = kernelOf(pipeline);
	const least = enlarge ? {} : { withoutEnlargement: true };
	const shape = enlarge ? {} : { orSmaller: true };
	if (type === 'force') return { ...forcedSides(target, pipeline), fit: 'fill', ...shape, ...kernel };
	if (type === 'fit') return { ...sidesOf(target), ...within(target), ...least, ...kernel };
	const fit = type === 'auto' ? { fit: 'auto' } : {};
	// A density below 1 is the usual reason for a picture that is too small.
	const lacking = type === 'fill-down' || (dpr < 1 && !enlarge) ? shape : least;
	if (!isElastic(pipeline)) {
		return { ...target, ...fit, ...placement(gravity, dpr), ...lacking, ...kernel };
	}
	if (dpr > maximumDpr) throw sizeUnknown(`dpr above ${maximumDpr} without enlarge`);
	// The operation multiplies by as much of the density as the picture supports.
	const page = { ...pageOf(pipeline), dpr, minDpr: 1 };
	return { ...page, ...fit, ...placement(gravity, 1), ...lacking, ...kernel };
}

/** Highest density that `resize` supports. */
const maximumDpr = 8;

/** Scales to the minimum sides and crops to the requested sides. */
function scaleAtLeast(steps: StepList, target: Size, pipeline: Pipeline, result: Size | undefined): void {
	const { enlarge, resizingType: type, gravity, dpr } = pipeline;
	if (dpr !== 1 && !enlarge) throw sizeUnknown('min-width and min-height with dpr and without enlarge');
	if (type === 'auto') throw sizeUnknown('min-width and min-height with the resizing type auto');
	if (type === 'fill-down' && !enlarge) throw sizeUnknown('min-width and min-height with the resizing type fill-down');
	const more = { ...leastSides(pipeline, dpr), ...kernelOf(pipeline) };
	const free = enlarge ? {} : { withoutEnlargement: true };
	const resize =
		type === 'force'
			? { ...forcedSides(target, pipeline), fit: 'fill', ...(enlarge ? {} : { orSmaller: true }), ...more }
			: { ...sidesOf(target), ...(type === 'fit' ? within(target) : { fit: 'outside' }), ...free, ...more };
	steps.add('resize', resize);
	steps.add('crop', { ...sidesOf(target), ...placement(gravity, dpr) }, result);
}

function hasLeast({ minWidth, minHeight }: Pipeline): boolean {
	return minWidth > 0 || minHeight > 0;
}

function leastSides({ minWidth, minHeight }: Pipeline, dpr: number) {
	const least = { width: times(minWidth, dpr), height: times(minHeight, dpr) };
	checkSides(least);
	return {
		...(least.width > 0 && { minWidth: least.width }),
		...(least.height > 0 && { minHeight: least.height }),
	};
}

/** A side without a requested length keeps its own, multiplied by the factors. */
function forcedSides(target: Size, { width, height, dpr, zoomX, zoomY }: Pipeline) {
	const [x, y] = [dpr * zoomX, dpr * zoomY];
	return {
		...sidesOf(target),
		...(width === 0 && x !== 1 && { width: scaleShare(x) }),
		...(height === 0 && y !== 1 && { height: scaleShare(y) }),
	};
}

export function sidesOf({ width, height }: Size): Partial<Size> {
	return { ...(width > 0 && { width }), ...(height > 0 && { height }) };
}

function within({ width, height }: Size) {
	return width > 0 && height > 0 ? { fit: 'inside' } : {};
}

function kernelOf({ algorithm }: Pipeline) {
	return algorithm === 'lanczos3' ? {} : { kernel: algorithm };
}

/** The requested size in CSS pixels. */
function pageOf({ width, height, zoomX, zoomY }: Pipeline): Size {
	return { width: times(width, zoomX), height: times(height, zoomY) };
}

/** Larger than any picture. */
const unbounded: Size = { width: 1e9, height: 1e9 };

const none = { width: 0, height: 0 };

/** Largest enlargement by `resize`, as a factor. */
const maximumScale = 100;

function scaleShare(scale: number): string {
	if (scale <= maximumScale) return share(scale);
	throw invalidUrl(`Expected a picture to be enlarged ${maximumScale} times at most but the options lead to ${scale}.`);
}

function times(pixels: number, factor: number): number {
	return pixels === 0 ? 0 : Math.min(maximumSide + 1, Math.max(1, Math.round(pixels * factor)));
}

import type { Size } from '../../../operations/operation.ts';
import { maximumSide } from '../../../operations/options.ts';
import type { Pipeline } from './pipeline.ts';
import { invalid, unsupported } from './refusals.ts';
import { factors, type Scaled } from './scale.ts';
import { placing, share } from './shares.ts';
import { checkSides, type Step, type Work } from './work.ts';

/**
 * Steps for a picture whose size nobody knows before it is decoded: what was trimmed, or a further page of a TIFF. What depends on it is said
 * in shares and in bounds, which operations turn into pixels once they know it; what they have no words for is refused.
 */

export function unknowable(option: string): Error {
	return unsupported(
		option,
		'The size of a picture that was trimmed, or of a further page of a TIFF, is not known before.',
	);
}

/** A picture that is too small for its density takes less of it, but no less than that of a page. */
function isElastic({ dpr, enlarge }: Pipeline): boolean {
	return dpr > 1 && !enlarge;
}

/** Cuts as `crop` says, before anything is scaled. */
export function cropUnsized(work: Work, { crop, cropRatio: { ratio, enlarge }, gravity }: Pipeline): void {
	const { width, height } = crop;
	const isCut = width > 0 || height > 0;
	if (!isCut && ratio === 0) return;
	if (isCut && ratio !== 0 && enlarge) throw unknowable('crop_aspect_ratio that enlarges a crop');
	const length = (asked: number) => (asked >= 1 ? asked : share(asked));
	work.steps.push({
		crop: {
			...(width > 0 && { width: length(width) }),
			...(height > 0 && { height: length(height) }),
			...(ratio > 0 && { ratio: `${Number(ratio.toFixed(4))}:1` }),
			...placing(crop.gravity ?? gravity, 1),
		},
	});
}

/** Scales the picture, and cuts what is too much. */
export function resizeUnsized(work: Work, asked: Pipeline): Scaled {
	// What is drawn is never too small.
	const pipeline = { ...asked, enlarge: asked.enlarge || work.isDrawn, resizingType: typeOf(asked) };
	const { width, height, dpr, zoomX, zoomY, resizingType: type } = pipeline;
	if (width === 0 && height === 0) return scaleByFactors(work, pipeline);
	if (zoomX !== zoomY && type !== 'force') throw unknowable('zoom by two factors');
	const target = { width: times(width, dpr * zoomX), height: times(height, dpr * zoomY) };
	checkSides(target);
	const isFlexible = dpr !== 1 && !pipeline.enlarge;
	if (isFlexible && dpr < 1 && pipeline.extend.isOn) throw unknowable('dpr below 1 with extend and without enlarge');
	if (isFlexible && dpr < 1 && type === 'auto') throw unknowable('dpr below 1 with the resizing type auto');
	work.steps.push(...(hasLeast(pipeline) ? atLeast(target, pipeline) : scaling(target, pipeline)));
	const isFilled = type !== 'fit' && type !== 'auto' && width > 0 && height > 0;
	if (pipeline.enlarge && isFilled) work.size = target;
	const page = isElastic(pipeline) ? { page: pageOf(pipeline) } : {};
	return { scaled: none, target, kept: target, framed: none, dpr, ...page };
}

/** With one side there is nothing to fill. */
function typeOf({ resizingType, width, height }: Pipeline): Pipeline['resizingType'] {
	return resizingType === 'force' || (width > 0 && height > 0) ? resizingType : 'fit';
}

/** By how much, does not depend on the size. */
function scaleByFactors(work: Work, pipeline: Pipeline): Scaled {
	const { scale, dpr } = factors(unbounded, { ...pipeline, minWidth: 0, minHeight: 0 }, false);
	const least = leastSides(pipeline, dpr);
	const isScaled = scale.x !== 1 || scale.y !== 1;
	const isDistorted = scale.x !== scale.y;
	const sides = {
		...(isScaled && { width: scaleShare(scale.x) }),
		...(isDistorted && { height: scaleShare(scale.y), fit: 'fill' }),
	};
	if (isScaled || hasLeast(pipeline)) work.steps.push({ resize: { ...sides, ...least, ...kernelOf(pipeline) } });
	return { scaled: none, target: none, kept: none, framed: none, dpr };
}

function scaling(target: Size, pipeline: Pipeline): readonly Step[] {
	const { enlarge, resizingType: type, gravity, dpr } = pipeline;
	const kernel = kernelOf(pipeline);
	const least = enlarge ? {} : { withoutEnlargement: true };
	const shape = enlarge ? {} : { orSmaller: true };
	if (type === 'force') return [{ resize: { ...forcedSides(target, pipeline), fit: 'fill', ...shape, ...kernel } }];
	if (type === 'fit') return [{ resize: { ...sidesOf(target), ...within(target), ...least, ...kernel } }];
	const fit = type === 'auto' ? { fit: 'auto' } : {};
	// With less than a whole density, what is too small is so for that alone, mostly.
	const lacking = type === 'fill-down' || (dpr < 1 && !enlarge) ? shape : least;
	if (!isElastic(pipeline)) {
		return [{ resize: { ...target, ...fit, ...placing(gravity, dpr), ...lacking, ...kernel } }];
	}
	if (dpr > maximumDpr) throw unknowable(`dpr above ${maximumDpr} without enlarge`);
	// Multiplied there, with as much of the density as the picture can take.
	const page = { ...pageOf(pipeline), dpr, minDpr: 1 };
	return [{ resize: { ...page, ...fit, ...placing(gravity, 1), ...lacking, ...kernel } }];
}

/** Largest density that `resize` takes. */
const maximumDpr = 8;

/** Scales to the least sides, and cuts to those that are asked for. */
function atLeast(target: Size, pipeline: Pipeline): readonly Step[] {
	const { enlarge, resizingType: type, gravity, dpr } = pipeline;
	if (dpr !== 1 && !enlarge) throw unknowable('min-width and min-height with dpr and without enlarge');
	if (type === 'auto') throw unknowable('min-width and min-height with the resizing type auto');
	if (type === 'fill-down' && !enlarge) throw unknowable('min-width and min-height with the resizing type fill-down');
	const more = { ...leastSides(pipeline, dpr), ...kernelOf(pipeline) };
	const free = enlarge ? {} : { withoutEnlargement: true };
	const resize =
		type === 'force'
			? { ...forcedSides(target, pipeline), fit: 'fill', ...(enlarge ? {} : { orSmaller: true }), ...more }
			: { ...sidesOf(target), ...(type === 'fit' ? within(target) : { fit: 'outside' }), ...free, ...more };
	return [{ resize }, { crop: { ...sidesOf(target), ...placing(gravity, dpr) } }];
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

/** A side that is not given is as long as it was, but for what the factors say. */
function forcedSides(target: Size, { width, height, dpr, zoomX, zoomY }: Pipeline) {
	const [x, y] = [dpr * zoomX, dpr * zoomY];
	return {
		...sidesOf(target),
		...(width === 0 && x !== 1 && { width: scaleShare(x) }),
		...(height === 0 && y !== 1 && { height: scaleShare(y) }),
	};
}

function sidesOf({ width, height }: Size): Partial<Size> {
	return { ...(width > 0 && { width }), ...(height > 0 && { height }) };
}

function within({ width, height }: Size) {
	return width > 0 && height > 0 ? { fit: 'inside' } : {};
}

function kernelOf({ algorithm }: Pipeline) {
	return algorithm === 'lanczos3' ? {} : { kernel: algorithm };
}

/** What is asked for in pixels of a page. */
function pageOf({ width, height, zoomX, zoomY }: Pipeline): Size {
	return { width: times(width, zoomX), height: times(height, zoomY) };
}

/** Larger than any picture. */
const unbounded: Size = { width: 1e9, height: 1e9 };

const none = { width: 0, height: 0 };

/** Largest share to which `resize` enlarges, of 1. */
const maximumScale = 100;

function scaleShare(scale: number): string {
	if (scale <= maximumScale) return share(scale);
	throw invalid(`Expected a picture to be enlarged ${maximumScale} times at most but the options lead to ${scale}.`);
}

function times(pixels: number, factor: number): number {
	return pixels === 0 ? 0 : Math.min(maximumSide + 1, Math.max(1, Math.round(pixels * factor)));
}

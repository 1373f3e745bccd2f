import type { Size } from '../../../operations/operation.ts';
import { maximumSide } from '../../../operations/options.ts';
import { type Gravity, isPlain } from './gravity.ts';
import type { Pipeline } from './pipeline.ts';
import { unsupported } from './refusals.ts';
import type { Scaled } from './scale.ts';
import { checkSides, type Step, type Work } from './work.ts';

/**
 * Steps for a picture whose size nobody knows before it is decoded: what was trimmed, or a further page of a TIFF. Operations can say much
 * of it themselves; what they can't is refused.
 */

function unknowable(option: string): Error {
	return unsupported(
		option,
		'The size of a picture that was trimmed, or of a further page of a TIFF, is not known before.',
	);
}

/** What operations can say of a gravity. */
function placeOf(gravity: Gravity, option: string): string {
	if (gravity.type === 'smart') return 'attention';
	if (!isPlain(gravity)) throw unknowable(`${option} with offsets or a point`);
	return gravity.place;
}

const positionOf = (position: string) => (position === 'centre' ? {} : { position });

/** Cuts as `crop` says, before anything is scaled. */
export function cropUnsized(work: Work, { crop, cropRatio, gravity }: Pipeline): void {
	const { width, height } = crop;
	const isCut = width > 0 || height > 0;
	if (!isCut && cropRatio.ratio === 0) return;
	if (isCut && cropRatio.ratio !== 0) throw unknowable('crop_aspect_ratio with crop');
	if ([width, height].some((length) => length > 0 && length < 1)) throw unknowable('crop with shares');
	const what = isCut
		? { ...(width > 0 && { width }), ...(height > 0 && { height }) }
		: { ratio: `${Number(cropRatio.ratio.toFixed(4))}:1` };
	const around = crop.gravity ?? gravity;
	const where = around.type === 'point' ? { focus: { x: around.x, y: around.y } } : positionOf(placeOf(around, 'crop'));
	work.steps.push({ crop: { ...what, ...where } });
}

/** Scales the picture, and cuts what is too much. */
export function resizeUnsized(work: Work, pipeline: Pipeline): Scaled {
	if (pipeline.minWidth > 0 || pipeline.minHeight > 0) throw unknowable('min-width and min-height');
	const { width, height, enlarge, resizingType: type } = pipeline;
	if (width === 0 && height === 0) return unscaled(pipeline);
	const { dpr, zoomX, zoomY } = pipeline;
	const isForced = type === 'force';
	if (zoomX !== zoomY && !(isForced && width > 0 && height > 0)) throw unknowable('zoom by two factors');
	const target = { width: times(width, dpr * zoomX), height: times(height, dpr * zoomY) };
	checkSides(target);
	// How large the canvas is depends on how much of the density such a picture can take.
	if (dpr !== 1 && !enlarge && pipeline.extend.isOn) throw unknowable('dpr with extend and without enlarge');
	if (type === 'auto' && width > 0 && height > 0) throw unknowable('the resizing type auto');
	if (isForced && (width === 0 || height === 0) && (dpr !== 1 || zoomX !== 1)) {
		throw unknowable('dpr or zoom with the resizing type force and one side');
	}
	work.steps.push(...scalingSteps(target, pipeline));
	if (enlarge && type !== 'fit' && width > 0 && height > 0) work.size = target;
	return { scaled: none, target, kept: target, framed: none, dpr };
}

/** What is not to be enlarged can't follow factors above 1; below, or where it may, they are shares of a size. */
function unscaled({ dpr, zoomX, zoomY, enlarge }: Pipeline): Scaled {
	const isLarger = !enlarge && dpr >= 1 && zoomX >= 1;
	if (zoomX !== zoomY || !(isLarger || (dpr === 1 && zoomX === 1))) {
		throw unknowable('dpr or zoom without a width or height');
	}
	return { scaled: none, target: none, kept: none, framed: none, dpr: 1 };
}

function scalingSteps(target: Size, pipeline: Pipeline): readonly Step[] {
	const { enlarge, resizingType: type, gravity, algorithm } = pipeline;
	const sides = {
		...(target.width > 0 && { width: target.width }),
		...(target.height > 0 && { height: target.height }),
	};
	const kernel = algorithm === 'lanczos3' ? {} : { kernel: algorithm };
	const least = enlarge ? {} : { withoutEnlargement: true };
	const shape = enlarge ? {} : { orSmaller: true };
	if (type === 'force') return [{ resize: { ...sides, fit: 'fill', ...shape, ...kernel } }];
	// With one side there is nothing to fill.
	if (target.width === 0 || target.height === 0) return [{ resize: { ...sides, ...least, ...kernel } }];
	if (type === 'fit') return [{ resize: { ...sides, fit: 'inside', ...least, ...kernel } }];
	const isShaped = enlarge || keepsShape(pipeline);
	if (gravity.type !== 'point') {
		const where = positionOf(placeOf(gravity, 'gravity'));
		return [{ resize: { ...sides, ...where, ...(isShaped ? shape : least), ...kernel } }];
	}
	const focus = { x: gravity.x, y: gravity.y };
	if (!isShaped) {
		return [{ resize: { ...sides, fit: 'outside', ...least, ...kernel } }, { crop: { ...sides, focus } }];
	}
	return [
		{ crop: { ratio: ratioOf(target, 'gravity'), focus } },
		{ resize: { ...sides, fit: 'fill', ...shape, ...kernel } },
	];
}

/** Whether a picture that is too small is cut to the shape that is asked for; with a density it is too small for that alone, mostly. */
function keepsShape({ resizingType, dpr }: Pipeline): boolean {
	return resizingType === 'fill-down' || dpr !== 1;
}

/** As operations take it. */
function ratioOf({ width, height }: Size, option: string): string {
	const ratio = width / height;
	if (ratio < 0.01 || ratio > 100) throw unknowable(`${option} with such a shape`);
	return `${width}:${height}`;
}

/** Grows to the size or to the shape that is asked for. */
export function growUnsized(work: Work, pipeline: Pipeline, { target }: Scaled, background: string): void {
	const { extend, extendRatio } = pipeline;
	if (extend.isOn && (target.width > 0 || target.height > 0)) {
		const sides = {
			...(target.width > 0 && { width: target.width }),
			...(target.height > 0 && { height: target.height }),
		};
		work.steps.push({ extend: { ...sides, ...positionOf(placeOf(extend.gravity, 'extend')), background } });
		if (target.width > 0 && target.height > 0) work.size = target;
		return;
	}
	if (!extendRatio.isOn || target.width === 0 || target.height === 0) return;
	const where = positionOf(placeOf(extendRatio.gravity, 'extend_aspect_ratio'));
	work.steps.push({ extend: { ratio: ratioOf(target, 'extend_aspect_ratio'), ...where, background } });
}

const none = { width: 0, height: 0 };

function times(pixels: number, factor: number): number {
	return pixels === 0 ? 0 : Math.min(maximumSide + 1, Math.max(1, Math.round(pixels * factor)));
}

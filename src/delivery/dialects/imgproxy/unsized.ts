import { maximumSide } from '../../../operations/options.ts';
import { type Gravity, isPlain } from './gravity.ts';
import type { Pipeline } from './pipeline.ts';
import { unsupported } from './refusals.ts';
import type { Scaled } from './scale.ts';
import { checkSides, type Work } from './work.ts';

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
	if (cropRatio.ratio !== 0) throw unknowable('crop_aspect_ratio');
	const { width, height } = crop;
	if (width === 0 && height === 0) return;
	if ([width, height].some((length) => length > 0 && length < 1)) throw unknowable('crop with shares');
	const sides = { ...(width > 0 && { width }), ...(height > 0 && { height }) };
	const around = crop.gravity ?? gravity;
	const where = around.type === 'point' ? { focus: { x: around.x, y: around.y } } : positionOf(placeOf(around, 'crop'));
	work.steps.push({ crop: { ...sides, ...where } });
}

/** Scales the picture, and cuts what is too much. */
export function resizeUnsized(work: Work, pipeline: Pipeline): Scaled {
	const { width, height, dpr, enlarge, resizingType: type } = pipeline;
	if (pipeline.minWidth > 0 || pipeline.minHeight > 0) throw unknowable('min-width and min-height');
	if (pipeline.zoomX !== 1 || pipeline.zoomY !== 1) throw unknowable('zoom');
	const target = { width: times(width, dpr), height: times(height, dpr) };
	const sizes = { scaled: none, target, kept: target, framed: none, dpr };
	if (width === 0 && height === 0) {
		if (dpr !== 1) throw unknowable('dpr without a width or height');
		return sizes;
	}
	checkSides(target);
	// Where it must not grow, how far a density counts depends on the size; a picture that fits is cut nowhere.
	if (dpr !== 1 && !enlarge && (type !== 'fit' || needsDensity(pipeline))) throw unknowable('dpr without enlarge');
	if (type === 'auto' && width > 0 && height > 0) throw unknowable('the resizing type auto');
	if (type === 'fill-down' && !enlarge) throw unknowable('the resizing type fill-down without enlarge');
	if (type === 'force' && !enlarge) throw unknowable('the resizing type force without enlarge');
	if (type === 'force' && (width === 0 || height === 0)) throw unknowable('the resizing type force with one side');
	work.steps.push({
		resize: {
			...(width > 0 && { width: target.width }),
			...(height > 0 && { height: target.height }),
			...fitOf(pipeline),
			...(!enlarge && { withoutEnlargement: true }),
			...(pipeline.algorithm !== 'lanczos3' && { kernel: pipeline.algorithm }),
		},
	});
	if (enlarge && type !== 'fit' && width > 0 && height > 0) work.size = target;
	return sizes;
}

function fitOf({ width, height, resizingType, gravity }: Pipeline): Readonly<Record<string, unknown>> {
	// With one side there is nothing to fill.
	if (width === 0 || height === 0) return {};
	if (resizingType === 'fit') return { fit: 'inside' };
	if (resizingType === 'force') return { fit: 'fill' };
	return positionOf(placeOf(gravity, 'gravity'));
}

function needsDensity({ padding, extend, extendRatio, watermark }: Pipeline): boolean {
	return Object.values(padding).some((side) => side > 0) || extend.isOn || extendRatio.isOn || watermark !== undefined;
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
	const ratio = target.width / target.height;
	if (ratio < 0.01 || ratio > 100) throw unknowable('extend_aspect_ratio with such a shape');
	const where = positionOf(placeOf(extendRatio.gravity, 'extend_aspect_ratio'));
	work.steps.push({ extend: { ratio: `${target.width}:${target.height}`, ...where, background } });
}

const none = { width: 0, height: 0 };

function times(pixels: number, factor: number): number {
	return pixels === 0 ? 0 : Math.min(maximumSide + 1, Math.max(1, Math.round(pixels * factor)));
}

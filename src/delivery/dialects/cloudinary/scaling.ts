import type { Canvas } from './canvas.ts';
import { bothOf, type Request, sidesOf, type Target } from './request.ts';

/** Values of `c_` that scale the whole picture. */

export function scale(canvas: Canvas, { target, ignoresShape }: Request): void {
	const both = bothOf(target);
	if (ignoresShape && !canvas.size && !both) canvas.add('resize', { ...sidesOf(target), fit: 'fill' });
	else if (ignoresShape && canvas.size) canvas.scaleTo({ ...canvas.size, ...sidesOf(target) });
	else if (both) canvas.scaleTo(both);
	else fitWithin(canvas, target);
}

export function fit(canvas: Canvas, { target }: Request): void {
	fitWithin(canvas, target);
}

/** As `fit`, but a smaller picture stays. */
export function limit(canvas: Canvas, { target }: Request): void {
	const { size } = canvas;
	if (!size) {
		canvas.add('resize', { ...sidesOf(target), ...(bothOf(target) && { fit: 'inside' }), withoutEnlargement: true });
		return;
	}
	const { width = size.width, height = size.height } = target;
	if (width < size.width || height < size.height) fitWithin(canvas, target);
}

/** As `fit`, but a larger picture stays. */
export function minimumFit(canvas: Canvas, { target }: Request): void {
	if (!canvas.size && !bothOf(target)) {
		canvas.add('resize', target.width === undefined ? { minHeight: target.height } : { minWidth: target.width });
		return;
	}
	const size = canvas.known('c_mfit with w_ and h_');
	const { width = Number.POSITIVE_INFINITY, height = Number.POSITIVE_INFINITY } = target;
	if (size.width < width && size.height < height) fitWithin(canvas, target);
}

/** To the largest size in the same shape. */
export function fitWithin(canvas: Canvas, target: Target): void {
	const options = { ...sidesOf(target), ...(bothOf(target) && { fit: 'inside' }) };
	if (canvas.size) canvas.scaleTo(canvas.predict(canvas.size, 'resize', options));
	else canvas.add('resize', options);
}

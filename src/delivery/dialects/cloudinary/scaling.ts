import type { Moves, Offset } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import type { StepList } from '../shared/step-list.ts';
import type { CloudinaryGravity } from './gravity.ts';

/** The request of `c_`, and the modes that scale the whole picture. */

/** Both sides, one of them, or only an aspect ratio such as `16:9`. */
export interface TargetSize {
	readonly width?: number;
	readonly height?: number;
	readonly ratio?: string;
}

export interface ResizeRequest {
	readonly target: TargetSize;
	readonly gravity: CloudinaryGravity;
	/** Offset from the gravity's place; with `point`, the point itself. */
	readonly move: Offset | undefined;
	/** The offset for a picture of unknown size; otherwise absent. */
	readonly moves?: Moves | undefined;
	/** Colour of added areas. */
	readonly background: string;
	/** Whether a missing side keeps its length. */
	readonly ignoresShape: boolean;
}

/** A value of `c_`: its effect, and the qualifiers that it takes. */
export interface ResizeMode {
	/** Adds the steps. If the size is known, equal results have equal steps, however they were requested. */
	readonly apply: (steps: StepList, request: ResizeRequest) => void;
	/** The default placement; absent if the mode places nothing. */
	readonly gravity?: CloudinaryGravity;
	/** Whether the placement may be the most striking part or a point. */
	readonly looks?: boolean;
	/** Whether `x_` and `y_` move the kept part with any gravity. */
	readonly moves?: boolean;
	/** Whether an aspect ratio without a size suffices. */
	readonly takesShape?: boolean;
}

/** The size, if both sides are given. */
export function bothOf({ width, height }: TargetSize): Size | undefined {
	return width !== undefined && height !== undefined ? { width, height } : undefined;
}

/** The given sides. */
export function sidesOf({ width, height }: TargetSize): Partial<Size> {
	return { ...(width !== undefined && { width }), ...(height !== undefined && { height }) };
}

export function scale(steps: StepList, { target, ignoresShape }: ResizeRequest): void {
	const both = bothOf(target);
	if (ignoresShape && !steps.size && !both) steps.add('resize', { ...sidesOf(target), fit: 'fill' });
	else if (ignoresShape && steps.size) steps.scaleTo({ ...steps.size, ...sidesOf(target) });
	else if (both) steps.scaleTo(both);
	else fitWithin(steps, target);
}

export function fit(steps: StepList, { target }: ResizeRequest): void {
	fitWithin(steps, target);
}

/** As `fit`, but a smaller picture keeps its size. */
export function limit(steps: StepList, { target }: ResizeRequest): void {
	const { size } = steps;
	if (!size) {
		steps.add('resize', { ...sidesOf(target), ...(bothOf(target) && { fit: 'inside' }), withoutEnlargement: true });
		return;
	}
	const { width = size.width, height = size.height } = target;
	if (width < size.width || height < size.height) fitWithin(steps, target);
}

/** As `fit`, but a larger picture keeps its size. */
export function minimumFit(steps: StepList, { target }: ResizeRequest): void {
	if (!steps.size && !bothOf(target)) {
		steps.add('resize', target.width === undefined ? { minHeight: target.height } : { minWidth: target.width });
		return;
	}
	const size = steps.sizeFor('c_mfit with w_ and h_');
	const { width = Number.POSITIVE_INFINITY, height = Number.POSITIVE_INFINITY } = target;
	if (size.width < width && size.height < height) fitWithin(steps, target);
}

/** Scales to the largest size with the same aspect ratio. */
export function fitWithin(steps: StepList, target: TargetSize): void {
	const options = { ...sidesOf(target), ...(bothOf(target) && { fit: 'inside' }) };
	if (steps.size) steps.scaleTo(steps.predict(steps.size, 'resize', options));
	else steps.add('resize', options);
}

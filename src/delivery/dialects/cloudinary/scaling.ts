import type { Moves, Offset } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import type { StepList } from '../shared/step-list.ts';
import type { CloudinaryGravity } from './gravity.ts';

/** Requests of `c_`, and its modes that scale the whole picture. */

/** Both sides, one of them, or a shape alone, written `16:9`. */
export interface TargetSize {
	readonly width?: number;
	readonly height?: number;
	readonly ratio?: string;
}

export interface ResizeRequest {
	readonly target: TargetSize;
	readonly gravity: CloudinaryGravity;
	/** From where the gravity has it; with `point`, the point. */
	readonly move: Offset | undefined;
	/** The same where the size of the picture is not known; absent elsewhere. */
	readonly moves?: Moves | undefined;
	/** Of what is added. */
	readonly background: string;
	/** A side that is not given stays as it is. */
	readonly ignoresShape: boolean;
}

/** One value of `c_`: what it does, and what else it understands. */
export interface ResizeMode {
	/** Where the size of the picture is known, the same result has the same steps, whatever asked for it. */
	readonly apply: (steps: StepList, request: ResizeRequest) => void;
	/** Whether the picture is placed, and then where when nothing is said. */
	readonly gravity?: CloudinaryGravity;
	/** Whether the place may be what draws the eye, or a point. */
	readonly looks?: boolean;
	/** Whether `x_` and `y_` move what is kept, whatever the gravity. */
	readonly moves?: boolean;
	/** Whether a shape without a size is enough. */
	readonly takesShape?: boolean;
}

/** The size, where both sides are given. */
export function bothOf({ width, height }: TargetSize): Size | undefined {
	return width !== undefined && height !== undefined ? { width, height } : undefined;
}

/** The sides that are given. */
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

/** As `fit`, but a smaller picture stays. */
export function limit(steps: StepList, { target }: ResizeRequest): void {
	const { size } = steps;
	if (!size) {
		steps.add('resize', { ...sidesOf(target), ...(bothOf(target) && { fit: 'inside' }), withoutEnlargement: true });
		return;
	}
	const { width = size.width, height = size.height } = target;
	if (width < size.width || height < size.height) fitWithin(steps, target);
}

/** As `fit`, but a larger picture stays. */
export function minimumFit(steps: StepList, { target }: ResizeRequest): void {
	if (!steps.size && !bothOf(target)) {
		steps.add('resize', target.width === undefined ? { minHeight: target.height } : { minWidth: target.width });
		return;
	}
	const size = steps.sizeFor('c_mfit with w_ and h_');
	const { width = Number.POSITIVE_INFINITY, height = Number.POSITIVE_INFINITY } = target;
	if (size.width < width && size.height < height) fitWithin(steps, target);
}

/** To the largest size in the same shape. */
export function fitWithin(steps: StepList, target: TargetSize): void {
	const options = { ...sidesOf(target), ...(bothOf(target) && { fit: 'inside' }) };
	if (steps.size) steps.scaleTo(steps.predict(steps.size, 'resize', options));
	else steps.add('resize', options);
}

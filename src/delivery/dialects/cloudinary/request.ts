import type { Moves, Offset } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import type { Canvas } from './canvas.ts';
import type { Gravity } from './placing.ts';

/** What a value of `c_` is asked for. */

/** Both sides, one of them, or a shape alone, written `16:9`. */
export interface Target {
	readonly width?: number;
	readonly height?: number;
	readonly ratio?: string;
}

export interface Request {
	readonly target: Target;
	readonly gravity: Gravity;
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
export interface Mode {
	/** Where the size of the picture is known, the same result has the same steps, whatever asked for it. */
	readonly apply: (canvas: Canvas, request: Request) => void;
	/** Whether the picture is placed, and then where when nothing is said. */
	readonly gravity?: Gravity;
	/** Whether the place may be what draws the eye, or a point. */
	readonly looks?: boolean;
	/** Whether `x_` and `y_` move what is kept, whatever the gravity. */
	readonly moves?: boolean;
	/** Whether a shape without a size is enough. */
	readonly takesShape?: boolean;
}

/** The size, where both sides are given. */
export function bothOf({ width, height }: Target): Size | undefined {
	return width !== undefined && height !== undefined ? { width, height } : undefined;
}

/** The sides that are given. */
export function sidesOf({ width, height }: Target): Partial<Size> {
	return { ...(width !== undefined && { width }), ...(height !== undefined && { height }) };
}

import type { Moves, Offset } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import { maximumSide, type Place } from '../../../operations/options.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';
import { percent, type StepList } from '../shared/step-list.ts';
import { type Component, qualifier } from './components.ts';

/** Placement: `g_`, `x_` and `y_`. */

/** A side, a corner or the centre; the most striking part; or a point. */
export type CloudinaryGravity = Place | 'attention' | 'point';

const compass: ReadonlyMap<string, CloudinaryGravity> = new Map<string, CloudinaryGravity>([
	['center', 'centre'],
	['north', 'top'],
	['north_east', 'right top'],
	['east', 'right'],
	['south_east', 'right bottom'],
	['south', 'bottom'],
	['south_west', 'left bottom'],
	['west', 'left'],
	['north_west', 'left top'],
	['auto', 'attention'],
	['xy_center', 'point'],
]);

const gravityNames = `one of ${[...compass.keys()].join(', ')}`;

/** @throws PicpipeError `option-unsupported` */
export function takeGravity(component: Component): CloudinaryGravity | undefined {
	const text = component.take('g');
	if (text === undefined) return undefined;
	const gravity = compass.get(text);
	if (gravity === undefined) throw unsupportedValue('g_', gravityNames, text);
	return gravity;
}

/** A length in pixels, or a share of a side. In Cloudinary a decimal point marks a share. */
export type QualifierLength = { readonly pixels: number } | { readonly share: number };

/** Largest share. Even a sixteenth of the largest picture reaches the largest side with it. */
const maximumShare = 16;

/** The length of a side is positive; an offset has either sign. */
export type LengthKind = 'side' | 'offset';

/** @throws PicpipeError `invalid-delivery-url` */
export function readLength(name: string, text: string, kind: LengthKind): QualifierLength {
	const minimum = kind === 'side' ? 1 : -maximumSide;
	if (/^-?\d+$/.test(text)) return { pixels: qualifier.integer(name, text, minimum, maximumSide) };
	if (/^(auto|i[wh]|[wh]|\$)/.test(text)) throw unsupportedValue(name, 'a number', text);
	const share = qualifier.number(name, text, kind === 'side' ? 0 : -maximumShare, maximumShare);
	if (kind === 'side' && share === 0) throw invalidValue(name, `a number above 0, at most ${maximumShare},`, text);
	return { share };
}

export function takeLength(component: Component, key: string, kind: LengthKind): QualifierLength | undefined {
	const text = component.take(key);
	return text === undefined ? undefined : readLength(`${key}_`, text, kind);
}

/**
 * @param whole the length that a share refers to
 * @param dpr multiplies pixels
 * @throws PicpipeError `invalid-delivery-url` if the length exceeds the limit of operations
 */
export function lengthInPixels(name: string, length: QualifierLength, whole: number, dpr: number): number {
	const pixels = Math.round('share' in length ? length.share * whole : length.pixels * dpr) + 0;
	if (Math.abs(pixels) > maximumSide) throw invalidValue(name, `at most ${maximumSide} pixels`, String(pixels));
	return pixels;
}

/** Offset from the place that the gravity names: towards the middle; from the centre to the right and down. */
export interface Move {
	readonly x: QualifierLength | undefined;
	readonly y: QualifierLength | undefined;
}

export function takeMove(component: Component): Move {
	return { x: takeLength(component, 'x', 'offset'), y: takeLength(component, 'y', 'offset') };
}

/** @throws PicpipeError */
export function offsetInPixels({ x, y }: Move, picture: Size, dpr: number): Offset {
	return {
		left: x ? lengthInPixels('x_', x, picture.width, dpr) : 0,
		top: y ? lengthInPixels('y_', y, picture.height, dpr) : 0,
	};
}

/** The offsets for operations, which resolve shares themselves. @throws PicpipeError */
export function movesOf({ x, y }: Move, dpr: number): Moves {
	const along = (name: string, length: QualifierLength | undefined) => {
		if (!length) return 0;
		if (!('share' in length)) return lengthInPixels(name, length, 0, dpr);
		if (Math.abs(length.share) > 1) throw invalidValue(name, 'a share from -1 to 1', String(length.share));
		return percent(length.share);
	};
	const [right, down] = [along('x_', x), along('y_', y)];
	return { ...(right !== 0 && { x: right }), ...(down !== 0 && { y: down }) };
}

/** Placement of a layer of any kind. */
export interface LayerPlacement {
	readonly position: Place;
	readonly move: Move | undefined;
	/** From 0 to 1. */
	readonly opacity: number;
	/** Sizes and offsets may be shares of the picture. */
	readonly isRelative: boolean;
}

/** The offset for operations. @throws PicpipeError */
export function movedBy(steps: StepList, { move, isRelative }: LayerPlacement, dpr: number) {
	if (!move) return {};
	const hasShare = [move.x, move.y].some((length) => length && 'share' in length);
	if (hasShare && !isRelative) throw unsupportedValue('x_ and y_', 'pixels, or shares with fl_relative,', 'a share');
	if (!steps.size) return movesOf(move, dpr);
	const { left, top } = offsetInPixels(move, steps.size, dpr);
	return { ...(left !== 0 && { x: left }), ...(top !== 0 && { y: top }) };
}

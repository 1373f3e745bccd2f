import { maximumSide } from '../../../operations/options.ts';
import type { Canvas } from './canvas.ts';
import type { Component } from './components.ts';
import { modes } from './modes.ts';
import {
	type Gravity,
	type Length,
	movesOf,
	offsetOf,
	pixelsOf,
	takeGravity,
	takeLength,
	takeMove,
} from './placing.ts';
import type { Mode, Target } from './request.ts';
import { unreadable, unsupported } from './values.ts';

/** What a component does to the picture. */
export type Act = (canvas: Canvas) => void;

/** Colour of what nothing covers; formats without transparency show white there. */
export const nothing = '#00000000';

/** Reads `c_` with its sizes and its place; undefined when the component does not resize. @throws PicpipeError */
export function takeResizing(component: Component, background: string | undefined, dpr: number): Act | undefined {
	const isResizing = ['c', 'w', 'h', 'ar'].some((key) => component.has(key));
	if (!isResizing) return undefined;
	const name = component.take('c') ?? 'scale';
	const mode = Object.hasOwn(modes, name) ? modes[name] : undefined;
	if (!mode) throw unsupported('c_', `one of ${Object.keys(modes).join(', ')}`, name);
	const width = takeLength(component, 'w', 'side');
	const height = takeLength(component, 'h', 'side');
	const ratio = takeRatio(component);
	if (ratio && width && height) throw unreadable('ar_', 'a width or a height, but not both', ratio.text);
	if (!width && !height && !(ratio && mode.takesShape)) {
		throw unreadable(`c_${name}`, mode.takesShape ? 'w_, h_ or ar_' : 'w_ or h_', 'none');
	}
	if (name === 'crop' && dpr !== 1) throw unsupported('dpr_', 'no c_crop, which scales nothing,', String(dpr));
	const { gravity, move } = takePlace(component, mode);
	const ignoresShape = name === 'scale' && component.takeFlag('ignore_aspect_ratio') !== undefined;

	return (canvas) =>
		mode.apply(canvas, {
			target: targetOf(canvas, { width, height, ratio }, dpr),
			gravity,
			move: canvas.size && move && offsetOf(move, canvas.size, dpr),
			moves: canvas.size ? undefined : move && movesOf(move, dpr),
			background: background ?? nothing,
			ignoresShape,
		});
}

function takePlace(component: Component, mode: Mode) {
	// What nothing is done with stays, and is refused.
	if (!mode.gravity) return { gravity: 'centre' as const, move: undefined };
	const wanted = takeGravity(component);
	if (!mode.looks && (wanted === 'attention' || wanted === 'point'))
		throw unsupported('g_', 'a side, a corner or center', wanted);
	const isMoved = component.has('x') || component.has('y');
	const move = isMoved && (mode.moves || wanted === 'point') ? takeMove(component) : undefined;
	if (wanted === 'point' && !(move?.x && move.y)) throw unreadable('g_', 'x_ and y_ with xy_center', 'xy_center');
	if (move && wanted === 'attention') throw unsupported('g_', 'no x_ and y_ with auto', 'auto');
	const fallback: Gravity = move ? 'left top' : mode.gravity;
	return { gravity: wanted ?? fallback, move };
}

interface Ratio {
	/** As operations take it. */
	readonly text: string;
	readonly value: number;
}

/** A shape: `16:9`, or how often the height goes into the width. */
function takeRatio(component: Component): Ratio | undefined {
	const text = component.take('ar');
	if (text === undefined) return undefined;
	const [, width = '', height = '1'] = /^(\d{1,5}(?:\.\d{1,4})?)(?::(\d{1,5}(?:\.\d{1,4})?))?$/.exec(text) ?? [];
	const value = width === '' ? Number.NaN : Number(width) / Number(height);
	if (!(value >= 0.01 && value <= 100)) throw unreadable('ar_', 'a shape such as 16:9 or 1.78, at most 100:1,', text);
	return { text: `${width}:${height}`, value };
}

interface Wished {
	readonly width: Length | undefined;
	readonly height: Length | undefined;
	readonly ratio: Ratio | undefined;
}

function targetOf(canvas: Canvas, { width, height, ratio }: Wished, dpr: number): Target {
	const whole = hasShare(width, height) ? canvas.known('a size in shares') : { width: 0, height: 0 };
	const side = (name: string, length: Length, of: number) => Math.max(1, pixelsOf(name, length, of, dpr));
	const w = width && side('w_', width, whole.width);
	const h = height && side('h_', height, whole.height);
	if (ratio && w !== undefined) return { width: w, height: fromRatio('ar_', w / ratio.value) };
	if (ratio && h !== undefined) return { width: fromRatio('ar_', h * ratio.value), height: h };
	if (ratio) return { ratio: ratio.text };
	return { ...(w !== undefined && { width: w }), ...(h !== undefined && { height: h }) };
}

function fromRatio(name: string, pixels: number): number {
	const side = Math.max(1, Math.round(pixels));
	if (side > maximumSide) throw unreadable(name, `a side of at most ${maximumSide} pixels`, String(side));
	return side;
}

function hasShare(...lengths: readonly (Length | undefined)[]): boolean {
	return lengths.some((length) => length && 'share' in length);
}

import type { Place } from '../../../operations/options.ts';
import type { Canvas } from './canvas.ts';
import type { Component } from './components.ts';
import { type Move, movesOf, offsetOf } from './placing.ts';
import { unsupported } from './values.ts';

/** What all layers have. */
export interface Laid {
	readonly position: Place;
	readonly move: Move | undefined;
	/** From 0 to 1. */
	readonly opacity: number;
	/** Sizes and offsets may be shares of the picture. */
	readonly isRelative: boolean;
}

/** The first of the components that has a qualifier. */
export function takeAny(components: readonly Component[], key: string): string | undefined {
	return components.find((component) => component.has(key))?.take(key);
}

/** How far from its place, as operations take it. @throws PicpipeError */
export function movedBy(canvas: Canvas, { move, isRelative }: Laid, dpr: number) {
	if (!move) return {};
	const hasShare = [move.x, move.y].some((length) => length && 'share' in length);
	if (hasShare && !isRelative) throw unsupported('x_ and y_', 'pixels, or shares with fl_relative,', 'a share');
	if (!canvas.size) return movesOf(move, dpr);
	const { left, top } = offsetOf(move, canvas.size, dpr);
	return { ...(left !== 0 && { x: left }), ...(top !== 0 && { y: top }) };
}

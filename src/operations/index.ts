import { blur } from './blur.ts';
import { border } from './border.ts';
import { circle } from './circle.ts';
import { clahe } from './clahe.ts';
import { colorize } from './colorize.ts';
import { contrast } from './contrast.ts';
import { crop } from './crop.ts';
import { duotone } from './duotone.ts';
import { extend } from './extend.ts';
import { flatten } from './flatten.ts';
import { flip } from './flip.ts';
import { flop } from './flop.ts';
import { gamma } from './gamma.ts';
import { gradient } from './gradient.ts';
import { grayscale } from './grayscale.ts';
import { median } from './median.ts';
import { modulate } from './modulate.ts';
import { negate } from './negate.ts';
import { normalise } from './normalise.ts';
import { opacity } from './opacity.ts';
import type { Operation } from './operation.ts';
import { pixelate } from './pixelate.ts';
import { resize } from './resize.ts';
import { rotate } from './rotate.ts';
import { round } from './round.ts';
import { sharpen } from './sharpen.ts';
import { text } from './text.ts';
import { threshold } from './threshold.ts';
import { tint } from './tint.ts';
import { trim } from './trim.ts';
import { unsharp } from './unsharp.ts';
import { watermark } from './watermark.ts';

/** Every operation that a recipe's steps may name, in the order that reference pages show them. */
export const operations: readonly Operation[] = [
	resize,
	crop,
	trim,
	extend,
	border,
	rotate,
	flip,
	flop,
	flatten,
	round,
	circle,
	sharpen,
	unsharp,
	blur,
	median,
	modulate,
	contrast,
	gamma,
	normalise,
	clahe,
	grayscale,
	tint,
	duotone,
	colorize,
	gradient,
	negate,
	threshold,
	pixelate,
	opacity,
	watermark,
	text,
];

const byName = new Map(operations.map((operation) => [operation.name, operation]));

export function findOperation(name: string): Operation | undefined {
	return byName.get(name);
}

import { maximumSide } from '../../../operations/options.ts';
import { transparent } from '../shared/colours.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';
import type { AddSteps, StepList } from '../shared/step-list.ts';
import type { Component } from './components.ts';
import { crop, fill, limitFill, limitPad, minimumPad, pad } from './crop-and-pad.ts';
import {
	type CloudinaryGravity,
	lengthInPixels,
	movesOf,
	offsetInPixels,
	type QualifierLength,
	takeGravity,
	takeLength,
	takeMove,
} from './gravity.ts';
import { fit, limit, minimumFit, type ResizeMode, scale, type TargetSize } from './scaling.ts';

/** Values of `c_`. */
const modes: Readonly<Record<string, ResizeMode>> = {
	scale: { apply: scale },
	fit: { apply: fit },
	limit: { apply: limit },
	mfit: { apply: minimumFit },
	fill: { apply: fill, gravity: 'centre', looks: true, takesShape: true },
	lfill: { apply: limitFill, gravity: 'centre', looks: true, takesShape: true },
	// Cloudinary's thumbnails differ from a fill only by detecting faces.
	thumb: { apply: fill, gravity: 'centre', looks: true, takesShape: true },
	auto: { apply: fill, gravity: 'attention', looks: true, takesShape: true },
	crop: { apply: crop, gravity: 'centre', looks: true, takesShape: true, moves: true },
	pad: { apply: pad, gravity: 'centre', takesShape: true },
	lpad: { apply: limitPad, gravity: 'centre', takesShape: true },
	mpad: { apply: minimumPad, gravity: 'centre', takesShape: true },
};

/** Reads `c_` with its sizes and its placement; undefined if the component does not resize. @throws PicpipeError */
export function takeResizing(component: Component, background: string | undefined, dpr: number): AddSteps | undefined {
	const isResizing = ['c', 'w', 'h', 'ar'].some((key) => component.has(key));
	if (!isResizing) return undefined;
	const name = component.take('c') ?? 'scale';
	const mode = Object.hasOwn(modes, name) ? modes[name] : undefined;
	if (!mode) throw unsupportedValue('c_', `one of ${Object.keys(modes).join(', ')}`, name);
	const width = takeLength(component, 'w', 'side');
	const height = takeLength(component, 'h', 'side');
	const ratio = takeRatio(component);
	if (ratio && width && height) throw invalidValue('ar_', 'a width or a height, but not both', ratio.text);
	if (!width && !height && !(ratio && mode.takesShape)) {
		throw invalidValue(`c_${name}`, mode.takesShape ? 'w_, h_ or ar_' : 'w_ or h_', 'none');
	}
	if (name === 'crop' && dpr !== 1) throw unsupportedValue('dpr_', 'no c_crop, which scales transparent,', String(dpr));
	const { gravity, move } = takePlace(component, mode);
	const ignoresShape = name === 'scale' && component.takeFlag('ignore_aspect_ratio') !== undefined;

	return (steps) =>
		mode.apply(steps, {
			target: targetOf(steps, { width, height, ratio }, dpr),
			gravity,
			move: steps.size && move && offsetInPixels(move, steps.size, dpr),
			moves: steps.size ? undefined : move && movesOf(move, dpr),
			background: background ?? transparent,
			ignoresShape,
		});
}

function takePlace(component: Component, mode: ResizeMode) {
	// Placement qualifiers that the mode does not use are not taken, and so refused.
	if (!mode.gravity) return { gravity: 'centre' as const, move: undefined };
	const wanted = takeGravity(component);
	if (!mode.looks && (wanted === 'attention' || wanted === 'point'))
		throw unsupportedValue('g_', 'a side, a corner or center', wanted);
	const isMoved = component.has('x') || component.has('y');
	const move = isMoved && (mode.moves || wanted === 'point') ? takeMove(component) : undefined;
	if (wanted === 'point' && !(move?.x && move.y)) throw invalidValue('g_', 'x_ and y_ with xy_center', 'xy_center');
	if (move && wanted === 'attention') throw unsupportedValue('g_', 'no x_ and y_ with auto', 'auto');
	const fallback: CloudinaryGravity = move ? 'left top' : mode.gravity;
	return { gravity: wanted ?? fallback, move };
}

interface Ratio {
	/** The ratio in the operations' syntax. */
	readonly text: string;
	readonly value: number;
}

/** An aspect ratio: `16:9`, or width divided by height. */
function takeRatio(component: Component): Ratio | undefined {
	const text = component.take('ar');
	if (text === undefined) return undefined;
	const [, width = '', height = '1'] = /^(\d{1,5}(?:\.\d{1,4})?)(?::(\d{1,5}(?:\.\d{1,4})?))?$/.exec(text) ?? [];
	const value = width === '' ? Number.NaN : Number(width) / Number(height);
	if (!(value >= 0.01 && value <= 100)) throw invalidValue('ar_', 'a shape such as 16:9 or 1.78, at most 100:1,', text);
	return { text: `${width}:${height}`, value };
}

interface Wished {
	readonly width: QualifierLength | undefined;
	readonly height: QualifierLength | undefined;
	readonly ratio: Ratio | undefined;
}

function targetOf(steps: StepList, { width, height, ratio }: Wished, dpr: number): TargetSize {
	const whole = hasShare(width, height) ? steps.sizeFor('a size in shares') : { width: 0, height: 0 };
	const side = (name: string, length: QualifierLength, of: number) =>
		Math.max(1, lengthInPixels(name, length, of, dpr));
	const w = width && side('w_', width, whole.width);
	const h = height && side('h_', height, whole.height);
	if (ratio && w !== undefined) return { width: w, height: fromRatio('ar_', w / ratio.value) };
	if (ratio && h !== undefined) return { width: fromRatio('ar_', h * ratio.value), height: h };
	if (ratio) return { ratio: ratio.text };
	return { ...(w !== undefined && { width: w }), ...(h !== undefined && { height: h }) };
}

function fromRatio(name: string, pixels: number): number {
	const side = Math.max(1, Math.round(pixels));
	if (side > maximumSide) throw invalidValue(name, `a side of at most ${maximumSide} pixels`, String(side));
	return side;
}

function hasShare(...lengths: readonly (QualifierLength | undefined)[]): boolean {
	return lengths.some((length) => length && 'share' in length);
}

import type { Size } from '../../../operations/operation.ts';
import { maximumSide } from '../../../operations/options.ts';
import type { Colour } from './colours.ts';
import { refused } from './given.ts';
import type { Area, Resize, Settings } from './settings.ts';
import { isSized } from './settings.ts';
import { type Steps, tooLarge } from './steps.ts';

/** What is done before the scaling: turned first if so, then trimmed, then cut. */
export function cutSteps(settings: Settings, steps: Steps): void {
	const { turnsFirst, trim, cutFirst } = settings;
	if (turnsFirst) {
		mirror(settings, steps);
		turn(settings, steps);
	}
	if (trim !== undefined) steps.add('trim', trim === 10 ? {} : { threshold: trim });
	if (cutFirst) cut(cutFirst, steps);
}

/** The scaling with what it cuts off or adds, and all that comes after it and changes the size. */
export function scaleSteps(settings: Settings, steps: Steps): void {
	const { turnsFirst, angle = 0, resize, cutLast, extend, background } = settings;
	if (!turnsFirst) mirror(settings, steps);
	const isTurned = !turnsFirst && angle !== 0;
	if (resize && isSized(settings)) {
		if (isTurned && angle % 180 === 90 && steps.size)
			scaleThenTurn(resize, steps, { size: steps.size, angle, background });
		else {
			// A picture on its head has the same size: only what is cut off has to be found in what is turned.
			if (isTurned && angle === 180) turn(settings, steps);
			scale(resize, steps, background);
			if (isTurned && angle % 90 !== 0) turn(settings, steps);
		}
	} else if (isTurned) turn(settings, steps);
	if (cutLast) cut(cutLast, steps);
	if (extend) {
		const { with: material, ...edges } = extend;
		const sides = Object.fromEntries(Object.entries(edges).filter(([, pixels]) => pixels > 0));
		if (Object.keys(sides).length === 0) return;
		const filled = material === 'background' ? { ...(background && { background }) } : { with: material };
		steps.add('extend', { ...sides, ...filled });
	}
}

function mirror({ flip, flop }: Settings, steps: Steps): void {
	if (flip) steps.add('flip');
	if (flop) steps.add('flop');
}

function turn({ angle = 0, background }: Settings, steps: Steps): void {
	steps.add('rotate', { angle, ...(angle % 90 !== 0 && background && { background }) });
}

/** @throws PicpipeError when it reaches out of the picture, where ipx fails */
function cut({ left, top, width, height }: Area, steps: Steps): void {
	const { size } = steps;
	if (size) {
		if (left + width > size.width || top + height > size.height) {
			const within = `an area within the ${size.width}×${size.height} pixels of the picture`;
			throw refused('extract', within, [left, top, width, height].join('_'));
		}
		if (width === size.width && height === size.height) return;
	}
	steps.add('crop', { left, top, width, height });
}

/** As `resize` takes it, which has sharp's words; what means nothing is left out. */
function written(resize: Resize, background?: Colour): Readonly<Record<string, unknown>> {
	const { width, height, fit = 'cover', position = 'centre', kernel, withoutEnlargement } = resize;
	const isPlaced = fit === 'cover' ? width !== undefined && height !== undefined : fit === 'contain';
	return {
		...(width !== undefined && { width }),
		...(height !== undefined && { height }),
		...(fit !== 'cover' && { fit }),
		...(isPlaced && placeFor(fit, position) !== 'centre' && { position }),
		...(kernel && kernel !== 'lanczos3' && { kernel }),
		...(withoutEnlargement && { withoutEnlargement }),
		...(fit === 'contain' && background && { background }),
	};
}

/** Only a cut is looked for in the picture; elsewhere sharp takes the middle. */
function placeFor(fit: string, position: string): string {
	return fit === 'contain' && (position === 'attention' || position === 'entropy') ? 'centre' : position;
}

function scale(resize: Resize, steps: Steps, background?: Colour): void {
	const { size } = steps;
	const { withoutEnlargement, ...free } = written(resize, background);
	const held = { ...free, ...(withoutEnlargement === true && { withoutEnlargement }) };
	if (!size) {
		steps.add('resize', held);
		return;
	}
	const made = steps.predict('resize', held, size).output;
	if (isSame(made, size)) return;
	// Where nothing is to be enlarged anyway, it is not said.
	steps.add('resize', isSame(made, steps.predict('resize', free, size).output) ? free : held);
}

interface Turned {
	readonly size: Size;
	readonly angle: number;
	readonly background: Colour | undefined;
}

/**
 * A quarter turn after the scaling comes before sharp cuts off or adds: so a width and a height are that of the picture as it lay for
 * the scaling, and that of the picture as it stands for the frame. What is turned first can be scaled to the same pixels.
 */
function scaleThenTurn(resize: Resize, steps: Steps, { size, angle, background }: Turned): void {
	const { width, height, fit = 'cover', position = 'centre', kernel, withoutEnlargement } = resize;
	const isWhole = fit === 'fill' ? fit : fit === 'cover' || fit === 'outside' ? 'outside' : 'inside';
	const lying = steps.predict(
		'resize',
		{ ...written({ width, height, withoutEnlargement: withoutEnlargement === true }), fit: isWhole },
		size,
	);
	const made = { width: lying.output.height, height: lying.output.width };
	steps.add('rotate', { angle });
	const isScaled = !isSame(lying.output, size);
	// The exact size has to be said, so it can't be larger than what may be said.
	if (isScaled && Math.max(made.width, made.height) > maximumSide) throw tooLarge('resize', made);
	if (isScaled) steps.add('resize', { ...made, fit: 'fill', ...(kernel && kernel !== 'lanczos3' && { kernel }) });
	const frame = { width: width ?? made.width, height: height ?? made.height };
	if (fit === 'cover') {
		const kept = { width: Math.min(frame.width, made.width), height: Math.min(frame.height, made.height) };
		if (!isSame(kept, made)) steps.add('crop', { ...kept, ...(position !== 'centre' && { position }) });
	}
	if (fit === 'contain' && (frame.width > made.width || frame.height > made.height)) {
		const place = placeFor(fit, position);
		steps.add('extend', {
			...frame,
			...(place !== 'centre' && { position: place }),
			...(background && { background }),
		});
	}
}

function isSame(one: Size, other: Size): boolean {
	return one.width === other.width && one.height === other.height;
}

import type { Size } from '../../../operations/operation.ts';
import type { HexColour } from '../shared/colours.ts';
import { invalidValue } from '../shared/refusals.ts';
import { checkSides, isSameSize, type StepList } from '../shared/step-list.ts';
import { type Area, type IpxResize, isSized, type Settings } from './settings.ts';

/** The steps before scaling: an early rotation, trimming, then cropping. */
export function cutSteps(settings: Settings, steps: StepList): void {
	const { turnsFirst, trim, cutFirst } = settings;
	if (turnsFirst) {
		mirror(settings, steps);
		turn(settings, steps);
	}
	if (trim !== undefined) steps.add('trim', trim === 10 ? {} : { threshold: trim });
	if (cutFirst) cut(cutFirst, steps);
}

/** The scaling with its cropping or extending, and the later steps that change the size. */
export function scaleSteps(settings: Settings, steps: StepList): void {
	const { turnsFirst, angle = 0, resize, cutLast, extend, background } = settings;
	if (!turnsFirst) mirror(settings, steps);
	const isTurned = !turnsFirst && angle !== 0;
	if (resize && isSized(settings)) {
		const { size } = steps;
		if (isTurned && size && (angle % 180 === 90 || (angle === 180 && isEnlarged(size, lyingSize(resize, steps, size)))))
			scaleThenTurn(resize, steps, { size, angle, background });
		else {
			// A rotation by 180 degrees keeps the size, but the crop position has to be found in the rotated picture.
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

function mirror({ flip, flop }: Settings, steps: StepList): void {
	if (flip) steps.add('flip');
	if (flop) steps.add('flop');
}

function turn({ angle = 0, background }: Settings, steps: StepList): void {
	steps.add('rotate', { angle, ...(angle % 90 !== 0 && background && { background }) });
}

/** @throws PicpipeError if the area exceeds the picture, where ipx fails */
function cut({ left, top, width, height }: Area, steps: StepList): void {
	const { size } = steps;
	if (size) {
		if (left + width > size.width || top + height > size.height) {
			const within = `an area within the ${size.width}×${size.height} pixels of the picture`;
			throw invalidValue('extract', within, [left, top, width, height].join('_'));
		}
		if (width === size.width && height === size.height) return;
	}
	steps.add('crop', { left, top, width, height });
}

/** The options of `resize`, which uses sharp's words. Options without an effect are left out. */
function written(resize: IpxResize, background?: HexColour): Readonly<Record<string, unknown>> {
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

/** Only cropping searches the picture for its position; otherwise sharp uses the centre. */
function placeFor(fit: string, position: string): string {
	return fit === 'contain' && (position === 'attention' || position === 'entropy') ? 'centre' : position;
}

function scale(resize: IpxResize, steps: StepList, background?: HexColour): void {
	const { size } = steps;
	const { withoutEnlargement, ...free } = written(resize, background);
	const held = { ...free, ...(withoutEnlargement === true && { withoutEnlargement }) };
	if (!size) {
		steps.add('resize', held);
		return;
	}
	const made = steps.predict(size, 'resize', held);
	if (isSameSize(made, size)) return;
	// If nothing would be enlarged anyway, the option is left out.
	steps.add('resize', isSameSize(made, steps.predict(size, 'resize', free)) ? free : held);
}

interface Turned {
	readonly size: Size;
	readonly angle: number;
	readonly background: HexColour | undefined;
}

/** The size to which the whole picture is scaled before it is turned. */
function lyingSize({ width, height, fit = 'cover', withoutEnlargement }: IpxResize, steps: StepList, size: Size): Size {
	const isWhole = fit === 'fill' ? fit : fit === 'cover' || fit === 'outside' ? 'outside' : 'inside';
	return steps.predict(size, 'resize', {
		...written({ width, height, withoutEnlargement: withoutEnlargement === true }),
		fit: isWhole,
	});
}

function isEnlarged(size: Size, scaled: Size): boolean {
	return scaled.width > size.width || scaled.height > size.height;
}

/**
 * A turn after scaling happens before sharp crops or extends. So width and height refer to the unrotated picture for the scaling,
 * and to the rotated picture for the frame. Scaled down, a picture that is rotated first gives the same pixels. Enlarged it does not, because
 * sharp enlarges from the left top corner.
 */
function scaleThenTurn(resize: IpxResize, steps: StepList, { size, angle, background }: Turned): void {
	const { width, height, fit = 'cover', position = 'centre', kernel } = resize;
	const lying = lyingSize(resize, steps, size);
	const made = angle === 180 ? lying : { width: lying.height, height: lying.width };
	const isScaled = !isSameSize(lying, size);
	const scaling = { fit: 'fill', ...(kernel && kernel !== 'lanczos3' && { kernel }) };
	// The exact size is part of the step, so it must be within the limits.
	if (isScaled) checkSides(made, 'resize');
	const isFirst = isScaled && isEnlarged(size, lying);
	if (isFirst) steps.add('resize', { ...lying, ...scaling });
	steps.add('rotate', { angle });
	if (isScaled && !isFirst) steps.add('resize', { ...made, ...scaling });
	const frame = { width: width ?? made.width, height: height ?? made.height };
	if (fit === 'cover') {
		const kept = { width: Math.min(frame.width, made.width), height: Math.min(frame.height, made.height) };
		if (!isSameSize(kept, made)) steps.add('crop', { ...kept, ...(position !== 'centre' && { position }) });
	}
	if (fit === 'contain' && (frame.width > made.width || frame.height > made.height)) {
		const place = placeFor(fit, position);
		// sharp's `contain` leaves the odd pixel at the right and at the bottom, `extend` at the left and at the top.
		const isOddAcross = (frame.width - made.width) % 2 === 1 && !/left|right/.test(place);
		const isOddDown = (frame.height - made.height) % 2 === 1 && !/top|bottom/.test(place);
		steps.add('extend', {
			...frame,
			...(place !== 'centre' && { position: place }),
			...(isOddAcross && { x: -1 }),
			...(isOddDown && { y: -1 }),
			...(background && { background }),
		});
	}
}

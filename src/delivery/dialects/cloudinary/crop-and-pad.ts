import { type Moves, type Offset, placeIn, shapeAround, shapeWithin } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import { ratioOf } from '../../../operations/options.ts';
import { isSameSize, type StepList } from '../shared/step-list.ts';
import type { CloudinaryGravity } from './gravity.ts';
import { bothOf, fitWithin, limit, type ResizeRequest, sidesOf, type TargetSize } from './scaling.ts';

/** Modes of `c_` that crop the picture or extend it. */

/** Scales the picture to cover the size, and crops the excess. */
export function fill(steps: StepList, request: ResizeRequest): void {
	const both = bothOf(request.target);
	if (request.target.ratio !== undefined) crop(steps, request);
	else if (both) cover(steps, both, request);
	else fitWithin(steps, request.target);
}

/** As `fill`, without enlarging. A smaller picture is cropped to at most the size. */
export function limitFill(steps: StepList, request: ResizeRequest): void {
	const { target, gravity, move } = request;
	const both = bothOf(target);
	const { size } = steps;
	if (target.ratio !== undefined) crop(steps, request);
	else if (!both) limit(steps, request);
	else if (!size) {
		if (gravity === 'point') steps.sizeFor('g_xy_center');
		steps.add('resize', { ...both, ...positionOf(gravity), withoutEnlargement: true });
	} else if (both.width <= size.width && both.height <= size.height) cover(steps, both, request);
	else cropTo(steps, both, gravity, move);
}

function cover(steps: StepList, both: Size, { gravity, move }: ResizeRequest): void {
	const { size } = steps;
	const by = size ? Math.max(both.width / size.width, both.height / size.height) : 0;
	const isWhole =
		size && isSameSize({ width: Math.round(size.width * by), height: Math.round(size.height * by) }, both);
	if (isWhole) steps.scaleTo(both);
	else if (gravity === 'point') {
		cropTo(steps, shapeWithin(steps.sizeFor('g_xy_center'), both.width / both.height), gravity, move);
		steps.scaleTo(both);
	} else steps.add('resize', { ...both, ...positionOf(gravity) }, both);
}

/** Crops to a size or a shape without scaling. */
export function crop(steps: StepList, request: ResizeRequest): void {
	const { target, gravity, move } = request;
	if (!steps.size) cropUnknown(steps, request);
	else if (target.ratio === undefined) cropTo(steps, sidesOf(target), gravity, move);
	else cropTo(steps, shapeWithin(steps.size, ratioOf(target.ratio)), gravity, move);
}

function positionOf(gravity: CloudinaryGravity) {
	return gravity === 'centre' ? {} : { position: gravity };
}

function cropTo(steps: StepList, sides: Partial<Size>, gravity: CloudinaryGravity, move: Offset | undefined): void {
	const size = steps.sizeFor('such a crop');
	const kept = {
		width: Math.min(sides.width ?? size.width, size.width),
		height: Math.min(sides.height ?? size.height, size.height),
	};
	if (isSameSize(kept, size)) return;
	const cut = {
		...(kept.width < size.width && { width: kept.width }),
		...(kept.height < size.height && { height: kept.height }),
	};
	if (gravity === 'attention') {
		steps.add('crop', { ...cut, position: gravity });
		return;
	}
	const start = startOf(size, kept, gravity, move ?? { left: 0, top: 0 });
	const centre = placeIn(size, kept, 'centre');
	const isCentred = start.left === centre.left && start.top === centre.top;
	steps.add('crop', { ...cut, ...(!isCentred && start) });
}

/** Crops a picture of unknown size. */
function cropUnknown(steps: StepList, { target, gravity, moves = {} }: ResizeRequest): void {
	const kept = target.ratio === undefined ? sidesOf(target) : { ratio: target.ratio };
	steps.add('crop', { ...kept, ...(gravity === 'point' ? around(steps, target, moves) : placed(gravity, moves)) });
}

function placed(gravity: CloudinaryGravity, { x, y }: Moves) {
	const pixels = (length: Moves['x'] = 0) => (typeof length === 'number' && length >= 0 ? length : undefined);
	const [left, top] = [pixels(x), pixels(y)];
	const isMoved = x !== undefined || y !== undefined;
	// Prefer absolute coordinates, so that the same crop has the same step.
	if (isMoved && gravity === 'left top' && left !== undefined && top !== undefined) return { left, top };
	return { ...positionOf(gravity), ...(x !== undefined && { x }), ...(y !== undefined && { y }) };
}

/** A point is the middle of the crop, which begins half its size before the point. */
function around(steps: StepList, { width, height, ratio }: TargetSize, { x = 0, y = 0 }: Moves) {
	if (ratio !== undefined || typeof x === 'string' || typeof y === 'string') {
		steps.sizeFor('g_xy_center with ar_ or shares');
	}
	const start = (at: Moves['x'], side: number | undefined) =>
		side === undefined ? 0 : Math.round(Number(at) - side / 2);
	return { position: 'left top', x: start(x, width), y: start(y, height) };
}

/** The start of the crop, which must lie inside the picture. */
function startOf(
	size: Size,
	kept: Size,
	gravity: Exclude<CloudinaryGravity, 'attention'>,
	{ left, top }: Offset,
): Offset {
	const within = (at: number, room: number) => Math.max(0, Math.min(room, Math.round(at)));
	const room = { left: size.width - kept.width, top: size.height - kept.height };
	if (gravity === 'point') {
		return { left: within(left - kept.width / 2, room.left), top: within(top - kept.height / 2, room.top) };
	}
	const start = placeIn(size, kept, gravity);
	return {
		left: within(start.left + left * (gravity.includes('right') ? -1 : 1), room.left),
		top: within(start.top + top * (gravity.includes('bottom') ? -1 : 1), room.top),
	};
}

/** Scales the picture to fit, and extends it to the size. */
export function pad(steps: StepList, request: ResizeRequest): void {
	const { target } = request;
	const both = bothOf(target);
	if (target.ratio !== undefined) extendTo(steps, request);
	else if (!both) fitWithin(steps, target);
	else {
		const { size } = steps;
		const isWhole = size && isSameSize(steps.predict(size, 'resize', { ...both, fit: 'inside' }), both);
		if (isWhole) steps.scaleTo(both);
		else steps.add('resize', { ...both, fit: 'contain', ...placeAndColour(request) }, both);
	}
}

/** As `pad`, without enlarging. */
export function limitPad(steps: StepList, request: ResizeRequest): void {
	const { target } = request;
	const both = bothOf(target);
	const { size } = steps;
	if (size && both && (both.width < size.width || both.height < size.height)) pad(steps, request);
	else {
		if (target.ratio === undefined) limit(steps, request);
		extendTo(steps, request);
	}
}

/** Extends the picture to the size without scaling. */
export function minimumPad(steps: StepList, request: ResizeRequest): void {
	extendTo(steps, request);
}

function extendTo(steps: StepList, request: ResizeRequest): void {
	const { target } = request;
	const { size } = steps;
	if (!size) {
		const lacking = target.ratio === undefined ? sidesOf(target) : { ratio: target.ratio };
		steps.add('extend', { ...lacking, ...placeAndColour(request) });
		return;
	}
	const outer =
		target.ratio === undefined
			? { width: Math.max(target.width ?? 1, size.width), height: Math.max(target.height ?? 1, size.height) }
			: shapeAround(size, ratioOf(target.ratio));
	if (isSameSize(outer, size)) return;
	const lacking = {
		...(outer.width > size.width && { width: outer.width }),
		...(outer.height > size.height && { height: outer.height }),
	};
	steps.add('extend', { ...lacking, ...placeAndColour(request) });
}

function placeAndColour({ gravity, background }: ResizeRequest) {
	return { ...(gravity !== 'centre' && { position: gravity }), background };
}

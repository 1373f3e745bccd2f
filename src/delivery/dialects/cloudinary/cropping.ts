import { type Moves, type Offset, placeIn, shapeWithin } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import { ratioOf } from '../../../operations/options.ts';
import { type Canvas, isSame } from './canvas.ts';
import type { Gravity } from './placing.ts';
import { bothOf, type Request, sidesOf, type Target } from './request.ts';
import { fitWithin, limit } from './scaling.ts';

/** Values of `c_` that keep a part of the picture. */

/** Scales until the size is covered, and cuts off what sticks out. */
export function fill(canvas: Canvas, request: Request): void {
	const both = bothOf(request.target);
	if (request.target.ratio !== undefined) crop(canvas, request);
	else if (both) cover(canvas, both, request);
	else fitWithin(canvas, request.target);
}

/** As `fill`, but nothing is enlarged: of a smaller picture the part is kept that is no larger than the size. */
export function limitFill(canvas: Canvas, request: Request): void {
	const { target, gravity, move } = request;
	const both = bothOf(target);
	const { size } = canvas;
	if (target.ratio !== undefined) crop(canvas, request);
	else if (!both) limit(canvas, request);
	else if (!size) {
		if (gravity === 'point') canvas.known('g_xy_center');
		canvas.add('resize', { ...both, ...positionOf(gravity), withoutEnlargement: true });
	} else if (both.width <= size.width && both.height <= size.height) cover(canvas, both, request);
	else cropTo(canvas, both, gravity, move);
}

function cover(canvas: Canvas, both: Size, { gravity, move }: Request): void {
	const { size } = canvas;
	const by = size ? Math.max(both.width / size.width, both.height / size.height) : 0;
	const isWhole = size && isSame({ width: Math.round(size.width * by), height: Math.round(size.height * by) }, both);
	if (isWhole) canvas.scaleTo(both);
	else if (gravity === 'point') {
		cropTo(canvas, shapeWithin(canvas.known('g_xy_center'), both.width / both.height), gravity, move);
		canvas.scaleTo(both);
	} else canvas.add('resize', { ...both, ...positionOf(gravity) }, both);
}

/** Keeps a part, of a size or of a shape, and scales nothing. */
export function crop(canvas: Canvas, request: Request): void {
	const { target, gravity, move } = request;
	if (!canvas.size) cropUnknown(canvas, request);
	else if (target.ratio === undefined) cropTo(canvas, sidesOf(target), gravity, move);
	else cropTo(canvas, shapeWithin(canvas.size, ratioOf(target.ratio)), gravity, move);
}

function positionOf(gravity: Gravity) {
	return gravity === 'centre' ? {} : { position: gravity };
}

function cropTo(canvas: Canvas, sides: Partial<Size>, gravity: Gravity, move: Offset | undefined): void {
	const size = canvas.known('such a crop');
	const kept = {
		width: Math.min(sides.width ?? size.width, size.width),
		height: Math.min(sides.height ?? size.height, size.height),
	};
	if (isSame(kept, size)) return;
	const cut = {
		...(kept.width < size.width && { width: kept.width }),
		...(kept.height < size.height && { height: kept.height }),
	};
	if (gravity === 'attention') {
		canvas.add('crop', { ...cut, position: gravity });
		return;
	}
	const start = startOf(size, kept, gravity, move ?? { left: 0, top: 0 });
	const centre = placeIn(size, kept, 'centre');
	const isCentred = start.left === centre.left && start.top === centre.top;
	canvas.add('crop', { ...cut, ...(!isCentred && start) });
}

/** Of a picture whose size is not known. */
function cropUnknown(canvas: Canvas, { target, gravity, moves = {} }: Request): void {
	const kept = target.ratio === undefined ? sidesOf(target) : { ratio: target.ratio };
	canvas.add('crop', { ...kept, ...(gravity === 'point' ? around(canvas, target, moves) : placed(gravity, moves)) });
}

function placed(gravity: Gravity, { x, y }: Moves) {
	const pixels = (length: Moves['x'] = 0) => (typeof length === 'number' && length >= 0 ? length : undefined);
	const [left, top] = [pixels(x), pixels(y)];
	const isMoved = x !== undefined || y !== undefined;
	// The same in other words, where there are such.
	if (isMoved && gravity === 'left top' && left !== undefined && top !== undefined) return { left, top };
	return { ...positionOf(gravity), ...(x !== undefined && { x }), ...(y !== undefined && { y }) };
}

/** A point is in the middle of what is kept, so that this begins half of it before. */
function around(canvas: Canvas, { width, height, ratio }: Target, { x = 0, y = 0 }: Moves) {
	if (ratio !== undefined || typeof x === 'string' || typeof y === 'string') {
		canvas.known('g_xy_center with ar_ or shares');
	}
	const start = (at: Moves['x'], side: number | undefined) =>
		side === undefined ? 0 : Math.round(Number(at) - side / 2);
	return { position: 'left top', x: start(x, width), y: start(y, height) };
}

/** Where what is kept begins; no part of it lies outside. */
function startOf(size: Size, kept: Size, gravity: Exclude<Gravity, 'attention'>, { left, top }: Offset): Offset {
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

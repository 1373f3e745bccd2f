import { shapeAround } from '../../../operations/geometry.ts';
import { ratioOf } from '../../../operations/options.ts';
import { type Canvas, isSame } from './canvas.ts';
import { bothOf, type Request, sidesOf } from './request.ts';
import { fitWithin, limit } from './scaling.ts';

/** Values of `c_` that add what the picture lacks of a size or shape. */

/** Scales until it fits, and adds the rest. */
export function pad(canvas: Canvas, request: Request): void {
	const { target } = request;
	const both = bothOf(target);
	if (target.ratio !== undefined) extendTo(canvas, request);
	else if (!both) fitWithin(canvas, target);
	else {
		const { size } = canvas;
		const isWhole = size && isSame(canvas.predict(size, 'resize', { ...both, fit: 'inside' }), both);
		if (isWhole) canvas.scaleTo(both);
		else canvas.add('resize', { ...both, fit: 'contain', ...placeAndColour(request) }, both);
	}
}

/** As `pad`, but nothing is enlarged. */
export function limitPad(canvas: Canvas, request: Request): void {
	const { target } = request;
	const both = bothOf(target);
	const { size } = canvas;
	if (size && both && (both.width < size.width || both.height < size.height)) pad(canvas, request);
	else {
		if (target.ratio === undefined) limit(canvas, request);
		extendTo(canvas, request);
	}
}

/** Adds what is lacking of the size, and scales nothing. */
export function minimumPad(canvas: Canvas, request: Request): void {
	extendTo(canvas, request);
}

function extendTo(canvas: Canvas, request: Request): void {
	const { target } = request;
	const { size } = canvas;
	if (!size) {
		const lacking = target.ratio === undefined ? sidesOf(target) : { ratio: target.ratio };
		canvas.add('extend', { ...lacking, ...placeAndColour(request) });
		return;
	}
	const outer =
		target.ratio === undefined
			? { width: Math.max(target.width ?? 1, size.width), height: Math.max(target.height ?? 1, size.height) }
			: shapeAround(size, ratioOf(target.ratio));
	if (isSame(outer, size)) return;
	const lacking = {
		...(outer.width > size.width && { width: outer.width }),
		...(outer.height > size.height && { height: outer.height }),
	};
	canvas.add('extend', { ...lacking, ...placeAndColour(request) });
}

function placeAndColour({ gravity, background }: Request) {
	return { ...(gravity !== 'centre' && { position: gravity }), background };
}

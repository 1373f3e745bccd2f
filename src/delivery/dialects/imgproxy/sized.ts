import { coverIn, shapeAround, shapeWithin } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import { type Gravity, isPlain, standsAt } from './gravity.ts';
import type { Pipeline } from './pipeline.ts';
import { leastOf, type Scaled, scaleFor } from './scale.ts';
import { checkSides, type Step, type Work } from './work.ts';

/** Steps for a picture whose size is known: every number is counted here, so that the same result has the same steps. */

/** Cuts as `crop` says, before anything is scaled. */
export function cropSized(work: Work, input: Size, pipeline: Pipeline): Size {
	const kept = cropSize(input, pipeline);
	const step = cutTo(input, kept, pipeline.crop.gravity ?? pipeline.gravity, 1);
	if (step) work.steps.push(step);
	return kept;
}

function cropSize(input: Size, { crop, cropRatio: { ratio, enlarge } }: Pipeline): Size {
	const along = (length: number, side: number) => {
		if (length === 0) return side;
		return length >= 1 ? Math.min(length, side) : Math.max(1, Math.round(side * length));
	};
	const asked = { width: along(crop.width, input.width), height: along(crop.height, input.height) };
	if (ratio === 0) return asked;
	if (!enlarge) return shapeWithin(asked, ratio);
	const around = shapeAround(asked, ratio);
	return around.width > input.width || around.height > input.height ? shapeWithin(input, ratio) : around;
}

/** Scales the picture, and cuts what is too much. */
export function resizeSized(work: Work, input: Size, pipeline: Pipeline): Scaled {
	const sizes = scaleFor(input, pipeline, work.isDrawn);
	const result = leastOf(sizes.scaled, sizes.kept);
	work.steps.push(...scalingSteps(input, sizes, result, pipeline));
	work.size = result;
	return { ...sizes, isDown: sizes.scaled.width < input.width || sizes.scaled.height < input.height };
}

function scalingSteps(input: Size, { scaled, dpr }: Scaled, result: Size, pipeline: Pipeline): readonly Step[] {
	const { gravity, algorithm } = pipeline;
	const kernel = algorithm === 'lanczos3' ? {} : { kernel: algorithm };
	if (isSame(input, scaled)) return present(cutTo(input, result, gravity, dpr));
	if (isSame(scaled, result)) {
		checkSides(scaled);
		return [{ resize: { ...shortest(input, scaled), ...kernel } }];
	}
	checkSides(result);
	const place = gravity.type === 'smart' ? 'attention' : isPlain(gravity) ? gravity.place : undefined;
	if (place !== undefined && isAlike(coverIn(input, result), scaled)) {
		return [{ resize: { ...result, ...positionOf(place), ...kernel } }];
	}
	const isEnlarged = scaled.width > input.width || scaled.height > input.height;
	if (isEnlarged && gravity.type !== 'smart') {
		// Cut first: what is thrown away is not enlarged before.
		const at = standsAt(scaled, result, gravity, dpr);
		const [x, y] = [input.width / scaled.width, input.height / scaled.height];
		const part = {
			width: Math.min(input.width, Math.max(1, Math.round(result.width * x))),
			height: Math.min(input.height, Math.max(1, Math.round(result.height * y))),
		};
		const left = Math.min(Math.round(at.left * x), input.width - part.width);
		const top = Math.min(Math.round(at.top * y), input.height - part.height);
		const cut = isSame(part, input) ? undefined : ({ crop: { ...sidesCut(input, part), left, top } } as const);
		return [...present(cut), { resize: { ...result, fit: 'fill', ...kernel } }];
	}
	checkSides(scaled);
	return [{ resize: { ...shortest(input, scaled), ...kernel } }, ...present(cutTo(scaled, result, gravity, dpr))];
}

/** One side where the other one follows from it. */
function shortest(input: Size, { width, height }: Size): Readonly<Record<string, unknown>> {
	if (Math.max(1, Math.round(input.height * (width / input.width))) === height) return { width };
	if (Math.max(1, Math.round(input.width * (height / input.height))) === width) return { height };
	return { width, height, fit: 'fill' };
}

/** A step that keeps a part; undefined when that is all. */
function cutTo(input: Size, kept: Size, gravity: Gravity, dpr: number): Step | undefined {
	if (isSame(input, kept)) return undefined;
	const sides = sidesCut(input, kept);
	checkSides({ width: 0, height: 0, ...sides });
	if (gravity.type === 'smart') return { crop: { ...sides, position: 'attention' } };
	return { crop: { ...sides, ...standsAt(input, kept, gravity, dpr) } };
}

/** A side that stays whole is not said. */
function sidesCut(input: Size, { width, height }: Size): Partial<Size> {
	return { ...(width !== input.width && { width }), ...(height !== input.height && { height }) };
}

function positionOf(position: string): { readonly position?: string } {
	return position === 'centre' ? {} : { position };
}

function present(step: Step | undefined): readonly Step[] {
	return step ? [step] : [];
}

/** The same but for the rounding of a pixel, which nobody sees where the rest is cut off. */
function isAlike(one: Size, other: Size): boolean {
	return Math.abs(one.width - other.width) <= 1 && Math.abs(one.height - other.height) <= 1;
}

function isSame(one: Size, other: Size): boolean {
	return one.width === other.width && one.height === other.height;
}

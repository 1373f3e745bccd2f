import { roundToEven } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import { hexDigits, transparent } from '../shared/colours.ts';
import { sizeUnknown } from '../shared/refusals.ts';
import { checkSides, percent, type StepList } from '../shared/step-list.ts';
import { centre, type ImgproxyGravity, placement, share, standsAt } from './gravity.ts';
import type { Extension, Pipeline, PipelineSizes, PipelineState, Sides } from './pipeline.ts';
import { sidesOf } from './resize-relative.ts';

const nothing: Sides = { top: 0, right: 0, bottom: 0, left: 0 };

/** Extends the picture to a size, to a shape, and by paddings; in one step if possible. */
export function extend(steps: StepList, { pipeline, sizes }: PipelineState): void {
	const background = backgroundOf(pipeline);
	const { size } = steps;
	const count = steps.steps.length;
	if (!size) extendUnsized(steps, pipeline, sizes, background);
	const added = size ? addedSides(size, pipeline, sizes) : nothing;
	const sides = sum(added, paddingOf(pipeline.padding, sizes.dpr));
	const room = (size ? undefined : paddingInShares(pipeline, sizes)) ?? present(sides);
	if (Object.keys(room).length > 0) steps.add('extend', { ...room, background });
	if (steps.size && steps.steps.length > count) checkSides(steps.size);
}

function addedSides(input: Size, pipeline: Pipeline, sizes: PipelineSizes): Sides {
	const extended = sidesFor(input, sizes.target, pipeline.extend, sizes.dpr);
	const { width, height } = input;
	const size = {
		width: width + extended.left + extended.right,
		height: height + extended.top + extended.bottom,
	};
	return sum(extended, sidesFor(size, sizes.framed, pipeline.extendRatio, sizes.dpr));
}

function sidesFor(inner: Size, to: Size, { isOn, gravity }: Extension, dpr: number): Sides {
	const outer = { width: Math.max(inner.width, to.width), height: Math.max(inner.height, to.height) };
	if (!isOn || (outer.width === inner.width && outer.height === inner.height)) return nothing;
	const { left, top } = standsAt(outer, inner, atRest(gravity), dpr);
	return { left, top, right: outer.width - inner.width - left, bottom: outer.height - inner.height - top };
}

/** `sm` is refused when the option is read. */
function atRest(gravity: ImgproxyGravity): Exclude<ImgproxyGravity, { type: 'smart' }> {
	return gravity.type === 'smart' ? centre : gravity;
}

function paddingOf({ top, right, bottom, left }: Sides, dpr: number): Sides {
	const times = (side: number) => roundToEven(side * dpr);
	return { top: times(top), right: times(right), bottom: times(bottom), left: times(left) };
}

function sum(one: Sides, other: Sides): Sides {
	return {
		top: one.top + other.top,
		right: one.right + other.right,
		bottom: one.bottom + other.bottom,
		left: one.left + other.left,
	};
}

function present(sides: Sides): Partial<Sides> {
	return Object.fromEntries(Object.entries(sides).filter(([, side]) => side > 0));
}

/** The colour behind the picture; transparent by default. */
function backgroundOf({ background, backgroundOpacity }: Pipeline): string {
	if (background === undefined) return transparent;
	if (backgroundOpacity === 1) return background;
	return `${background}${hexDigits(Math.round(backgroundOpacity * 255))}`;
}

/** Extends a picture of unknown size to the requested size or shape. */
function extendUnsized(steps: StepList, pipeline: Pipeline, sizes: PipelineSizes, background: string): void {
	const { extend, extendRatio } = pipeline;
	const { target, page, dpr } = sizes;
	const hasBoth = target.width > 0 && target.height > 0;
	if (extend.isOn && (target.width > 0 || target.height > 0)) {
		const canvas = page
			? { ...flexible(page, pipeline), ...placedOn(page, extend.gravity) }
			: { ...sidesOf(target), ...placement(extend.gravity, dpr) };
		steps.add('extend', { ...canvas, background }, hasBoth && !page ? target : undefined);
		return;
	}
	if (!extendRatio.isOn || !hasBoth) return;
	if (page && hasPixels(extendRatio.gravity)) {
		throw sizeUnknown('extend_aspect_ratio with offsets in pixels, with dpr and without enlarge');
	}
	const ratio = ratioOf(target, 'extend_aspect_ratio');
	steps.add('extend', { ratio, ...placement(extendRatio.gravity, dpr), background });
}

/** Largest share that `extend` adds, of 1. */
const maximumShare = 10;

/** Paddings as shares of the extended size; undefined if only pixels can express them. */
function paddingInShares(
	{ padding: { top, right, bottom, left }, extend }: Pipeline,
	{ page }: PipelineSizes,
): Readonly<Record<string, string>> | undefined {
	if (!page || !extend.isOn || page.width === 0 || page.height === 0) return undefined;
	if (Math.max(top, bottom) > page.height * maximumShare || Math.max(left, right) > page.width * maximumShare) {
		return undefined;
	}
	return {
		...(top > 0 && { top: share(top / page.height) }),
		...(right > 0 && { right: share(right / page.width) }),
		...(bottom > 0 && { bottom: share(bottom / page.height) }),
		...(left > 0 && { left: share(left / page.width) }),
	};
}

/** The requested size at the density that the picture supports. */
function flexible(page: Size, { resizingType }: Pipeline) {
	if (resizingType === 'auto') throw sizeUnknown('dpr with extend, the resizing type auto and without enlarge');
	const isFitted = resizingType === 'fit' && page.width > 0 && page.height > 0;
	return { ...sidesOf(page), ...(isFitted && { ratio: ratioOf(page, 'dpr with extend') }) };
}

/** Offsets in pixels are multiplied by the same density, so their share is the same. */
function placedOn(page: Size, gravity: ImgproxyGravity): Readonly<Record<string, unknown>> {
	if (gravity.type !== 'place') return placement(gravity, 1);
	const along = (offset: number, side: number) => {
		// A side without a requested length has no space for an offset.
		if (offset === 0 || side === 0) return 0;
		return Math.abs(offset) < 1 ? percent(offset) : percent(Math.max(-1, Math.min(offset / side, 1)));
	};
	const { place } = gravity;
	const [x, y] = [along(gravity.x, page.width), along(gravity.y, page.height)];
	return { ...(place !== 'centre' && { position: place }), ...(x !== 0 && { x }), ...(y !== 0 && { y }) };
}

function hasPixels(gravity: ImgproxyGravity): boolean {
	return gravity.type === 'place' && Math.max(Math.abs(gravity.x), Math.abs(gravity.y)) >= 1;
}

/** The ratio in the operations' syntax. */
function ratioOf({ width, height }: Size, option: string): string {
	const ratio = width / height;
	if (ratio < 0.01 || ratio > 100) throw sizeUnknown(`${option} with such a shape`);
	return `${width}:${height}`;
}

import type { Size } from '../../../operations/operation.ts';
import type { Gravity } from './gravity.ts';
import type { Pipeline } from './pipeline.ts';
import type { Scaled } from './scale.ts';
import { placing, share, signedShare } from './shares.ts';
import { unknowable } from './unsized.ts';
import type { Work } from './work.ts';

/** Room around a picture whose size is not known: to the size or to the shape that is asked for. */
export function growUnsized(work: Work, pipeline: Pipeline, sizes: Scaled, background: string): void {
	const { extend, extendRatio } = pipeline;
	const { target, page, dpr } = sizes;
	const hasBoth = target.width > 0 && target.height > 0;
	if (extend.isOn && (target.width > 0 || target.height > 0)) {
		const canvas = page
			? { ...flexible(page, pipeline), ...placedOn(page, extend.gravity) }
			: { ...sidesOf(target), ...placing(extend.gravity, dpr) };
		work.steps.push({ extend: { ...canvas, background } });
		if (hasBoth && !page) work.size = target;
		return;
	}
	if (!extendRatio.isOn || !hasBoth) return;
	if (page && hasPixels(extendRatio.gravity)) {
		throw unknowable('extend_aspect_ratio with offsets in pixels, with dpr and without enlarge');
	}
	const ratio = ratioOf(target, 'extend_aspect_ratio');
	work.steps.push({ extend: { ratio, ...placing(extendRatio.gravity, dpr), background } });
}

/** Most that `extend` adds as a share, of 1. */
const maximumShare = 10;

/** Paddings as shares of a canvas that is as much larger as they are. Undefined where there is none. */
export function paddingInShares(
	{ padding: { top, right, bottom, left }, extend }: Pipeline,
	{ page }: Scaled,
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

/** As large as the density that the picture takes: of a fitting one its own sides tell, where it is not too small altogether. */
function flexible(page: Size, { resizingType }: Pipeline) {
	if (resizingType === 'auto') throw unknowable('dpr with extend, the resizing type auto and without enlarge');
	const isFitted = resizingType === 'fit' && page.width > 0 && page.height > 0;
	return { ...sidesOf(page), ...(isFitted && { ratio: ratioOf(page, 'dpr with extend') }) };
}

/** Offsets in pixels are multiplied by that density too, and so remain the same share. */
function placedOn(page: Size, gravity: Gravity): Readonly<Record<string, unknown>> {
	if (gravity.type !== 'place') return placing(gravity, 1);
	const along = (offset: number, side: number) => {
		// Along a side that is not given there is no room to be moved in.
		if (offset === 0 || side === 0) return 0;
		return Math.abs(offset) < 1 ? signedShare(offset) : signedShare(Math.max(-1, Math.min(offset / side, 1)));
	};
	const { place } = gravity;
	const [x, y] = [along(gravity.x, page.width), along(gravity.y, page.height)];
	return { ...(place !== 'centre' && { position: place }), ...(x !== 0 && { x }), ...(y !== 0 && { y }) };
}

function hasPixels(gravity: Gravity): boolean {
	return gravity.type === 'place' && Math.max(Math.abs(gravity.x), Math.abs(gravity.y)) >= 1;
}

function sidesOf({ width, height }: Size): Partial<Size> {
	return { ...(width > 0 && { width }), ...(height > 0 && { height }) };
}

/** As operations take it. */
function ratioOf({ width, height }: Size, option: string): string {
	const ratio = width / height;
	if (ratio < 0.01 || ratio > 100) throw unknowable(`${option} with such a shape`);
	return `${width}:${height}`;
}

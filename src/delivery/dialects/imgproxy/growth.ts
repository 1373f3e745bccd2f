import { roundToEven } from '../../../operations/geometry.ts';
import type { Size } from '../../../operations/operation.ts';
import { centre, type Gravity, standsAt } from './gravity.ts';
import type { Growth, Pipeline, Sides } from './pipeline.ts';
import type { Scaled } from './scale.ts';
import { growUnsized, paddingInShares } from './unsized-growth.ts';
import { checkSides, type Work } from './work.ts';

const nothing: Sides = { top: 0, right: 0, bottom: 0, left: 0 };

/** Room around the picture: to a size, to a shape, and paddings; in one step where that is possible. */
export function grow(work: Work, pipeline: Pipeline, sizes: Scaled): void {
	const background = backgroundOf(pipeline);
	const steps = work.steps.length;
	const isKnown = work.size !== undefined;
	if (!isKnown) growUnsized(work, pipeline, sizes, background);
	let size = work.size;
	let sides = nothing;
	if (isKnown && size) {
		for (const [to, growth] of [
			[sizes.target, pipeline.extend],
			[sizes.framed, pipeline.extendRatio],
		] as const) {
			const added = sidesFor(size, to, growth, sizes.dpr);
			sides = sum(sides, added);
			size = { width: size.width + added.left + added.right, height: size.height + added.top + added.bottom };
		}
	}
	const padding = paddingOf(pipeline.padding, sizes.dpr);
	sides = sum(sides, padding);
	const room = (isKnown ? undefined : paddingInShares(pipeline, sizes)) ?? present(sides);
	if (Object.keys(room).length > 0) work.steps.push({ extend: { ...room, background } });
	if (size) {
		work.size = {
			width: size.width + padding.left + padding.right,
			height: size.height + padding.top + padding.bottom,
		};
	}
	if (work.steps.length === steps) return;
	if (work.size) checkSides(work.size);
	if (background.length > 7) work.isTranslucent = true;
}

function sidesFor(inner: Size, to: Size, { isOn, gravity }: Growth, dpr: number): Sides {
	const outer = { width: Math.max(inner.width, to.width), height: Math.max(inner.height, to.height) };
	if (!isOn || (outer.width === inner.width && outer.height === inner.height)) return nothing;
	const { left, top } = standsAt(outer, inner, still(gravity), dpr);
	return { left, top, right: outer.width - inner.width - left, bottom: outer.height - inner.height - top };
}

/** `sm` is refused where it is read. */
function still(gravity: Gravity): Exclude<Gravity, { type: 'smart' }> {
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

/** What is behind the picture; clear where nothing is said. */
export function backgroundOf({ background, backgroundOpacity }: Pipeline): string {
	if (background === undefined) return '#00000000';
	if (backgroundOpacity === 1) return background;
	return `${background}${Math.round(backgroundOpacity * 255)
		.toString(16)
		.padStart(2, '0')}`;
}

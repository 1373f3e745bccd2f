import { offsetPixels, type PlaceName, places } from './gravity.ts';
import type { Pipeline, Watermark } from './pipeline.ts';
import { unexpected, unsupported } from './refusals.ts';
import type { Scaled } from './scale.ts';
import { inside, offset } from './shares.ts';
import type { Step, Work } from './work.ts';

/** Colours and details, in the order of imgproxy. */
export function filter(work: Work, pipeline: Pipeline, { isDown }: Pick<Scaled, 'isDown'>): void {
	work.steps.push(...adjustments(pipeline), ...effects(pipeline, isDown));
}

function adjustments({ brightness, contrast, saturation }: Pipeline): readonly Step[] {
	const isLinear = brightness !== 0 || contrast !== 1;
	return [
		...(isLinear ? [{ contrast: { factor: contrast, ...(brightness !== 0 && { brightness }) } }] : []),
		...(saturation === 1 ? [] : [{ modulate: { saturation } }]),
	];
}

/** What libvips does when nothing but a sigma is said, as imgproxy asks it to. */
const sharpening = { m1: 0, m2: 3 };

function effects(pipeline: Pipeline, isDown: boolean | undefined): readonly Step[] {
	const { monochrome, duotone, blur, sharpen, pixelate } = pipeline;
	return [
		...(monochrome ? [shadesOf(monochrome)] : []),
		...(duotone ? [twoColours(duotone)] : []),
		...(blur > 0 ? [{ blur: { sigma: blur } }] : []),
		...(sharpen > 0 ? [{ sharpen: { sigma: sharpen, ...sharpening } }] : []),
		...finish(pipeline, isDown),
		...(pixelate > 1 ? [{ pixelate: { size: pixelate } }] : []),
	];
}

/** @param isDown undefined where it is not known whether the picture is scaled down */
function finish({ unsharp, sharpen }: Pipeline, isDown: boolean | undefined): readonly Step[] {
	if (!unsharp || (unsharp.mode === 'auto' && sharpen > 0)) return [];
	if (unsharp.mode === 'auto' && isDown === undefined) {
		throw unsupported('unsharp_masking:auto', 'Whether the picture is scaled down is not known before.');
	}
	return unsharp.mode === 'always' || isDown ? [{ unsharp: { amount: unsharp.amount } }] : [];
}

function shadesOf({ colour, intensity }: NonNullable<Pipeline['monochrome']>): Step {
	if (!isGrey(colour)) return { tint: { colour, ...(intensity < 1 && { intensity }) } };
	return intensity < 1 ? twoColours({ dark: '#000000', light: '#ffffff', intensity }) : { grayscale: {} };
}

function twoColours({ dark, light, intensity }: NonNullable<Pipeline['duotone']>): Step {
	return { duotone: { dark, light, ...(intensity < 1 && { intensity }) } };
}

/** @param colour of six digits */
function isGrey(colour: string): boolean {
	const [red, green, blue] = [colour.slice(1, 3), colour.slice(3, 5), colour.slice(5, 7)];
	return red === green && green === blue;
}

/** Puts the background behind a picture that lets something show through. */
export function flatten(work: Work, { background, backgroundOpacity }: Pipeline): void {
	if (background === undefined) return;
	if (backgroundOpacity < 1) {
		// Room that was added has it already; behind the picture itself there is no step for it.
		throw unsupported('background_alpha', 'Behind a transparent picture a background is opaque.');
	}
	work.steps.push({ flatten: { background } });
	work.isTranslucent = false;
}

/** Lays colours over the picture. */
export function cover(work: Work, { colorize, gradient }: Pipeline): void {
	if (colorize && colorize.opacity > 0) {
		const { colour, opacity, keepAlpha } = colorize;
		const keepTransparency = keepAlpha && work.isTranslucent;
		work.steps.push({ colorize: { colour, opacity, ...(keepTransparency && { keepTransparency }) } });
	}
	if (gradient && gradient.opacity > 0) work.steps.push({ gradient });
}

/** Lays the watermark over the picture. @param dpr by which offsets in pixels are multiplied */
export function mark(work: Work, { watermark, watermarkPicture }: Pipeline, dpr: number): void {
	if (!watermark || watermark.opacity === 0) return;
	const { opacity, position, scale } = watermark;
	if (scale !== 0 && scale < 0.01)
		throw unexpected('a scale from 0.01 to 1, or 0 for its own size,', 'watermark', `${scale}`);
	work.steps.push({
		watermark: {
			picture: watermarkPicture,
			...(position === 're' ? tiles(work, watermark, dpr) : placed(work, watermark, dpr)),
			scale: scale === 0 ? 'own' : scale,
			...(opacity !== 1 && { opacity }),
		},
	});
}

function placed(work: Work, { position, x, y }: Watermark, dpr: number): Readonly<Record<string, unknown>> {
	const [left, top] = offsets(work, x, y, dpr);
	return {
		position: places[position as PlaceName],
		...(left !== 0 && { x: left }),
		...(top !== 0 && { y: top }),
	};
}

function tiles(work: Work, { x, y }: Watermark, dpr: number): Readonly<Record<string, unknown>> {
	const [across, down] = offsets(work, x, y, dpr);
	if (typeof across === 'string' || typeof down === 'string') {
		throw unsupported('watermark:…:re', 'The size of the picture is not known before.');
	}
	if (across < 0 || down < 0) throw unexpected('gaps of 0 or more', 'watermark', `${x}:${y}`);
	return {
		position: 'centre',
		tile: true,
		...(across > 0 && { gap: across }),
		...(down !== across && { gapBelow: down }),
	};
}

/** Pixels, or shares where the size is not known. */
function offsets({ size }: Work, x: number, y: number, dpr: number): readonly [number | string, number | string] {
	const along = (by: number, side: number | undefined) => {
		if (by === 0) return 0;
		return side === undefined ? offset(by, dpr) : inside(offsetPixels(by, side, dpr));
	};
	return [along(x, size?.width), along(y, size?.height)];
}

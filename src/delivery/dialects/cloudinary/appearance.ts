import { rounded } from '../shared/arguments.ts';
import { transparent } from '../shared/colours.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';
import type { AddSteps, StepList } from '../shared/step-list.ts';
import { type Component, colourArgument, qualifier } from './components.ts';

/** Opacity, corners, borders, rotation and background. */

/** `o_`: percent. */
export function takeOpacity(component: Component): number | undefined {
	const text = component.take('o');
	return text === undefined ? undefined : qualifier.integer('o_', text, 0, 100) / 100;
}

/** `r_`: pixels, the same for all corners, or `max`. @throws PicpipeError */
export function takeCorners(component: Component, dpr: number): AddSteps | undefined {
	const text = component.take('r');
	if (text === undefined) return undefined;
	if (component.has('bo')) throw unsupportedValue('r_', 'no bo_, which would not follow the corners,', text);
	const corners = text.split(':');
	if (corners.length > 4) throw invalidValue('r_', 'at most four corners', text);
	if (new Set(corners).size > 1) throw unsupportedValue('r_', 'the same radius for all corners', text);
	const [corner = ''] = corners;
	if (corner === 'max') return (steps) => roundFully(steps, text);
	const radius = qualifier.integer('r_', corner, 0, 16_384) * dpr;
	return (steps) => {
		const pixels = Math.round(radius);
		if (pixels === 0) return;
		const shorter = steps.size && Math.min(steps.size.width, steps.size.height);
		steps.add('round', { radius: shorter !== undefined && pixels * 2 >= shorter ? '50%' : pixels });
	};
}

function roundFully(steps: StepList, text: string): void {
	const { width, height } = steps.sizeFor('r_max');
	// For any other shape, Cloudinary makes an ellipse.
	if (width !== height) throw unsupportedValue('r_', `a square picture for max, and no ${width} x ${height},`, text);
	steps.add('round', { radius: '50%' });
}

/** `bo_`: `<width>px_solid_<colour>`. @throws PicpipeError */
export function borderOf(text: string, dpr: number): { readonly width: number; readonly colour: string } {
	const [, width = '', style = '', colour = ''] = /^(\d{1,4})px_([a-z]+)_(.+)$/s.exec(text) ?? [];
	if (width === '') throw invalidValue('bo_', 'a border such as 5px_solid_red', text);
	if (style !== 'solid') throw unsupportedValue('bo_', 'a solid border', text);
	return { width: Math.round(qualifier.integer('bo_', width, 0, 4_096) * dpr), colour: colourArgument('bo_', colour) };
}

export function takeBorder(component: Component, dpr: number): AddSteps | undefined {
	const text = component.take('bo');
	if (text === undefined) return undefined;
	const border = borderOf(text, dpr);
	return border.width === 0 ? undefined : (steps) => steps.add('border', border);
}

/** `a_`: degrees, `hflip`, `vflip`, or several with dots between them. @throws PicpipeError */
export function takeTurns(component: Component, background: string | undefined): AddSteps | undefined {
	const text = component.take('a');
	if (text === undefined) return undefined;
	const additions = text.split('.').map((turn): AddSteps => {
		if (turn === 'hflip') return (steps) => steps.add('flop', {});
		if (turn === 'vflip') return (steps) => steps.add('flip', {});
		if (/^[a-z]/.test(turn)) throw unsupportedValue('a_', 'degrees, hflip or vflip', text);
		const angle = (qualifier.number('a_', turn, -360, 360) + 360) % 360;
		if (angle === 0) return () => {};
		return (steps) =>
			steps.add('rotate', { angle, ...(angle % 90 !== 0 && { background: background ?? transparent }) });
	});
	return (steps) => {
		for (const addSteps of additions) addSteps(steps);
	};
}

/**
 * Puts a colour behind transparent pixels, if there may be any.
 *
 * @param wasTransparent whether the picture could be transparent before the colour was added
 * @throws PicpipeError
 */
export function putBehind(steps: StepList, colour: string, wasTransparent: boolean): void {
	if (!steps.alpha || colour === transparent) return;
	if (colour.length === 9) {
		if (!wasTransparent) return;
		throw unsupportedValue('b_', 'a colour that nothing shows through, behind a transparent picture,', colour);
	}
	steps.add('flatten', { background: colour });
}

export function opacitySteps(opacity: number | undefined): AddSteps | undefined {
	if (opacity === undefined || opacity === 1) return undefined;
	return (steps) => steps.add('opacity', { value: rounded(opacity) });
}

import type { Canvas } from './canvas.ts';
import { colourOf } from './colours.ts';
import type { Component } from './components.ts';
import { type Act, nothing } from './resizing.ts';
import { integerOf, numberOf, rounded, unreadable, unsupported } from './values.ts';

/** Opacity, corners, a border, turns and what lies behind. */

/** `o_`: percent. */
export function takeOpacity(component: Component): number | undefined {
	const text = component.take('o');
	return text === undefined ? undefined : integerOf('o_', text, 0, 100) / 100;
}

/** `r_`: pixels, the same for all corners, or `max`. @throws PicpipeError */
export function takeCorners(component: Component, dpr: number): Act | undefined {
	const text = component.take('r');
	if (text === undefined) return undefined;
	if (component.has('bo')) throw unsupported('r_', 'no bo_, which would not follow the corners,', text);
	const corners = text.split(':');
	if (corners.length > 4) throw unreadable('r_', 'at most four corners', text);
	if (new Set(corners).size > 1) throw unsupported('r_', 'the same radius for all corners', text);
	const [corner = ''] = corners;
	if (corner === 'max') return (canvas) => roundFully(canvas, text);
	const radius = integerOf('r_', corner, 0, 16_384) * dpr;
	return (canvas) => {
		const pixels = Math.round(radius);
		if (pixels === 0) return;
		const shorter = canvas.size && Math.min(canvas.size.width, canvas.size.height);
		canvas.add('round', { radius: shorter !== undefined && pixels * 2 >= shorter ? '50%' : pixels });
	};
}

function roundFully(canvas: Canvas, text: string): void {
	const { width, height } = canvas.known('r_max');
	// Of anything else Cloudinary makes an ellipse.
	if (width !== height) throw unsupported('r_', `a square picture for max, and no ${width} x ${height},`, text);
	canvas.add('round', { radius: '50%' });
}

/** `bo_`: `<width>px_solid_<colour>`. @throws PicpipeError */
export function borderOf(text: string, dpr: number): { readonly width: number; readonly colour: string } {
	const [, width = '', style = '', colour = ''] = /^(\d{1,4})px_([a-z]+)_(.+)$/s.exec(text) ?? [];
	if (width === '') throw unreadable('bo_', 'a border such as 5px_solid_red', text);
	if (style !== 'solid') throw unsupported('bo_', 'a solid border', text);
	return { width: Math.round(integerOf('bo_', width, 0, 4_096) * dpr), colour: colourOf('bo_', colour) };
}

export function takeBorder(component: Component, dpr: number): Act | undefined {
	const text = component.take('bo');
	if (text === undefined) return undefined;
	const border = borderOf(text, dpr);
	return border.width === 0 ? undefined : (canvas) => canvas.add('border', border);
}

/** `a_`: degrees, `hflip`, `vflip`, or several with dots between them. @throws PicpipeError */
export function takeTurns(component: Component, background: string | undefined): Act | undefined {
	const text = component.take('a');
	if (text === undefined) return undefined;
	const acts = text.split('.').map((turn): Act => {
		if (turn === 'hflip') return (canvas) => canvas.add('flop', {});
		if (turn === 'vflip') return (canvas) => canvas.add('flip', {});
		if (/^[a-z]/.test(turn)) throw unsupported('a_', 'degrees, hflip or vflip', text);
		const angle = (numberOf('a_', turn, -360, 360) + 360) % 360;
		if (angle === 0) return () => {};
		return (canvas) => canvas.add('rotate', { angle, ...(angle % 90 !== 0 && { background: background ?? nothing }) });
	});
	return (canvas) => {
		for (const act of acts) act(canvas);
	};
}

/**
 * Puts a colour behind what is transparent, if something may be.
 *
 * @param wasTransparent whether something was before the colour was added
 * @throws PicpipeError
 */
export function putBehind(canvas: Canvas, colour: string, wasTransparent: boolean): void {
	if (!canvas.alpha || colour === nothing) return;
	if (colour.length === 9) {
		if (!wasTransparent) return;
		throw unsupported('b_', 'a colour that nothing shows through, behind a transparent picture,', colour);
	}
	canvas.add('flatten', { background: colour });
}

export function opacityAct(opacity: number | undefined): Act | undefined {
	if (opacity === undefined || opacity === 1) return undefined;
	return (canvas) => canvas.add('opacity', { value: rounded(opacity) });
}

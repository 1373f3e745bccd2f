import type { Size } from '../../../operations/operation.ts';
import type { Canvas } from './canvas.ts';
import type { Component } from './components.ts';
import { type Laid, movedBy, takeAny } from './laid.ts';
import { takeOpacity } from './looks.ts';
import { pixelsOf, takeGravity, takeLength, takeMove } from './placing.ts';
import type { Act } from './resizing.ts';
import { takeText } from './text.ts';
import { rounded, unreadable, unsupported } from './values.ts';

/** What is laid over the picture: another picture, or letters. */

/** Values of `e_` that say how a layer is mixed with what lies below. */
const blends: ReadonlyMap<string, string> = new Map(['multiply', 'screen', 'overlay'].map((name) => [name, name]));

/**
 * Reads a layer.
 *
 * @param components the one with `l_`, those that say more about it, and the one with `fl_layer_apply`; or one that does all of it
 * @throws PicpipeError
 */
export function takeLayer(components: readonly Component[], dpr: number): Act {
	const [first] = components;
	const named = first?.take('l') ?? '';
	const isText = named.startsWith('text:');
	for (const component of components) {
		component.takeFlag('layer_apply');
		// Nothing that lies outside of the picture makes it larger here.
		component.takeFlag('no_overflow');
	}
	const isRelative = components.filter((component) => component.takeFlag('relative') !== undefined).length > 0;
	const laid = { ...takePlace(components), opacity: takeWholeOpacity(components), isRelative };
	const act = isText ? takeText(named, components, laid, dpr) : takePicture(named, components, laid, dpr);
	for (const component of components) component.finish();
	return act;
}

/** The place stands in the last component, which applies the layer. */
function takePlace(components: readonly Component[]): Pick<Laid, 'position' | 'move'> {
	const last = components.at(-1);
	if (!last) return { position: 'centre', move: undefined };
	const gravity = takeGravity(last) ?? 'centre';
	if (gravity === 'attention' || gravity === 'point') throw unsupported('g_', 'a side, a corner or center', gravity);
	const isMoved = last.has('x') || last.has('y');
	return { position: gravity, move: isMoved ? takeMove(last) : undefined };
}

function takeWholeOpacity(components: readonly Component[]): number {
	return components.reduce((opacity, component) => opacity * (takeOpacity(component) ?? 1), 1);
}

function takePicture(named: string, components: readonly Component[], laid: Laid, dpr: number): Act {
	if (named.includes(':')) throw unsupported('l_', 'the id of a picture, or the name of a file of the assets,', named);
	const size = takeLayerSize(named, components, laid, dpr);
	const blend = takeBlend(components);
	const tile = components.filter((component) => component.takeFlag('tiled') !== undefined).length > 0;
	if (tile && laid.move) throw unsupported('fl_tiled', 'no x_ and y_', named);
	return (canvas) => {
		if (laid.opacity === 0) return;
		canvas.add('watermark', {
			picture: named,
			position: laid.position,
			...movedBy(canvas, laid, dpr),
			...size(canvas),
			...(laid.opacity < 1 && { opacity: rounded(laid.opacity) }),
			...(blend && { blend }),
			...(tile && { tile }),
		});
	};
}

function takeBlend(components: readonly Component[]): string | undefined {
	const text = takeAny(components, 'e');
	if (text === undefined) return undefined;
	const blend = blends.get(text);
	if (!blend) throw unsupported('e_', `one of ${[...blends.keys()].join(', ')} for a layer`, text);
	return blend;
}

/** How large the layer is: its own size where nothing is said. */
function takeLayerSize(named: string, components: readonly Component[], { isRelative }: Laid, dpr: number) {
	const sized = components.filter((component) => ['c', 'w', 'h'].some((key) => component.has(key)));
	const [component] = sized;
	if (!component) return () => ({ scale: 'own' });
	if (sized.length > 1) throw unsupported('a layer', 'w_ and h_ in one of its components', named);
	const mode = component.take('c') ?? 'scale';
	const width = takeLength(component, 'w', 'side');
	const height = takeLength(component, 'h', 'side');
	if (mode !== 'fit' && (mode !== 'scale' || (width && height))) {
		throw unsupported('c_', 'fit for a layer, or scale with either w_ or h_,', mode);
	}
	if (!width && !height) throw unreadable(`c_${mode}`, 'w_ or h_', 'none');
	for (const length of [width, height]) {
		if (length && 'share' in length && !isRelative) {
			throw unsupported('a layer', 'sizes in pixels, or in shares of the picture with fl_relative,', named);
		}
	}
	return (canvas: Canvas) => {
		const picture = [width, height].some((length) => length && 'share' in length) ? canvas.known('a layer') : noSize;
		return {
			...(width && { width: pixelsOf('w_', width, picture.width, dpr) }),
			...(height && { height: pixelsOf('h_', height, picture.height, dpr) }),
		};
	};
}

/** Pixels are not asked what they are a share of. */
const noSize: Size = { width: 0, height: 0 };

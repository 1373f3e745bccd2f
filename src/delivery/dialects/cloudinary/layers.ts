import type { Size } from '../../../operations/operation.ts';
import { rounded } from '../shared/arguments.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';
import type { AddSteps, StepList } from '../shared/step-list.ts';
import { takeOpacity } from './appearance.ts';
import { type Component, takeAny } from './components.ts';
import { type LayerPlacement, lengthInPixels, movedBy, takeGravity, takeLength, takeMove } from './gravity.ts';
import { takeText } from './text.ts';

/** Overlays: another picture or text. */

/** Values of `e_` that set how a layer is blended. */
const blends: ReadonlyMap<string, string> = new Map(['multiply', 'screen', 'overlay'].map((name) => [name, name]));

/**
 * Reads a layer.
 *
 * @param components the one with `l_`, those that modify it, and the one with `fl_layer_apply`; or a single one for everything
 * @throws PicpipeError
 */
export function takeLayer(components: readonly Component[], dpr: number): AddSteps {
	const [first] = components;
	const named = first?.take('l') ?? '';
	const isText = named.startsWith('text:');
	for (const component of components) {
		component.takeFlag('layer_apply');
		// In picpipe, a layer outside the picture never enlarges it.
		component.takeFlag('no_overflow');
	}
	const isRelative = components.filter((component) => component.takeFlag('relative') !== undefined).length > 0;
	const placement = { ...takePlace(components), opacity: takeWholeOpacity(components), isRelative };
	const addSteps = isText
		? takeText(named, components, placement, dpr)
		: takePicture(named, components, placement, dpr);
	for (const component of components) component.finish();
	return addSteps;
}

/** The last component, which applies the layer, has its place. */
function takePlace(components: readonly Component[]): Pick<LayerPlacement, 'position' | 'move'> {
	const last = components.at(-1);
	if (!last) return { position: 'centre', move: undefined };
	const gravity = takeGravity(last) ?? 'centre';
	if (gravity === 'attention' || gravity === 'point')
		throw unsupportedValue('g_', 'a side, a corner or center', gravity);
	const isMoved = last.has('x') || last.has('y');
	return { position: gravity, move: isMoved ? takeMove(last) : undefined };
}

function takeWholeOpacity(components: readonly Component[]): number {
	return components.reduce((opacity, component) => opacity * (takeOpacity(component) ?? 1), 1);
}

function takePicture(
	named: string,
	components: readonly Component[],
	placement: LayerPlacement,
	dpr: number,
): AddSteps {
	if (named.includes(':'))
		throw unsupportedValue('l_', 'the id of a picture, or the name of a file of the assets,', named);
	const size = takeLayerSize(named, components, placement, dpr);
	const blend = takeBlend(components);
	const tile = components.filter((component) => component.takeFlag('tiled') !== undefined).length > 0;
	if (tile && placement.move) throw unsupportedValue('fl_tiled', 'no x_ and y_', named);
	return (steps) => {
		if (placement.opacity === 0) return;
		steps.add('watermark', {
			picture: named,
			position: placement.position,
			...movedBy(steps, placement, dpr),
			...size(steps),
			...(placement.opacity < 1 && { opacity: rounded(placement.opacity) }),
			...(blend && { blend }),
			...(tile && { tile }),
		});
	};
}

function takeBlend(components: readonly Component[]): string | undefined {
	const text = takeAny(components, 'e');
	if (text === undefined) return undefined;
	const blend = blends.get(text);
	if (!blend) throw unsupportedValue('e_', `one of ${[...blends.keys()].join(', ')} for a layer`, text);
	return blend;
}

/** The size of the layer; its own size by default. */
function takeLayerSize(named: string, components: readonly Component[], { isRelative }: LayerPlacement, dpr: number) {
	const sized = components.filter((component) => ['c', 'w', 'h'].some((key) => component.has(key)));
	const [component] = sized;
	if (!component) return () => ({ scale: 'own' });
	if (sized.length > 1) throw unsupportedValue('a layer', 'w_ and h_ in one of its components', named);
	const mode = component.take('c') ?? 'scale';
	const width = takeLength(component, 'w', 'side');
	const height = takeLength(component, 'h', 'side');
	if (mode !== 'fit' && (mode !== 'scale' || (width && height))) {
		throw unsupportedValue('c_', 'fit for a layer, or scale with either w_ or h_,', mode);
	}
	if (!width && !height) throw invalidValue(`c_${mode}`, 'w_ or h_', 'none');
	for (const length of [width, height]) {
		if (length && 'share' in length && !isRelative) {
			throw unsupportedValue('a layer', 'sizes in pixels, or in shares of the picture with fl_relative,', named);
		}
	}
	return (steps: StepList) => {
		const picture = [width, height].some((length) => length && 'share' in length) ? steps.sizeFor('a layer') : noSize;
		return {
			...(width && { width: lengthInPixels('w_', width, picture.width, dpr) }),
			...(height && { height: lengthInPixels('h_', height, picture.height, dpr) }),
		};
	};
}

/** Used for lengths in pixels, which need no reference size. */
const noSize: Size = { width: 0, height: 0 };

import { opaque } from './colours.ts';
import { unsupported } from './given.ts';
import type { Settings } from './settings.ts';
import type { Steps } from './steps.ts';

/** The least that the operation `gamma` takes. */
const leastGamma = 0.35;

/**
 * What sharp does to colours before it scales. What means the same after the scaling is done there, where there are fewer pixels.
 *
 * @returns whether it has to be done before
 */
export function areColoursFirst({ gamma, background = '#000000' }: Settings): boolean {
	return (gamma !== undefined && gamma.before !== 1) || opaque(background) !== background;
}

export function firstColours({ flatten, background, gamma, grayscale }: Settings, steps: Steps): void {
	if (flatten && steps.alpha) {
		steps.add('flatten', { background: opaque(background ?? '#000000') });
		steps.alpha = false;
	}
	if (gamma && gamma.before !== 1) {
		const value = 1 / gamma.before;
		// By the root of it, twice.
		const times = value < leastGamma ? 2 : 1;
		for (let time = 0; time < times; time++) steps.add('gamma', { value: value ** (1 / times) });
	}
	if (grayscale) steps.add('grayscale');
}

/** Everything after the last change of size, in sharp's order. */
export function lookSteps(settings: Settings, steps: Steps): void {
	const { median = 1, threshold, blur, sharpen, gamma, normalise, clahe, tint, grayscale } = settings;
	if (median > 1) steps.add('median', { size: median });
	if (threshold) steps.add('threshold', { value: threshold });
	if (blur !== undefined) steps.add('blur', { sigma: blur });
	modulate(settings, steps);
	if (sharpen) steps.add('sharpen', sharpen);
	fade(settings, steps);
	if (gamma && gamma.after !== 1) steps.add('gamma', { value: gamma.after });
	if (normalise) steps.add('normalise', normalise);
	if (clahe) steps.add('clahe', clahe);
	// What sharp has made grey stays so, unless something was laid over it.
	const isGrey = (grayscale || threshold) && settings.opacity === undefined;
	if (tint && !(isGrey && threshold)) steps.add('tint', { colour: opaque(tint) });
	if (tint && isGrey && !threshold) steps.add('grayscale');
	negate(settings, steps);
}

function modulate({ brightness = 1, saturation = 1, hue = 0, lightness = 0 }: Settings, steps: Steps): void {
	const turn = ((hue % 360) + 360) % 360;
	const options = {
		...(brightness !== 1 && { brightness }),
		...(saturation !== 1 && { saturation }),
		...(turn !== 0 && { hue: turn }),
		...(lightness !== 0 && { lightness }),
	};
	if (Object.keys(options).length > 0) steps.add('modulate', options);
}

function fade({ opacity = 1, background }: Settings, steps: Steps): void {
	if (opacity === 1) return;
	if (background && opaque(background) !== background) throw unsupported('opacity over a translucent background');
	steps.add('opacity', { value: opacity });
	if (!background) return;
	steps.add('flatten', { background });
	steps.alpha = false;
}

function negate({ negate }: Settings, steps: Steps): void {
	if (!negate) return;
	if (negate === 'opacity' && steps.alpha) throw unsupported('negate of opacity (alpha true)');
	steps.add('negate');
}

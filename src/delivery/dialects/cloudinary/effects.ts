import { colourOf } from './colours.ts';
import type { Component } from './components.ts';
import { integerOf, rounded, unsupported } from './values.ts';

/** What values of `e_` do here. */

type Step = readonly [operation: string, options: Readonly<Record<string, unknown>>];

interface Effect {
	/** What stands after the colon: its range, and what it is when nothing does. Without it there may be nothing. */
	readonly level?: { readonly minimum: number; readonly maximum: number; readonly fallback: number };
	/** Undefined when that level changes nothing. */
	readonly step: (level: number) => Step | undefined;
}

const factor = (level: number) => rounded(1 + level / 100);
/** From least to most in Cloudinary's own range, around none. */
const around = (minimum: number, maximum: number, fallback: number) => ({ minimum, maximum, fallback });
const strength = around(1, 2_000, 100);

/** Levels of blur and pixels of sigma: the default of 100 is soft, 2000 leaves nothing but patches of colour. */
const blurPerSigma = 40;

const sharpening: Effect = {
	level: strength,
	// The default of 100 is that of the operation.
	step: (level) =>
		level === strength.fallback ? ['sharpen', {}] : ['sharpen', { m1: rounded(level / 100), m2: rounded(level / 50) }],
};

export const effects: Readonly<Record<string, Effect>> = {
	grayscale: { step: () => ['grayscale', {}] },
	sepia: { step: () => ['tint', { colour: '#c08040' }] },
	negate: { step: () => ['negate', {}] },
	auto_contrast: { step: () => ['normalise', {}] },
	blackwhite: {
		level: around(0, 100, 50),
		step: (level) => ['threshold', { value: Math.round((level * 255) / 100) }],
	},
	blur: { level: strength, step: (level) => ['blur', { sigma: Math.max(0.3, rounded(level / blurPerSigma)) }] },
	sharpen: sharpening,
	unsharp_mask: sharpening,
	brightness: {
		level: around(-99, 100, 80),
		step: (level) => (level === 0 ? undefined : ['modulate', { brightness: factor(level) }]),
	},
	saturation: {
		level: around(-100, 100, 80),
		step: (level) => (level === 0 ? undefined : ['modulate', { saturation: factor(level) }]),
	},
	hue: {
		level: around(-100, 100, 80),
		// A hundred is half a turn.
		step: (level) => (level === 0 ? undefined : ['modulate', { hue: (Math.round(level * 1.8) + 360) % 360 }]),
	},
	contrast: {
		level: around(-100, 100, 0),
		step: (level) => (level === 0 ? undefined : ['contrast', { factor: factor(level) }]),
	},
	gamma: {
		level: around(-50, 150, 0),
		step: (level) => (level === 0 ? undefined : ['gamma', { value: factor(level) }]),
	},
	pixelate: {
		level: around(1, 200, 5),
		step: (level) => (level === 1 ? undefined : ['pixelate', { size: level }]),
	},
};

/** What a component does with `e_`: nothing, or a step. @throws PicpipeError */
export function takeEffect(component: Component, isResizing: boolean): Step | undefined {
	const text = component.take('e');
	if (text === undefined) return undefined;
	const [name = '', ...levels] = text.split(':');
	if (name === 'trim') {
		if (isResizing) throw unsupported('e_', 'trim in a component without a size', text);
		return trim(text, levels);
	}
	const effect = Object.hasOwn(effects, name) ? effects[name] : undefined;
	if (!effect) throw unsupported('e_', `one of ${[...Object.keys(effects), 'trim'].join(', ')}`, text);
	const [level, ...more] = levels;
	if (more.length > 0 || (level !== undefined && !effect.level)) {
		throw unsupported(`e_${name}`, effect.level ? 'a level and no more' : 'no level', text);
	}
	if (!effect.level) return effect.step(0);
	const { minimum, maximum, fallback } = effect.level;
	return effect.step(level === undefined ? fallback : integerOf(`e_${name}`, level, minimum, maximum));
}

/** `trim`, `trim:<tolerance>` or `trim:<tolerance>:<colour>`. */
function trim(text: string, [tolerance = '10', ...colour]: readonly string[]): Step {
	const background = colour.length > 0 ? colourOf('e_trim', colour.join(':')) : undefined;
	if (background?.length === 9) throw unsupported('e_trim', 'a colour that nothing shows through', text);
	// Cloudinary counts in percent, sharp in steps of 255.
	const threshold = Math.round((integerOf('e_trim', tolerance, 0, 100) * 255) / 100);
	return ['trim', { threshold, ...(background && { background }) }];
}

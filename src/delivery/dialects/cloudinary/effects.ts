import { rounded } from '../shared/arguments.ts';
import { unsupportedValue } from '../shared/refusals.ts';
import type { AddSteps } from '../shared/step-list.ts';
import { type Component, colourArgument, qualifier } from './components.ts';

/** The values of `e_`. */

type Step = readonly [operation: string, options: Readonly<Record<string, unknown>>];

interface LevelRange {
	readonly minimum: number;
	readonly maximum: number;
	readonly fallback: number;
}

interface Effect {
	/** The value after the colon: its range and default. If absent, the effect takes no value. */
	readonly level?: LevelRange;
	/** Undefined if the level changes nothing. */
	readonly step: (level: number) => Step | undefined;
}

const factor = (level: number) => rounded(1 + level / 100);
/** Cloudinary's own range, with 0 for no change. */
const around = (minimum: number, maximum: number, fallback: number) => ({ minimum, maximum, fallback });
const strength = around(1, 2_000, 100);

/** Blur levels per pixel of sigma: the default of 100 is soft, 2000 leaves only patches of colour. */
const blurPerSigma = 40;

const sharpening: Effect = {
	level: strength,
	// The default of 100 is the operation's default.
	step: (level) =>
		level === strength.fallback ? ['sharpen', {}] : ['sharpen', { m1: rounded(level / 100), m2: rounded(level / 50) }],
};

const effects: Readonly<Record<string, Effect>> = {
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
		// 100 is half a turn.
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

/** Effects with more than a level. */
const others: Readonly<Record<string, (component: Component, text: string, rest: readonly string[]) => AddSteps>> = {
	trim,
	colorize,
};

/** Reads `e_`. @throws PicpipeError */
export function takeEffect(component: Component, isResizing: boolean): AddSteps | undefined {
	const text = component.take('e');
	if (text === undefined) return undefined;
	const [name = '', ...rest] = text.split(':');
	if (name === 'trim' && isResizing) throw unsupportedValue('e_', 'trim in a component without a size', text);
	const other = Object.hasOwn(others, name) ? others[name] : undefined;
	if (other) return other(component, text, rest);
	const effect = Object.hasOwn(effects, name) ? effects[name] : undefined;
	if (!effect) {
		throw unsupportedValue('e_', `one of ${[...Object.keys(effects), ...Object.keys(others)].join(', ')}`, text);
	}
	const step = effect.step(effect.level ? levelOf(text, rest, effect.level) : withoutLevel(text, rest));
	return step && ((steps) => steps.add(...step));
}

function levelOf(
	text: string,
	[level, ...more]: readonly string[],
	{ minimum, maximum, fallback }: LevelRange,
): number {
	const [name = ''] = text.split(':');
	if (more.length > 0) throw unsupportedValue(`e_${name}`, 'only a level', text);
	return level === undefined ? fallback : qualifier.integer(`e_${name}`, level, minimum, maximum);
}

function withoutLevel(text: string, { length }: readonly string[]): number {
	if (length > 0) throw unsupportedValue('e_', 'no level', text);
	return 0;
}

/** `trim`, `trim:<tolerance>` or `trim:<tolerance>:<colour>`. */
function trim(_component: Component, text: string, [tolerance = '10', ...colour]: readonly string[]): AddSteps {
	const background = colour.length > 0 ? colourArgument('e_trim', colour.join(':')) : undefined;
	if (background?.length === 9) throw unsupportedValue('e_trim', 'a colour that nothing shows through', text);
	// Cloudinary's unit is percent, sharp's unit is a step of 255.
	const threshold = Math.round((qualifier.integer('e_trim', tolerance, 0, 100) * 255) / 100);
	return (steps) => steps.add('trim', { threshold, ...(background && { background }) });
}

/** `colorize` or `colorize:<percent>`, with the colour of `co_`. */
function colorize(component: Component, text: string, rest: readonly string[]): AddSteps {
	const colour = colourArgument('co_', component.take('co') ?? 'black');
	if (colour.length === 9) throw unsupportedValue('co_', 'a colour that nothing shows through', colour);
	const opacity = levelOf(text, rest, around(0, 100, 100)) / 100;
	return (steps) => {
		if (opacity > 0) steps.add('colorize', { colour, opacity, ...(steps.alpha && { keepTransparency: true }) });
	};
}

import { isOpaque, opaqueColour } from '../shared/colours.ts';
import { invalidValue, unsupportedOption } from '../shared/refusals.ts';
import { type AddSteps, step } from '../shared/step-list.ts';
import type { ModifierArguments } from './arguments.ts';
import { filter, type Modifier, modifier, withFilter } from './modifier.ts';
import type { Settings } from './settings.ts';

/** Modifiers that change colours and details, in the order in which sharp applies them. */

/** Sigma of a Gaussian blur as strong as a mean of three by three pixels: the square root of two thirds. */
const mildSigma = 0.82;
/** Adds three eighths of the difference to a mild blur to the lightness, as sharp's 3×3 kernel does to each channel. */
const mildSharpen = { sigma: mildSigma, m1: 0.375, m2: 0.375, y2: 100, y3: 100 };

/** Most turns of the hue, in degrees; further turns repeat the same colours. */
const maximumHue = 36_000;

/** The step of `modulate`, whichever modifiers set its values. */
const addModulation: AddSteps<Settings> = (steps, { brightness = 1, saturation = 1, hue = 0, lightness = 0 }) => {
	const turn = ((hue % 360) + 360) % 360;
	const options = {
		...(brightness !== 1 && { brightness }),
		...(saturation !== 1 && { saturation }),
		...(turn !== 0 && { hue: turn }),
		...(lightness !== 0 && { lightness }),
	};
	if (Object.keys(options).length > 0) steps.add('modulate', options);
};

function modulation(name: string, values: number, read: (args: ModifierArguments) => Settings): Modifier {
	return modifier(name, values, (args) => withFilter('modulate', addModulation, read(args)));
}

/** Drops undefined values. */
function present<Value>(values: Readonly<Record<string, Value | undefined>>): Readonly<Record<string, Value>> {
	return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, Value] => entry[1] !== undefined));
}

export const filterModifiers: readonly Modifier[] = [
	filter('median', 1, (args) => {
		const size = args.integer(0, 1, 50) ?? 3;
		return size > 1 ? step('median', { size }) : undefined;
	}),
	filter('threshold', 2, (args) => {
		const value = args.integer(0, 0, 255) ?? 128;
		if (args.boolean(1, 'grayscale') === false) throw unsupportedOption('threshold of each colour (grayscale false)');
		return value > 0 ? step('threshold', { value }) : undefined;
	}),
	filter('blur', 3, (args) => {
		const sigma = args.number(0, 0.3, 250) ?? mildSigma;
		const precision = args.choice(1, ['integer', 'float', 'approximate'], 'precision') ?? 'integer';
		if (precision !== 'integer') throw unsupportedOption(`blur (precision ${precision})`);
		// sharp's default.
		if ((args.number(2, 0.001, 1, 'minAmplitude') ?? 0.2) !== 0.2) throw unsupportedOption('blur (minAmplitude)');
		return step('blur', { sigma });
	}),
	modulation('modulate', 4, (args) =>
		present({
			brightness: args.number(0, 0, 10, 'brightness'),
			saturation: args.number(1, 0, 10, 'saturation'),
			hue: args.integer(2, -maximumHue, maximumHue, 'hue'),
			lightness: args.number(3, -100, 100, 'lightness'),
		}),
	),
	modulation('brightness', 1, (args) => ({ brightness: args.needed(args.number(0, 0, 10)) })),
	modulation('saturation', 1, (args) => ({ saturation: args.needed(args.number(0, 0, 10)) })),
	modulation('hue', 1, (args) => ({ hue: args.needed(args.integer(0, -maximumHue, maximumHue)) })),
	modulation('lightness', 1, (args) => ({ lightness: args.needed(args.number(0, -100, 100)) })),
	filter('sharpen', 6, (args) => {
		const given = present({
			sigma: args.number(0, 0.1, 10, 'sigma'),
			m1: args.number(1, 0, 100, 'flat'),
			m2: args.number(2, 0, 100, 'jagged'),
			x1: args.number(3, 0, 100, 'x1'),
			y2: args.number(4, 0, 100, 'y2'),
			y3: args.number(5, 0, 100, 'y3'),
		});
		if (given.sigma !== undefined) return step('sharpen', given);
		if (Object.keys(given).length === 0) return step('sharpen', mildSharpen);
		throw invalidValue(args.name, 'a sigma because other values are given', '');
	}),
	filter('opacity', 1, (args) => {
		const value = args.needed(args.number(0, 0, 1));
		return (steps, { background }) => {
			if (value === 1) return;
			if (background && !isOpaque(background)) throw unsupportedOption('opacity over a translucent background');
			steps.add('opacity', { value });
			if (background) steps.add('flatten', { background });
		};
	}),
	modifier('gamma', 2, (args) => {
		const before = args.number(0, 1, 3) ?? 2.2;
		const after = args.number(1, 1, 3, 'gammaOut') ?? before;
		const addGamma = after === 1 ? undefined : step('gamma', { value: after });
		return withFilter('gamma', addGamma, { gammaBefore: before });
	}),
	filter('normalize', 2, (args) => {
		// sharp truncates the decimals.
		const lower = Math.trunc(args.number(0, 0, 99, 'lower') ?? 1);
		const upper = Math.trunc(args.number(1, 1, 100, 'upper') ?? 99);
		if (lower >= upper)
			throw invalidValue(args.name, 'an upper number greater than the lower one', `${lower}_${upper}`);
		return step('normalise', { lower, upper });
	}),
	filter('clahe', 3, (args) => {
		const width = args.needed(args.integer(0, 1, 100, 'width'), 'width');
		const height = args.integer(1, 1, 100, 'height') ?? width;
		return step('clahe', { width, height, maxSlope: args.integer(2, 0, 100, 'maxSlope') ?? 3 });
	}),
	filter('tint', 1, (args) => {
		const colour = args.colour(0);
		if (!colour) return undefined;
		return (steps, { grayscale, filters }) => {
			const isBlackAndWhite = filters?.get('threshold') !== undefined;
			// In sharp a grey picture stays grey, unless something was composited onto it.
			const isGrey = (grayscale || isBlackAndWhite) && !filters?.has('opacity');
			if (isGrey && isBlackAndWhite) return;
			steps.add('tint', { colour: opaqueColour(colour) });
			if (isGrey) steps.add('grayscale');
		};
	}),
	filter('negate', 1, (args) => {
		const isAlphaNegated = args.boolean(0, 'alpha') === true;
		return (steps) => {
			if (isAlphaNegated && steps.alpha) throw unsupportedOption('negate of opacity (alpha true)');
			steps.add('negate');
		};
	}),
	modifier('linear', 2, (args) => {
		const number = (at: number, part: string) => args.number(at, -1e6, 1e6, part);
		const [a, b] = [number(0, 'a') ?? 1, number(1, 'b') ?? 0];
		if (a !== 1 || b !== 0) throw unsupportedOption(args.name);
		return {};
	}),
	...['dilate', 'erode', 'unflatten'].map((name) =>
		modifier(name, 1, () => {
			throw unsupportedOption(name);
		}),
	),
];

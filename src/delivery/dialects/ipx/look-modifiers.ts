import { refused, unsupported } from './given.ts';
import { type Modifier, modifier } from './modifier.ts';

/** Modifiers that change colours and details. */

/** Sigma of the Gaussian that blurs as much as a mean of three by three pixels: the root of two thirds. */
const mildSigma = 0.82;
/** Three eighths of what a mild blur takes away, added to the lightness: what sharp's matrix of three by three does to each colour. */
const mildSharpen = { sigma: mildSigma, m1: 0.375, m2: 0.375, y2: 100, y3: 100 };

function factor(name: 'brightness' | 'saturation'): Modifier {
	return modifier(name, 1, (given) => {
		const value = given.needed(given.number(0, 0, 10));
		return { [name]: value };
	});
}

/** Without those that were not given. */
function known<Value>(values: Readonly<Record<string, Value | undefined>>): Readonly<Record<string, Value>> {
	return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, Value] => entry[1] !== undefined));
}

/** Turns that ipx would take; more of them is no other colour. */
const maximumHue = 36_000;

export const lookModifiers: readonly Modifier[] = [
	modifier('flatten', 'flag', () => ({ flatten: true })),
	modifier('gamma', 2, (given) => {
		const before = given.number(0, 1, 3) ?? 2.2;
		const after = given.number(1, 1, 3, 'gammaOut') ?? before;
		return { gamma: { before, after } };
	}),
	modifier('grayscale', 'flag', () => ({ grayscale: true })),
	modifier('median', 1, (given) => {
		const size = given.integer(0, 1, 50) ?? 3;
		return { median: size };
	}),
	modifier('threshold', 2, (given) => {
		const value = given.integer(0, 0, 255) ?? 128;
		if (given.boolean(1, 'grayscale') === false) throw unsupported('threshold of each colour (grayscale false)');
		return { threshold: value };
	}),
	modifier('blur', 3, (given) => {
		const sigma = given.number(0, 0.3, 250) ?? mildSigma;
		const precision = given.choice(1, ['integer', 'float', 'approximate'], 'precision') ?? 'integer';
		if (precision !== 'integer') throw unsupported(`blur (precision ${precision})`);
		// sharp's own default.
		if ((given.number(2, 0.001, 1, 'minAmplitude') ?? 0.2) !== 0.2) throw unsupported('blur (minAmplitude)');
		return { blur: sigma };
	}),
	modifier('modulate', 4, (given) => {
		const values = {
			brightness: given.number(0, 0, 10, 'brightness'),
			saturation: given.number(1, 0, 10, 'saturation'),
			hue: given.integer(2, -maximumHue, maximumHue, 'hue'),
			lightness: given.number(3, -100, 100, 'lightness'),
		};
		return known(values);
	}),
	factor('brightness'),
	factor('saturation'),
	modifier('hue', 1, (given) => {
		const hue = given.needed(given.integer(0, -maximumHue, maximumHue));
		return { hue };
	}),
	modifier('lightness', 1, (given) => {
		const lightness = given.needed(given.number(0, -100, 100));
		return { lightness };
	}),
	modifier('sharpen', 6, (given) => {
		const parts = ['sigma', 'm1', 'm2', 'x1', 'y2', 'y3'];
		const names = ['sigma', 'flat', 'jagged', 'x1', 'y2', 'y3'];
		const values = parts.map((part, at) => [
			part,
			part === 'sigma' ? given.number(at, 0.1, 10, names[at]) : given.number(at, 0, 100, names[at]),
		]);
		const said = Object.fromEntries(values.filter(([, value]) => value !== undefined)) as Record<string, number>;
		if (said.sigma === undefined && Object.keys(said).length > 0) {
			throw refused(given.name, 'a sigma because other values are given', '');
		}
		const sharpen = said.sigma === undefined ? mildSharpen : said;
		return { sharpen };
	}),
	modifier('opacity', 1, (given) => {
		const opacity = given.needed(given.number(0, 0, 1));
		return { opacity };
	}),
	modifier('linear', 2, (given) => {
		const number = (at: number, part: string) => given.number(at, -1e6, 1e6, part);
		const [a, b] = [number(0, 'a') ?? 1, number(1, 'b') ?? 0];
		if (a !== 1 || b !== 0) throw unsupported(given.name);
		return {};
	}),
	modifier('normalize', 2, (given) => {
		// sharp hands whole numbers on, and cuts off what is behind the point.
		const lower = Math.trunc(given.number(0, 0, 99, 'lower') ?? 1);
		const upper = Math.trunc(given.number(1, 1, 100, 'upper') ?? 99);
		if (lower >= upper) throw refused(given.name, 'an upper number greater than the lower one', `${lower}_${upper}`);
		return { normalise: { lower, upper } };
	}),
	modifier('clahe', 3, (given) => {
		const width = given.needed(given.integer(0, 1, 100, 'width'), 'width');
		const height = given.integer(1, 1, 100, 'height') ?? width;
		const maxSlope = given.integer(2, 0, 100, 'maxSlope') ?? 3;
		return { clahe: { width, height, maxSlope } };
	}),
	modifier('tint', 1, (given) => {
		const colour = given.colour(0);
		return colour ? { tint: colour } : {};
	}),
	modifier('negate', 1, (given) => {
		const alpha = given.boolean(0, 'alpha');
		return { negate: alpha === undefined ? 'unsaid' : alpha ? 'opacity' : 'colours' };
	}),
	...['dilate', 'erode', 'unflatten'].map((name) =>
		modifier(name, 1, () => {
			throw unsupported(name);
		}),
	),
];

import { problem } from '../../domain/problems.ts';
import { type Operation, passesOf, type Size } from '../../operations/operation.ts';
import { type Chooser, type Encoder, encodersOf } from '../encoders/index.ts';

interface Step {
	readonly operation: Operation;
	readonly options: unknown;
}

/** A variant with its own steps and the name of the one that they begin with. */
interface SizedVariant {
	readonly name: string;
	readonly from: string | undefined;
	readonly steps: readonly Step[];
	readonly encodings: readonly { readonly encoder: Encoder | Chooser; readonly options: unknown }[];
}

/**
 * Pictures of every kind of shape, up to far beyond the accepted sizes. If steps make all of them too large, they make every picture too
 * large: the size does not follow from the picture but is written in the recipe.
 */
const samples: readonly Size[] = [
	{ width: 1, height: 1 },
	{ width: 1_000, height: 1_000 },
	{ width: 1_000, height: 700 },
	{ width: 700, height: 1_000 },
	{ width: 100_000, height: 1 },
	{ width: 1, height: 100_000 },
	{ width: 100_000, height: 100_000 },
];

/**
 * Variants whose steps make every picture larger than their format supports. A size that follows from the picture is no problem, because
 * such a variant is scaled down to fit.
 */
export function fixedSizeProblems(variants: readonly SizedVariant[]): readonly string[] {
	const byName = new Map(variants.map((variant) => [variant.name, variant]));
	const stepsTo = ({ from, steps }: SizedVariant): readonly Step[] => {
		const base = from === undefined ? undefined : byName.get(from);
		return base ? [...stepsTo(base), ...steps] : steps;
	};
	return variants.flatMap((variant) => {
		const { name, encodings } = variant;
		const least = leastSide(stepsTo(variant));
		return encodings.flatMap(({ encoder, options }, index) => {
			const most = Math.max(...encodersOf(encoder, options).map(({ maximumSide }) => maximumSide));
			if (least <= most) return [];
			const path = ['variants', name, 'encode', index, encoder.name];
			const expected = `expected at most ${most} pixels of width and height`;
			return problem(path, `${expected} but the steps make at least ${least} of every picture`);
		});
	});
}

/** The larger side of the smallest result. A step whose result depends on the pixels may make less than predicted, but not from 1 × 1. */
function leastSide(steps: readonly Step[]): number {
	const sides = samples.map((sample) => {
		const { width, height } = resultOf(steps, sample);
		return Math.max(width, height);
	});
	return Math.min(...sides);
}

function resultOf(steps: readonly Step[], picture: Size): Size {
	return [...passesOf(steps, picture)].at(-1)?.prediction.output ?? picture;
}

import { digest12, engineVersion } from '../../domain/digest.ts';
import type { ColourOption, HdrOption, MetadataOption } from '../../domain/output.ts';
import { describeProblems, oneOf, problem } from '../../domain/problems.ts';
import {
	type NamedRecipe,
	namePattern,
	type Recipe,
	type RecipeLimits,
	renderName,
	writtenRecipeSchema,
} from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { findOperation, operations } from '../../operations/index.ts';
import type { Operation } from '../../operations/operation.ts';
import { didYouMean } from '../../suggestion.ts';
import { type Chooser, type Encoder, encoders, encodersOf, findEncoder } from '../encoders/index.ts';
import { targetOf } from '../encoders/quality.ts';
import { fixedSizeProblems } from './fixed-size.ts';

/**
 * Checks a recipe as it was written and completes it. Everything here is pure and free of sharp, so that the API can check recipes
 * without loading it.
 */

export interface PlannedStep {
	readonly operation: Operation;
	readonly options: unknown;
}

export interface PlannedEncoding {
	readonly encoder: Encoder | Chooser;
	readonly options: unknown;
	/** The encoding as recipes write it, with defaults. */
	readonly definition: Readonly<Record<string, unknown>>;
}

/** Steps as recipes write them, each an operation's name with its options. */
export type WrittenSteps = Recipe['variants'][string]['steps'];

/** Metadata and colour space of the files, without defaults. */
interface OutputOptions {
	readonly metadata?: MetadataOption;
	/** That of the variant it builds on, if there is one. */
	readonly colour?: ColourOption;
	/** `keep` or absent. */
	readonly hdr?: HdrOption;
}

export interface PlannedVariant {
	readonly name: string;
	/** The variant whose result the steps begin with; undefined for the original and for variants without steps, which are equal to it. */
	readonly from: string | undefined;
	/** The page of the original that it is made from, counted from 1. */
	readonly page: number;
	/** The original is rotated by its EXIF orientation first. */
	readonly isUpright: boolean;
	readonly steps: readonly PlannedStep[];
	readonly output: OutputOptions;
	readonly encodings: readonly PlannedEncoding[];
	/** All steps from the original on, including those of the variants it builds on, as recipes write them, with defaults. */
	readonly definition: WrittenSteps;
}

/** Longer lists do not help to find the first mistake. */
const maximumProblemsShown = 8;

/**
 * Checks the shape of a recipe and each of its steps and encodings, and fills in every default.
 *
 * @param limits absent for recipes that were accepted before
 * @throws PicpipeError `invalid-recipe`, whose message lists every problem; `recipe-too-large` if that is the only problem
 */
export function parseRecipe(name: string, input: unknown, limits?: RecipeLimits): NamedRecipe {
	const problems = namePattern.test(name) ? [] : [problem(['name'], 'expected 1 to 32 of a-z, 0-9 and _', name)];
	const shape = writtenRecipeSchema.safeParse(input);
	if (!shape.success) throw refused([...problems, ...describeProblems(shape.error, input, [], writtenRecipeSchema)]);
	if (limits && Object.hasOwn(shape.data.variants, renderName)) problems.push(reservedVariant);
	const checked = checkVariants(shape.data, problems);
	if (limits && problems.length === 0) problems.push(...fixedSizeProblems(checked));
	const beyond = limits ? beyondLimits(shape.data, limits) : [];
	if (problems.length > 0) throw refused([...beyond, ...problems]);
	if (beyond.length > 0) throw new RecipeError('recipe-too-large', beyond);

	const variants = Object.fromEntries(
		checked.map(({ name, from, page, isUpright, definition, output, encodings }) => [
			name,
			{
				...(from !== undefined && { from }),
				...(page > 1 && { page }),
				...(!isUpright && { orient: false }),
				steps: definition,
				...output,
				encode: encodings.map((encoding) => encoding.definition),
			},
		]),
	);
	const definition: Recipe = { analyse: [...new Set(shape.data.analyse)].sort(), variants };
	const { doc } = shape.data;
	return { name, ...(doc && { doc }), digest: digest12(definition, engineVersion), definition };
}

const reservedVariant = problem(
	['variants', renderName],
	'expected another name, because this one is reserved for variants that are rendered on demand',
);

function beyondLimits({ variants }: Recipe, { maxSteps, maxVariants }: RecipeLimits): string[] {
	const count = Object.keys(variants).length;
	const problems = Object.entries(variants)
		.filter(([, { steps }]) => steps.length > maxSteps)
		.map(([name, { steps }]) =>
			problem(['variants', name, 'steps'], `expected at most ${maxSteps} (PICPIPE_MAX_STEPS)`, steps.length),
		);
	if (count > maxVariants) {
		problems.unshift(problem(['variants'], `expected at most ${maxVariants} (PICPIPE_MAX_VARIANTS)`, count));
	}
	return problems;
}

/** An invalid recipe, or an invalid file of them. The message is limited to the first few problems. */
export class RecipeError extends PicpipeError {
	/** One sentence each. */
	readonly problems: readonly string[];

	constructor(code: 'invalid-recipe' | 'recipe-too-large', problems: readonly string[]) {
		super(code, listProblems(problems));
		this.problems = problems;
	}
}

/** Problems as one sentence. */
function listProblems(problems: readonly string[]): string {
	const shown = problems.slice(0, maximumProblemsShown).join('; ');
	const hidden = problems.length - maximumProblemsShown;
	return hidden > 0 ? `${shown}; and ${hidden} more` : shown;
}

/** Cached plans: recipes never change, and several callers plan the same one. */
const plans = new WeakMap<Recipe, readonly PlannedVariant[]>();

/** The variants of a recipe with their operations and encoders looked up. @throws PicpipeError `invalid-recipe` */
export function planVariants(recipe: Recipe): readonly PlannedVariant[] {
	const known = plans.get(recipe) ?? plan(recipe);
	plans.set(recipe, known);
	return known;
}

function plan(recipe: Recipe): readonly PlannedVariant[] {
	const problems: string[] = [];
	const checked = checkVariants(recipe, problems);
	if (problems.length > 0) throw refused(problems);
	const byName = new Map(checked.map((variant) => [variant.name, variant]));
	const stepsTo = (name: string | undefined): WrittenSteps => {
		const variant = name === undefined ? undefined : byName.get(name);
		return variant ? [...stepsTo(variant.from), ...variant.definition] : [];
	};
	/** The variant that begins with the original: its options about the original apply to all variants that build on it. */
	const rootOf = (variant: CheckedVariant): CheckedVariant => {
		const base = variant.from === undefined ? undefined : byName.get(variant.from);
		return base ? rootOf(base) : variant;
	};
	return checked.map((one) => {
		const { definition, ...variant } = one;
		const before = stepsTo(variant.from);
		const { page, isUpright, output } = rootOf(one);
		const { colour } = output;
		return {
			...variant,
			page,
			isUpright,
			output: { ...variant.output, ...(colour && { colour }) },
			// Without earlier steps it is the original, which a first step may take scaled down.
			from: before.length > 0 ? variant.from : undefined,
			definition: [...before, ...definition],
		};
	});
}

function refused(problems: readonly string[]): RecipeError {
	return new RecipeError('invalid-recipe', problems);
}

/** A variant on its own: `from`, `page` and `isUpright` as written, and a definition with its own steps only. */
type CheckedVariant = PlannedVariant;

/** Options that only a variant that begins with the original may have. */
const keysOfOriginals = [
	['colour', 'the colours are those'],
	['page', 'the page is that'],
	['orient', 'the picture lies as that'],
	['hdr', 'the pixels are those'],
] as const;

function checkVariants(recipe: Recipe, problems: string[]): CheckedVariant[] {
	return Object.entries(recipe.variants).map(([name, variant]) => {
		const path = ['variants', name];
		checkFrom(name, recipe, problems);
		const { metadata = 'strip', colour = 'srgb', hdr = 'drop', page = 1, orient = true, from } = variant;
		for (const [key, what] of keysOfOriginals) {
			if (from === undefined || variant[key] === undefined) continue;
			problems.push(problem([...path, key], `expected no such key, because ${what} of ${from}`));
		}
		const steps = variant.steps.flatMap((step, index) =>
			checkNamed(step, [...path, 'steps', index], operations, findOperation, problems),
		);
		const encodings = variant.encode.flatMap((encoding, index) =>
			checkNamed(encoding, [...path, 'encode', index], encoders, findEncoder, problems),
		);
		if (hdr === 'keep') checkHdr(path, steps, encodings, problems);
		const formats = encodings.flatMap(({ value, options }) => encodersOf(value, options).map(({ name }) => name));
		if (new Set(formats).size < formats.length) {
			problems.push(problem([...path, 'encode'], 'expected each format at most once', formats));
		}
		return {
			name,
			from,
			page,
			isUpright: orient,
			output: {
				...(metadata !== 'strip' && { metadata }),
				...(colour !== 'srgb' && { colour }),
				...(hdr !== 'drop' && { hdr }),
			},
			steps: steps.map(({ value, options }) => ({ operation: value, options })),
			encodings: encodings.map(({ value, options, definition }) => ({ encoder: value, options, definition })),
			definition: steps.map(({ definition }) => definition),
		};
	});
}

/** Steps that sharp can take a gain map through. */
const stepsWithGainMap = ['crop', 'flip', 'flop', 'resize', 'rotate'];

/** A gain map needs a JPEG of a known quality, and steps that move pixels without changing their colours. */
function checkHdr(
	path: readonly PropertyKey[],
	steps: readonly Named<Operation>[],
	encodings: readonly Named<Encoder | Chooser>[],
	problems: string[],
): void {
	for (const [index, { value, options }] of steps.entries()) {
		const { angle = 0 } = options as { readonly angle?: number };
		if (stepsWithGainMap.includes(value.name) && angle % 90 === 0) continue;
		const expected = `expected ${oneOf(stepsWithGainMap)} by a multiple of 90, because hdr is keep`;
		problems.push(problem([...path, 'steps', index], expected, value.name));
	}
	const jpeg = encodings.find(({ value }) => value.name === 'jpeg');
	if (!jpeg) {
		const names = encodings.map(({ value }) => value.name);
		problems.push(problem([...path, 'encode'], 'expected jpeg among the encoders, because hdr is keep', names));
	} else if (targetOf(jpeg.options)) {
		problems.push(problem([...path, 'encode'], 'expected a number as the quality of jpeg, because hdr is keep'));
	}
}

/** A variant may build on any other one, without cycles. */
function checkFrom(name: string, { variants }: Recipe, problems: string[]): void {
	const byName = new Map(Object.entries(variants));
	const path = ['variants', name, 'from'];
	const from = byName.get(name)?.from;
	if (from === undefined) return;
	if (!byName.has(from)) {
		const others = [...byName.keys()].filter((other) => other !== name);
		const expected = others.length > 0 ? oneOf(others) : 'no such key where there is no other variant';
		problems.push(problem(path, `expected ${expected}`, from));
		return;
	}
	const way = [name];
	for (let at: string | undefined = from; at !== undefined && byName.has(at); at = byName.get(at)?.from) {
		if (way.includes(at)) {
			// A cycle further up is reported at its own variants.
			if (at === name) problems.push(problem(path, `expected no circle, but ${[...way, at].join(' → ')}`));
			return;
		}
		way.push(at);
	}
}

interface Named<Value> {
	readonly value: Value;
	readonly options: unknown;
	readonly definition: Record<string, unknown>;
}

/** `{ resize: { width: 400 } }` against the schema of the operation or encoder. */
function checkNamed<Value extends Operation | Encoder | Chooser>(
	written: Readonly<Record<string, unknown>>,
	path: readonly PropertyKey[],
	known: readonly Value[],
	find: (name: string) => Value | undefined,
	problems: string[],
): Named<Value>[] {
	const names = Object.keys(written);
	const [name] = names;
	const value = name === undefined || names.length > 1 ? undefined : find(name);
	if (name === undefined || !value) {
		const all = known.map((one) => one.name);
		const hint = names.length === 1 && name ? didYouMean(name, all) : '';
		problems.push(problem(path, `expected ${oneOf(all)}`, name ? names.join(', ') : undefined) + hint);
		return [];
	}
	const parsed = value.schema.safeParse(written[name]);
	if (!parsed.success) {
		problems.push(...describeProblems(parsed.error, written[name], [...path, name], value.schema));
		return [];
	}
	return [{ value, options: parsed.data, definition: { [name]: parsed.data } }];
}

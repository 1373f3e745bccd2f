import { describeProblems } from '../../../domain/problems.ts';
import { PicpipeError } from '../../../errors.ts';
import { findOperation } from '../../../operations/index.ts';
import type { Prediction, Size } from '../../../operations/operation.ts';
import type { RenderPlan, SourceFacts } from '../image-request.ts';
import { unreadable } from './values.ts';

/** Most steps of one render. */
const maximumSteps = 20;

type Options = Readonly<Record<string, unknown>>;

/** A size that stands for one that is not known: what a prediction says beside it is true for any. */
const anySize: Size = { width: 1_000, height: 1_000 };

/** The picture as components change it: how large it is by then, and the steps that lead there. */
export class Canvas {
	readonly #steps: RenderPlan['steps'][number][] = [];
	#size: Size | undefined;
	#alpha: boolean;

	/** @param isFirstPage what is known of a picture is known of its first page */
	constructor({ width, height, alpha }: SourceFacts, isFirstPage = true) {
		this.#size = isFirstPage ? { width, height } : undefined;
		this.#alpha = alpha || !isFirstPage;
	}

	get steps(): RenderPlan['steps'] {
		return this.#steps;
	}

	/** Pixels; undefined after a step whose result only the picture decides. */
	get size(): Size | undefined {
		return this.#size;
	}

	/** Whether something of it may be transparent. */
	get alpha(): boolean {
		return this.#alpha;
	}

	/** @param forWhat what needs it @throws PicpipeError `option-unsupported` when the size is not known */
	known(forWhat: string): Size {
		if (!this.#size) {
			throw new PicpipeError(
				'option-unsupported',
				`Expected ${forWhat} where the size of the picture is known, which it is not after e_trim, or of a page after the first.`,
			);
		}
		return this.#size;
	}

	/** What a step would make of a picture of a size. @throws PicpipeError */
	predict(size: Size, name: string, options: Options): Size {
		return predict(size, name, options).output;
	}

	/**
	 * Adds a step.
	 *
	 * @param made the size of the result, where it is the same whatever the size was before
	 * @throws PicpipeError when its options are out of range
	 */
	add(name: string, options: Options, made?: Size): void {
		const { output, addsAlpha, isAtMost } = predict(this.#size ?? anySize, name, options);
		if (this.#steps.length === maximumSteps) {
			throw unreadable('the transformation', `at most ${maximumSteps} steps`, `${maximumSteps + 1} or more`);
		}
		this.#steps.push({ [name]: options });
		this.#size = made ?? (this.#size && !isAtMost ? output : undefined);
		this.#alpha = name !== 'flatten' && (this.#alpha || addsAlpha === true);
	}

	/** Scales to a size, in the shortest words that give it, so that the same size is always asked for alike. */
	scaleTo(wanted: Size): void {
		const size = this.#size;
		if (!size) {
			this.add('resize', { ...wanted, fit: 'fill' }, wanted);
			return;
		}
		if (isSame(size, wanted)) return;
		const { width, height } = wanted;
		const shortest = [{ width }, { height }].find((options) => isSame(this.predict(size, 'resize', options), wanted));
		this.add('resize', shortest ?? { width, height, fit: 'fill' });
	}
}

export function isSame(one: Size, other: Size): boolean {
	return one.width === other.width && one.height === other.height;
}

function predict(size: Size, name: string, options: Options): Prediction {
	const operation = findOperation(name);
	if (!operation) throw new TypeError(`Expected an operation ${name}.`);
	const parsed = operation.schema.safeParse(options);
	if (!parsed.success) {
		throw new PicpipeError('invalid-delivery-url', describeProblems(parsed.error, options, [name]).join('; '));
	}
	return operation.predict(size, parsed.data);
}

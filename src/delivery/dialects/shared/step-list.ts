import { describeProblems } from '../../../domain/problems.ts';
import { findOperation } from '../../../operations/index.ts';
import type { Prediction, Size } from '../../../operations/operation.ts';
import { maximumSide } from '../../../operations/options.ts';
import type { RenderPlan } from '../image-request.ts';
import { invalidUrl, sizeUnknown } from './refusals.ts';

/** Most steps of one render. */
const maximumSteps = 20;

export type StepOptions = Readonly<Record<string, unknown>>;

/** Adds the steps of one option to the list. */
export type AddSteps<Context = void> = (steps: StepList, context: Context) => void;

/** Adds a step that does not depend on the picture. */
export function step(operation: string, options: StepOptions = {}): AddSteps<unknown> {
	return (steps) => steps.add(operation, options);
}

interface StartingPoint {
	/** Pixels; undefined if only the decoded picture tells. */
	readonly size: Size | undefined;
	/** Whether the picture may be transparent. */
	readonly alpha: boolean;
	/** Whether to refuse a step that enlarges the picture beyond the limit of operations. */
	readonly limitsSides?: boolean;
	/** Do not update alpha while the size is unknown. The digests of a dialect's published URLs can depend on it. */
	readonly keepsAlphaWithoutSize?: boolean;
}

/** Stands in for an unknown size: apart from the size, a prediction is valid for any size. */
const anySize: Size = { width: 1_000, height: 1_000 };

/** The steps of a render, with the predicted size and alpha of the picture after the last one. */
export class StepList {
	readonly #steps: RenderPlan['steps'][number][] = [];
	readonly #start: StartingPoint;
	#size: Size | undefined;
	#alpha: boolean;

	constructor(start: StartingPoint) {
		this.#start = start;
		this.#size = start.size;
		this.#alpha = start.alpha;
	}

	get steps(): RenderPlan['steps'] {
		return this.#steps;
	}

	/** Pixels; undefined after a step whose result depends on the content of the picture. */
	get size(): Size | undefined {
		return this.#size;
	}

	/** Whether the picture may be transparent. */
	get alpha(): boolean {
		return this.#alpha;
	}

	/** @param option for the error @throws PicpipeError `option-unsupported` if the size is unknown */
	sizeFor(option: string): Size {
		if (!this.#size) throw sizeUnknown(option);
		return this.#size;
	}

	/** The size that a step makes from another size. @throws PicpipeError */
	predict(size: Size, name: string, options: StepOptions): Size {
		return predict(size, name, options).output;
	}

	/**
	 * Adds a step.
	 *
	 * @param result the size of the result, if it does not depend on the size before
	 * @throws PicpipeError if the options are out of range, or there are too many steps
	 */
	add(name: string, options: StepOptions = {}, result?: Size): void {
		const before = this.#size;
		const { output, addsAlpha, isAtMost } = predict(before ?? anySize, name, options);
		if (this.#steps.length === maximumSteps)
			throw invalidUrl(`Expected at most ${maximumSteps} steps but the options lead to more.`);
		// A picture that is larger from the start may keep its size.
		if (before && this.#start.limitsSides && isLarger(output, Math.max(maximumSide, before.width, before.height))) {
			throw tooLarge(name, output);
		}
		this.#steps.push({ [name]: options });
		this.#size = result ?? (before && !isAtMost ? output : undefined);
		if (name === 'flatten') this.#alpha = false;
		else if (addsAlpha && (before || !this.#start.keepsAlphaWithoutSize)) this.#alpha = true;
	}

	/** Scales to a size with the shortest options, so that equal sizes always have equal steps. */
	scaleTo(wanted: Size, further: StepOptions = {}): void {
		const size = this.#size;
		if (!size) {
			this.add('resize', { ...wanted, fit: 'fill', ...further }, wanted);
			return;
		}
		if (isSameSize(size, wanted)) return;
		const { width, height } = wanted;
		const shortest = [{ width }, { height }].find((side) => isSameSize(this.predict(size, 'resize', side), wanted));
		this.add('resize', { ...(shortest ?? { width, height, fit: 'fill' }), ...further });
	}
}

export function isSameSize(one: Size, other: Size): boolean {
	return one.width === other.width && one.height === other.height;
}

/** The sides that differ from the whole. */
export function changedSides(whole: Size, { width, height }: Size): Partial<Size> {
	return { ...(width !== whole.width && { width }), ...(height !== whole.height && { height }) };
}

/** @throws PicpipeError if a side exceeds the limit of operations */
export function checkSides(size: Size, cause = 'the options'): void {
	if (isLarger(size, maximumSide)) throw tooLarge(cause, size);
}

function tooLarge(cause: string, { width, height }: Size) {
	return invalidUrl(
		`Expected a picture of at most ${maximumSide} pixels a side but ${cause} would make ${width}×${height}.`,
	);
}

function isLarger({ width, height }: Size, side: number): boolean {
	return width > side || height > side;
}

/** A share of a length for operations, with at most four decimals. @param share of 1 */
export function percent(share: number): `${number}%` {
	return `${Number((share * 100).toFixed(4)) + 0}%`;
}

function predict(size: Size, name: string, options: StepOptions): Prediction {
	const operation = findOperation(name);
	if (!operation) throw new TypeError(`Expected an operation ${name}.`);
	const parsed = operation.schema.safeParse(options);
	if (!parsed.success) throw invalidUrl(`${describeProblems(parsed.error, options, [name]).join('; ')}.`);
	return operation.predict(size, parsed.data);
}

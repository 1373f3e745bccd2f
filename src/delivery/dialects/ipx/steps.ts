import { PicpipeError } from '../../../errors.ts';
import { findOperation } from '../../../operations/index.ts';
import type { Prediction, Size } from '../../../operations/operation.ts';
import { maximumSide } from '../../../operations/options.ts';
import type { SourceFacts } from '../image-request.ts';

type Options = Readonly<Record<string, unknown>>;

/** Most steps that one address may ask for. */
const maximumSteps = 20;

/** More than any operation makes. */
export function tooLarge(name: string, { width, height }: Size): PicpipeError {
	return new PicpipeError(
		'invalid-delivery-url',
		`Expected a picture of at most ${maximumSide} pixels a side but ${name} would make ${width}×${height}.`,
	);
}

/** Steps as they come together, and what the picture has become by then. */
export class Steps {
	readonly list: Readonly<Record<string, Options>>[] = [];
	/** Unknown after a step whose result has a size that only the pixels tell. */
	size: Size | undefined;
	/** Something may show through. */
	alpha: boolean;

	constructor({ width, height, alpha }: SourceFacts) {
		this.size = { width, height };
		this.alpha = alpha;
	}

	/** @throws PicpipeError when that is too many, or makes the picture too large */
	add(name: string, options: Options = {}): void {
		this.list.push({ [name]: options });
		if (this.list.length > maximumSteps) {
			throw new PicpipeError('invalid-delivery-url', `Expected no more than ${maximumSteps} steps.`);
		}
		const { size } = this;
		if (!size) return;
		const { output, isAtMost, addsAlpha } = this.predict(name, options, size);
		// A picture that is larger as it came was let in, and may stay as large.
		if (Math.max(output.width, output.height) > Math.max(maximumSide, size.width, size.height)) {
			throw tooLarge(name, output);
		}
		this.size = isAtMost ? undefined : output;
		this.alpha ||= addsAlpha ?? false;
	}

	/** What a step would make of a picture of this size. */
	predict(name: string, options: Options, size: Size): Prediction {
		const operation = findOperation(name);
		if (!operation) throw new TypeError(`Expected an operation ${name}.`);
		return operation.predict(size, operation.schema.parse(options));
	}
}

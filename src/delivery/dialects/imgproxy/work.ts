import type { Size } from '../../../operations/operation.ts';
import { maximumSide } from '../../../operations/options.ts';
import { invalid } from './refusals.ts';

/** A step as recipes write it. */
export type Step = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** What is known of the picture while its steps are written down. */
export interface Work {
	readonly steps: Step[];
	/** Undefined where it depends on what is in the picture. */
	size: Size | undefined;
	/** Something may show through. */
	isTranslucent: boolean;
	/** It has no pixels yet: it is drawn in the size that is needed. */
	isDrawn: boolean;
}

/** @throws PicpipeError where a step would have to make a larger picture than operations do */
export function checkSides({ width, height }: Size): void {
	if (width > maximumSide || height > maximumSide) {
		throw invalid(
			`Expected a picture of at most ${maximumSide} pixels a side but the options lead to ${width} × ${height}.`,
		);
	}
}

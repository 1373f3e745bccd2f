import { ArgumentReader } from '../shared/arguments.ts';
import { colourOfDigits, type HexColour } from '../shared/colours.ts';
import { invalidValue, unsupportedOption } from '../shared/refusals.ts';
import type { AddSteps } from '../shared/step-list.ts';
import type { Draft, Pipeline, PipelineState } from './pipeline.ts';

/** One option of a URL: a row of a table. */
export interface ImgproxyOption {
	/** imgproxy's names, the long name first. */
	readonly names: readonly [string, ...string[]];
	/** Most arguments; any number if absent. */
	readonly most?: number;
	/** Changes the pipeline that contains the option, or the whole draft. */
	read(args: readonly string[], pipeline: Pipeline, draft: Draft, name: string): void;
}

/** An option with a single argument. */
export function single(
	names: ImgproxyOption['names'],
	read: (text: string, pipeline: Pipeline, draft: Draft, name: string) => void,
): ImgproxyOption {
	return { names, most: 1, read: ([text = ''], pipeline, draft, name) => read(text, pipeline, draft, name) };
}

/** An option with a switch. */
export function toggle(
	names: ImgproxyOption['names'],
	set: (isOn: boolean, pipeline: Pipeline, draft: Draft) => void,
): ImgproxyOption {
	return single(names, (text, pipeline, draft, name) => set(argument.boolean(name, text), pipeline, draft));
}

/**
 * An option that makes a step. The row's position in its table decides the position of the step in `processingOrder`.
 *
 * @param make reads the arguments; undefined if they change nothing
 */
export function stepOption(
	names: ImgproxyOption['names'],
	most: number,
	make: (args: readonly string[], name: string) => AddSteps<PipelineState> | undefined,
): ImgproxyOption {
	const [key] = names;
	return {
		names,
		most,
		read(args, { made }, _draft, name) {
			const steps = make(args, name);
			if (steps) made.set(key, steps);
			else made.delete(key);
		},
	};
}

/** An option of imgproxy that picpipe does not have. @param neutral arguments that change nothing */
export function missing(names: ImgproxyOption['names'], why: string, neutral: readonly string[] = []): ImgproxyOption {
	return {
		names,
		read(args, _pipeline, _draft, name) {
			if (!neutral.includes(args.join(':'))) throw unsupportedOption(name, why);
		},
	};
}

/** Calls `read` with an argument that is present and not empty. */
export function ifPresent(args: readonly string[], index: number, read: (text: string) => void): void {
	const text = args[index];
	if (text !== undefined && text !== '') read(text);
}

/** Reads the arguments of options in imgproxy's syntax. */
export const argument = new ArgumentReader({
	integer: /^[+-]?\d{1,15}$/,
	number: /^(?=.{1,24}$)[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/i,
	booleans: new Map([
		...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text) => [text, true] as const),
		...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text) => [text, false] as const),
	]),
	expectedBoolean: '1, t or true, or else 0, f or false,',
});

/** A colour of three or six hexadecimal digits. */
export function colourArgument(name: string, text: string): HexColour {
	const colour = text.length === 3 || text.length === 6 ? colourOfDigits(text) : undefined;
	if (!colour) throw invalidValue(name, 'a colour of three or six hexadecimal digits', text);
	return colour;
}

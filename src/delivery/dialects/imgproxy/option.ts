import type { Draft, Pipeline } from './pipeline.ts';
import { unexpected, unsupported } from './refusals.ts';

/** One option of an address: a line of the table. */
export interface Option {
	/** As imgproxy spells it, the long name first. */
	readonly names: readonly [string, ...string[]];
	/** Most arguments; any number when absent. */
	readonly most?: number;
	/** It changes the pipeline that it stands in, or what there is one of in an address. */
	read(args: readonly string[], pipeline: Pipeline, draft: Draft, name: string): void;
}

/** An option that only reads its first argument. */
export function single(
	names: Option['names'],
	read: (text: string, pipeline: Pipeline, draft: Draft, name: string) => void,
): Option {
	return { names, most: 1, read: ([text = ''], pipeline, draft, name) => read(text, pipeline, draft, name) };
}

/** An option that imgproxy has and we don't. @param neutral arguments that ask for nothing */
export function missing(names: Option['names'], why: string, neutral: readonly string[] = []): Option {
	return {
		names,
		read(args, _pipeline, _draft, name) {
			if (!neutral.includes(args.join(':'))) throw unsupported(name, why);
		},
	};
}

/** Calls back for an argument that is there and not empty. */
export function given(args: readonly string[], index: number, read: (text: string) => void): void {
	const text = args[index];
	if (text !== undefined && text !== '') read(text);
}

/** @throws PicpipeError where there are too many arguments */
export function checkCount(option: Option, name: string, args: readonly string[]): void {
	if (option.most !== undefined && args.length > option.most) {
		throw unexpected(`at most ${option.most} ${option.most === 1 ? 'argument' : 'arguments'}`, name, args.join(':'));
	}
}

import type { Presets } from '../image-request.ts';
import { invalidUrl, invalidValue, unsupportedOption } from '../shared/refusals.ts';
import { filterOptions } from './filter-options.ts';
import { geometryOptions } from './geometry-options.ts';
import type { ImgproxyOption } from './option.ts';
import { outputOptions } from './output-options.ts';
import { overlayOptions } from './overlay-options.ts';
import { type Draft, newDraft, newPipeline, type Pipeline } from './pipeline.ts';
import { responseOptions } from './response-options.ts';
import { splitPipelines } from './url.ts';

/** Every supported option, and imgproxy's other options, which are refused by name. Presets are read elsewhere. */
export const options: readonly ImgproxyOption[] = [
	...geometryOptions,
	...filterOptions,
	...overlayOptions,
	...outputOptions,
	...responseOptions,
];

const byName = new Map(options.flatMap((option) => option.names.map((name) => [name, option] as const)));
const ofResponse = new Set(responseOptions.flatMap(({ names }) => names));

/** Most pipelines in a URL. */
const maximumPipelines = 10;
/** Most options in a URL, including those of all presets and nested presets. */
const maximumOptions = 500;

/** Reads options in order. Of a repeated option the last wins. */
export class OptionsReader {
	readonly draft: Draft = newDraft();
	/** Names of options that change the picture, except those of the preset `default`. */
	readonly changing: string[] = [];
	readonly #presets: Presets;
	#options = 0;

	/** Starts with the preset `default`, if there is one. */
	constructor(presets: Presets) {
		this.#presets = presets;
		if (presets.has('default')) this.usePresets(['default'], 0);
		this.changing.length = 0;
	}

	/** @param options of each pipeline, as written */
	read(pipelines: readonly (readonly string[])[], first = 0, within: readonly string[] = []): void {
		for (const [index, options] of pipelines.entries()) {
			this.#pipeline(first + index);
			for (const option of options) this.#readOne(option, first + index, within);
		}
	}

	/**
	 * A preset with several pipelines continues in the pipelines that follow.
	 *
	 * @param at the pipeline that names them
	 * @param within presets that led here, to detect cycles
	 */
	usePresets(names: readonly string[], at: number, within: readonly string[] = []): void {
		for (const name of names) {
			const text = this.#presets.get(name);
			if (text === undefined) throw invalidValue('preset', 'a preset of this installation', name);
			if (within.includes(name))
				throw invalidUrl(`Expected presets without a circle but ${[...within, name].join(' → ')}.`);
			const parts = text.split('/').filter((part) => part !== '');
			this.read(splitPipelines(parts), at, [...within, name]);
		}
	}

	#readOne(text: string, at: number, within: readonly string[]): void {
		this.#options++;
		if (this.#options > maximumOptions)
			throw invalidUrl(`Expected at most ${maximumOptions} options, those of presets too.`);
		const [name = '', ...args] = text.split(':');
		if (args.length === 0) throw invalidValue('an option', 'a name, a colon and arguments', text);
		if (name === 'preset' || name === 'pr') {
			this.usePresets(args, at, within);
			return;
		}
		if (!ofResponse.has(name)) this.changing.push(name);
		const pipeline = this.#pipeline(at);
		const option = byName.get(name);
		if (!option) throw unsupportedOption(name);
		checkCount(option, name, args);
		option.read(args, pipeline, this.draft, name);
	}

	#pipeline(at: number): Pipeline {
		const { pipelines } = this.draft;
		if (at >= maximumPipelines) throw invalidUrl(`Expected at most ${maximumPipelines} pipelines.`);
		while (pipelines.length <= at) pipelines.push(newPipeline());
		return pipelines[at] as Pipeline;
	}
}

function checkCount({ most }: ImgproxyOption, name: string, args: readonly string[]): void {
	if (most !== undefined && args.length > most) {
		throw invalidValue(name, `at most ${most} ${most === 1 ? 'argument' : 'arguments'}`, args.join(':'));
	}
}

import type { Presets } from '../image-request.ts';
import { splitPipelines } from './address.ts';
import { isHandling, readOption } from './options.ts';
import { type Draft, newDraft, newPipeline, type Pipeline } from './pipeline.ts';
import { invalid, unexpected } from './refusals.ts';

/** More pipelines in a row than anybody needs. */
const maximumPipelines = 10;
/** Options with those of all presets: presets may name others, and those others. */
const maximumOptions = 500;

/** Reads options, one after the other: the later one counts. */
export class Reader {
	readonly draft: Draft = newDraft();
	/** Names of options that change the picture, but for those of the preset `default`. */
	readonly changing: string[] = [];
	readonly #presets: Presets;
	#options = 0;

	/** Begins with the preset `default`, if there is one. */
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
	 * A preset with several pipelines goes on in those that follow.
	 *
	 * @param at the pipeline that names them
	 * @param within presets that lead here
	 */
	usePresets(names: readonly string[], at: number, within: readonly string[] = []): void {
		for (const name of names) {
			const text = this.#presets.get(name);
			if (text === undefined) throw unexpected('a preset of this installation', 'preset', name);
			if (within.includes(name))
				throw invalid(`Expected presets without a circle but ${[...within, name].join(' → ')}.`);
			const parts = text.split('/').filter((part) => part !== '');
			this.read(splitPipelines(parts), at, [...within, name]);
		}
	}

	#readOne(text: string, at: number, within: readonly string[]): void {
		this.#options++;
		if (this.#options > maximumOptions)
			throw invalid(`Expected at most ${maximumOptions} options, those of presets too.`);
		const [name = '', ...args] = text.split(':');
		if (args.length === 0) throw unexpected('a name, a colon and arguments', 'an option', text);
		if (name === 'preset' || name === 'pr') {
			this.usePresets(args, at, within);
			return;
		}
		if (!isHandling(name)) this.changing.push(name);
		readOption(name, args, this.#pipeline(at), this.draft);
	}

	#pipeline(at: number): Pipeline {
		const { pipelines } = this.draft;
		if (at >= maximumPipelines) throw invalid(`Expected at most ${maximumPipelines} pipelines.`);
		while (pipelines.length <= at) pipelines.push(newPipeline());
		return pipelines[at] as Pipeline;
	}
}

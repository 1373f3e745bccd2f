import { geometryOptions } from './geometry-options.ts';
import { handlingOptions } from './handling-options.ts';
import { looksOptions } from './looks-options.ts';
import { checkCount, type Option } from './option.ts';
import { outputOptions } from './output-options.ts';
import type { Draft, Pipeline } from './pipeline.ts';
import { unsupported } from './refusals.ts';

/** Every option that is understood, and those of imgproxy that are refused by name. Presets are read elsewhere. */
export const options: readonly Option[] = [...geometryOptions, ...looksOptions, ...outputOptions, ...handlingOptions];

const byName = new Map(options.flatMap((option) => option.names.map((name) => [name, option] as const)));
const handling = new Set(handlingOptions.flatMap(({ names }) => names));

/** Does an option leave the picture as it is? */
export function isHandling(name: string): boolean {
	return handling.has(name);
}

/** @throws PicpipeError `invalid-delivery-url`, `option-unsupported` */
export function readOption(name: string, args: readonly string[], pipeline: Pipeline, draft: Draft): void {
	const option = byName.get(name);
	if (!option) throw unsupported(name);
	checkCount(option, name, args);
	option.read(args, pipeline, draft, name);
}

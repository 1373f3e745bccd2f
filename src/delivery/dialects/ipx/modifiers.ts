import { type RenderPlan, renderFormats } from '../image-request.ts';
import { invalidValue, unsupportedOption } from '../shared/refusals.ts';
import { ModifierArguments } from './arguments.ts';
import { filterModifiers } from './filter-modifiers.ts';
import { geometryModifiers } from './geometry-modifiers.ts';
import type { Modifier } from './modifier.ts';
import type { SettingsChange } from './settings.ts';

/** The modifiers of a URL, read but not yet applied to a picture. */
export interface ModifierRequest {
	/** In the order in which ipx applies them. */
	readonly changes: readonly SettingsChange[];
	readonly format: RenderPlan['format'];
	/** Keep every frame of an animation, whatever the format. */
	readonly animated: boolean;
}

const byName: ReadonlyMap<string, Modifier> = new Map(
	[...geometryModifiers, ...filterModifiers].flatMap((one) => one.names.map((name): [string, Modifier] => [name, one])),
);

const longNames: ReadonlyMap<string, string> = new Map([
	...[...byName].map(([name, { names }]): [string, string] => [name, names[0] ?? name]),
	['f', 'format'],
	['a', 'animated'],
]);

/** The long name of a modifier, for its long or short one. */
export function longName(name: string): string {
	return longNames.get(name) ?? name;
}

/** Formats of ipx that picpipe does not write. */
const notWritten = ['heic', 'heif', 'svg'];

/**
 * @param written modifiers by their names as written
 * @throws PicpipeError that names the modifier
 */
export function readModifiers(written: ReadonlyMap<string, string>): ModifierRequest {
	const [changes, others]: [(Modifier & { name: string; change: SettingsChange })[], Map<string, ModifierArguments>] = [
		[],
		new Map(),
	];
	for (const [name, text] of written) {
		const args = new ModifierArguments(name, text);
		const modifier = byName.get(name);
		if (modifier) changes.push({ ...modifier, name, change: modifier.read(args) });
		else others.set(name, args);
	}
	const { format, animated } = readOutput(others);
	changes.sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
	return { changes: changes.map(({ change }) => change), format, animated };
}

/** Modifiers of the output, which make no steps. */
function readOutput(others: ReadonlyMap<string, ModifierArguments>): Pick<ModifierRequest, 'format' | 'animated'> {
	let animated = false;
	for (const [name, args] of others) {
		if (name === 'animated' || name === 'a') {
			args.flag();
			animated = true;
		} else if (name !== 'format' && name !== 'f') throw unsupportedOption(name);
	}
	// The short name overrides the long one, but both have to be valid.
	const [format, long] = ['f', 'format'].map((name) => formatOf(others.get(name)));
	return { format: format ?? long ?? 'source', animated };
}

function formatOf(args: ModifierArguments | undefined): RenderPlan['format'] | undefined {
	args?.atMost(1);
	const name = args?.text(0);
	if (args === undefined || name === undefined) return undefined;
	if (notWritten.includes(name)) throw unsupportedOption(`${args.name}_${name}`);
	const known = name === 'jpg' ? 'jpeg' : (['auto', ...renderFormats] as const).find((one) => one === name);
	if (!known) throw invalidValue(args.name, `one of auto, jpg, ${renderFormats.join(', ')}`, name);
	return known;
}

import type { RenderPlan } from '../image-request.ts';
import { renderFormats } from '../image-request.ts';
import { contextModifiers } from './context-modifiers.ts';
import { geometryModifiers } from './geometry-modifiers.ts';
import { Given, refused, unsupported } from './given.ts';
import { lookModifiers } from './look-modifiers.ts';
import type { Modifier } from './modifier.ts';
import type { Change } from './settings.ts';

/** What the modifiers of an address ask for, read but not yet brought together with a picture. */
export interface Asked {
	/** In the order in which ipx makes them. */
	readonly changes: readonly Change[];
	readonly format: RenderPlan['format'];
	/** Every frame of an animation, whatever the format. */
	readonly animated: boolean;
}

const byName: ReadonlyMap<string, Modifier> = new Map(
	[...contextModifiers, ...geometryModifiers, ...lookModifiers].flatMap((one) =>
		one.names.map((name): [string, Modifier] => [name, one]),
	),
);

const longNames: ReadonlyMap<string, string> = new Map([
	...[...byName].map(([name, { names }]): [string, string] => [name, names[0] ?? name]),
	['f', 'format'],
	['a', 'animated'],
]);

/** The long name of a modifier, whichever was written. */
export function longName(name: string): string {
	return longNames.get(name) ?? name;
}

/** Formats that ipx has and picpipe does not write. */
const notWritten = ['heic', 'heif', 'svg'];

/**
 * @param written modifiers by their names as written
 * @throws PicpipeError that names the modifier
 */
export function readModifiers(written: ReadonlyMap<string, string>): Asked {
	const [changes, others]: [(Modifier & { name: string; change: Change })[], Map<string, Given>] = [[], new Map()];
	for (const [name, text] of written) {
		const given = new Given(name, text);
		const modifier = byName.get(name);
		if (modifier) changes.push({ ...modifier, name, change: modifier.read(given) });
		else others.set(name, given);
	}
	const { format, animated } = readOutput(others);
	changes.sort((a, b) => a.order - b.order || (a.name < b.name ? -1 : 1));
	return { changes: changes.map(({ change }) => change), format, animated };
}

/** Those that are no work on the picture. */
function readOutput(others: ReadonlyMap<string, Given>): Pick<Asked, 'format' | 'animated'> {
	let animated = false;
	for (const [name, given] of others) {
		if (name === 'animated' || name === 'a') {
			given.flag();
			animated = true;
		} else if (name !== 'format' && name !== 'f') throw unsupported(name);
	}
	// Of both names the short one is taken, but each has to be right.
	const [format, long] = ['f', 'format'].map((name) => formatOf(others.get(name)));
	return { format: format ?? long ?? 'source', animated };
}

function formatOf(given: Given | undefined): RenderPlan['format'] | undefined {
	given?.atMost(1);
	const name = given?.text(0);
	if (given === undefined || name === undefined) return undefined;
	if (notWritten.includes(name)) throw unsupported(`${given.name}_${name}`);
	const known = name === 'jpg' ? 'jpeg' : (['auto', ...renderFormats] as const).find((one) => one === name);
	if (!known) throw refused(given.name, `one of auto, jpg, ${renderFormats.join(', ')}`, name);
	return known;
}

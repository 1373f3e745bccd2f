import type { AddSteps } from '../shared/step-list.ts';
import type { ModifierArguments } from './arguments.ts';
import type { Settings, SettingsChange } from './settings.ts';

/** One modifier: a row of a table. */
export interface Modifier {
	/** The long name first. */
	readonly names: readonly string[];
	/** ipx applies modifiers in this order, and those of the same order by their names as written. */
	readonly order: -1 | 0 | 1;
	/** @throws PicpipeError if the values cannot be read or are not supported */
	readonly read: (args: ModifierArguments) => SettingsChange;
}

/**
 * @param names separated by spaces
 * @param values most values; `flag` for a modifier that needs none
 */
export function modifier(
	names: string,
	values: number | 'flag',
	read: (args: ModifierArguments) => SettingsChange,
	order: Modifier['order'] = 0,
): Modifier {
	return {
		names: names.split(' '),
		order,
		read(args) {
			if (values === 'flag') args.flag();
			else args.atMost(values);
			return read(args);
		},
	};
}

/**
 * A modifier that makes a step of its own after the last change of size. The row's position in its table decides the position of the step
 * in `planRender`.
 *
 * @param make reads the values; undefined if they change nothing
 */
export function filter(
	name: string,
	values: number,
	make: (args: ModifierArguments) => AddSteps<Settings> | undefined,
): Modifier {
	return modifier(name, values, (args) => withFilter(name, make(args)));
}

/** Sets the steps of a row, and further settings. */
export function withFilter(
	name: string,
	steps: AddSteps<Settings> | undefined,
	further: Settings = {},
): SettingsChange {
	return ({ filters = new Map() }) => ({ ...further, filters: new Map([...filters, [name, steps]]) });
}

import type { Given } from './given.ts';
import type { Change } from './settings.ts';

/** One word of the language. */
export interface Modifier {
	/** Its name and its short ones. */
	readonly names: readonly string[];
	/** ipx applies modifiers by this, and those that have the same by their names as written. */
	readonly order: -1 | 0 | 1;
	/** @throws PicpipeError when the values can't be read or are not supported */
	readonly read: (given: Given) => Change;
}

/**
 * @param values how many there may be; `flag` for a modifier that needs none
 * @param names several are separated by a space
 */
export function modifier(
	names: string,
	values: number | 'flag',
	read: (given: Given) => Change,
	order: Modifier['order'] = 0,
): Modifier {
	return {
		names: names.split(' '),
		order,
		read(given) {
			if (values === 'flag') given.flag();
			else given.atMost(values);
			return read(given);
		},
	};
}

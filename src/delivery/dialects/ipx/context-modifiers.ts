import { kernels } from '../../../operations/operation.ts';
import { type Given, refused } from './given.ts';
import { type Modifier, modifier } from './modifier.ts';
import { fits, type Position } from './settings.ts';

/** Modifiers that do nothing by themselves: others ask what they say. */

const places = ['top', 'right top', 'right', 'right bottom', 'bottom', 'left bottom', 'left', 'left top'] as const;
const gravities = ['north', 'northeast', 'east', 'southeast', 'south', 'southwest', 'west', 'northwest'];

/** Every name, those of sharp's gravities and the numbers that sharp gives them. */
const positions: ReadonlyMap<string, Position> = new Map<string, Position>([
	...places.map((place): [string, Position] => [place, place]),
	...gravities.map((gravity, index): [string, Position] => [gravity, places[index] as Position]),
	...(
		['centre', 'top', 'right', 'bottom', 'left', 'right top', 'right bottom', 'left bottom', 'left top'] as const
	).map((place, number): [string, Position] => [String(number), place]),
	['centre', 'centre'],
	['center', 'centre'],
	['entropy', 'entropy'],
	['16', 'entropy'],
	['attention', 'attention'],
	['17', 'attention'],
]);

function positionOf(given: Given): Position | undefined {
	const text = given.text(0);
	if (text === undefined) return undefined;
	const position = positions.get(text.replace('-', ' '));
	if (position) return position;
	throw refused(given.name, 'a side, a corner such as right-top, center, entropy or attention', text);
}

export const contextModifiers: readonly Modifier[] = [
	modifier('quality q', 1, (given) => ({ quality: given.integer(0, 1, 100) }), -1),
	modifier('fit', 1, (given) => ({ fit: given.choice(0, fits) }), -1),
	modifier('position pos', 1, (given) => ({ position: positionOf(given) }), -1),
	modifier('background b bg', 1, (given) => ({ background: given.colour(0) }), -1),
	modifier('enlarge', 'flag', () => ({ enlarge: true })),
	modifier('kernel', 1, (given) => ({ kernel: given.choice(0, kernels) })),
];

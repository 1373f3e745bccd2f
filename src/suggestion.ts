import { distance } from 'fastest-levenshtein';

/** What all settings begin with. It makes no name more similar to another. */
const commonPrefix = /^PICPIPE_/;

/** Letters of a name that may be wrong: two that are swapped, or a third of a long name; one of a name of three letters. */
function mostWrong(name: string): number {
	const { length } = name.replace(commonPrefix, '');
	return length <= 3 ? 1 : Math.max(2, Math.floor(length / 3));
}

/**
 * A hint for a misspelt name: ` (did you mean PICPIPE_PORT?)`.
 *
 * @returns an empty text where no known name is similar enough
 */
export function didYouMean(name: string, known: readonly string[]): string {
	const [nearest] = known
		.map((one) => ({ one, steps: distance(name.toLowerCase(), one.toLowerCase()) }))
		.sort((a, b) => a.steps - b.steps);
	const isSimilar = nearest && nearest.steps <= mostWrong(nearest.one);
	return isSimilar ? ` (did you mean ${nearest.one}?)` : '';
}

/**
 * The known name that another name is a slip of: another case or punctuation, a missing, wrong or additional letter, or two that are
 * swapped. Stricter than `didYouMean`, for names that may also be meant as they are.
 *
 * @example
 * slipOf('recpie', ['recipe', 'tags']); // 'recipe'
 * slipOf('page', ['recipe', 'tags']); // undefined
 */
export function slipOf(name: string, known: readonly string[]): string | undefined {
	return known.find((one) => isSlip(lettersOf(name), lettersOf(one)));
}

function isSlip(name: string, known: string): boolean {
	if (name === known) return true;
	const isShort = known.length <= 5;
	// Many words are one letter away from a short one, and people get the first letter right: `match` is not meant as `batch`.
	if (isShort && name[0] !== known[0]) return false;
	const steps = distance(name, known);
	const isSwap = steps === 2 && [...name].sort().join('') === [...known].sort().join('');
	return steps <= (isShort ? 1 : 2) || isSwap;
}

function lettersOf(name: string): string {
	return name.toLowerCase().replace(/[^a-z]/g, '');
}

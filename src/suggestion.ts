import { distance } from 'fastest-levenshtein';

/** Letters of a name that may be wrong: two that are swapped, or a third of a long name; one of a name of three letters. */
function mostWrong({ length }: string): number {
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

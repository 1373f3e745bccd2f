/** Longest piece of a rejected value that is repeated to the one who sent it, characters. */
const maximumShown = 60;

/** A value of an address, short and without control characters. */
export function shown(text: string): string {
	return JSON.stringify(text.length > maximumShown ? `${text.slice(0, maximumShown)}…` : text);
}

/** What is wrong with a value of an address. @param expected such as `an integer from 1 to 100` */
export function expectation(expected: string, name: string, received: string): string {
	return `Expected ${expected} for ${name} but received ${shown(received)}.`;
}

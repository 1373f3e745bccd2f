import { afterAll, beforeAll, onTestFinished } from 'vitest';

type End = () => unknown;

/** Collects what a shared start has to end later; `undefined` at any other time. */
let endsOfShared: End[] | undefined;

/** Time for a shared start, milliseconds: generous, because several runs share two cores. */
const patience = 120_000;

/** Runs after the test that calls it, or after the last test of a suite within `shared`. What was started last ends first. */
export function endWithTest(end: End): void {
	if (endsOfShared) endsOfShared.push(end);
	else onTestFinished(async () => void (await end()));
}

/**
 * Starts something once for all tests of a suite or file: `const api = shared(startTestApi)`. A start of `picpipe start` takes two seconds of CPU time.
 * The tests run in order, and each finds what the earlier ones left.
 *
 * @returns the started value, inside tests
 */
export function shared<T>(start: () => Promise<T>): () => T {
	const ends: End[] = [];
	let started: { readonly value: T } | undefined;
	beforeAll(async () => {
		endsOfShared = ends;
		try {
			started = { value: await start() };
		} finally {
			endsOfShared = undefined;
		}
	}, patience);
	afterAll(async () => {
		const failures: unknown[] = [];
		for (const end of ends.splice(0).reverse()) {
			// A failure does not keep the others running.
			await Promise.resolve()
				.then(end)
				.catch((error) => failures.push(error));
		}
		if (failures.length > 0) throw new AggregateError(failures);
	});
	return () => {
		if (!started) throw new Error('Expected a call inside a test: the shared start runs before the first one.');
		return started.value;
	};
}

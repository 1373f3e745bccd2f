import { afterAll, beforeAll, onTestFinished } from 'vitest';

type End = () => unknown;

/** What ends with the tests that share something; `undefined` while nothing shared is being started. */
let endsOfShared: End[] | undefined;

/** Time to start something shared, milliseconds: generous, because several runs share two cores. */
const patience = 120_000;

/** Ends with the test that has started it, or with the last of the tests that share it. The last one started ends first. */
export function endWithTest(end: End): void {
	if (endsOfShared) endsOfShared.push(end);
	else onTestFinished(async () => void (await end()));
}

/**
 * Started once for all tests of the suite, or of the file, that this is called in: `const api = shared(startTestApi)`. A start of a whole picpipe takes two seconds
 * of CPU time. The tests run one after the other, and each finds what those before it have left.
 *
 * @returns what was started, for use inside of the tests
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
			// One that fails keeps none of the others running.
			await Promise.resolve()
				.then(end)
				.catch((error) => failures.push(error));
		}
		if (failures.length > 0) throw new AggregateError(failures);
	});
	return () => {
		if (!started) throw new Error('Expected a test: what is shared is started before the first of them.');
		return started.value;
	};
}

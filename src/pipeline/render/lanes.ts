/** Runs work in the order given, so many at a time. After a failure nothing new begins. */
export interface Lanes {
	/** Waits for a free lane and for the work. */
	run<T>(work: () => Promise<T>): Promise<T>;
	/** Queues work that `finish` waits for. */
	start(work: () => Promise<void>): void;
	/** Waits for everything started. @throws the first failure, once nothing is running any more */
	finish(): Promise<void>;
}

export function openLanes(count: number): Lanes {
	const waiting: (() => void)[] = [];
	const started: Promise<void>[] = [];
	let free = count;
	let failure: { readonly error: unknown } | undefined;

	const run = async <T>(work: () => Promise<T>): Promise<T> => {
		if (free > 0) free--;
		else await new Promise<void>((resolve) => waiting.push(resolve));
		try {
			if (failure) throw failure.error;
			return await work();
		} catch (error) {
			failure ??= { error };
			throw error;
		} finally {
			const next = waiting.shift();
			if (next) next();
			else free++;
		}
	};

	return {
		run,
		start: (work) => void started.push(run(work).catch(() => {})),
		async finish() {
			// What is started may start more before it ends.
			for (let count = 0; count < started.length; ) {
				count = started.length;
				await Promise.all(started);
			}
			if (failure) throw failure.error;
		},
	};
}

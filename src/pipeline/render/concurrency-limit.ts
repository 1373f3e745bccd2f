/** Runs tasks in the order given, a limited number at a time. After a failure no further task begins. */
export interface ConcurrencyLimit {
	/** Runs a task as soon as the limit allows, and returns its result. */
	run<T>(task: () => Promise<T>): Promise<T>;
	/** Queues a task that `finish` waits for. */
	start(task: () => Promise<void>): void;
	/** Waits for every started task. @throws the first failure, once no task runs any more */
	finish(): Promise<void>;
}

/** @param count tasks that may run at the same time */
export function limitConcurrency(count: number): ConcurrencyLimit {
	const waiting: (() => void)[] = [];
	const started: Promise<void>[] = [];
	let free = count;
	let failure: { readonly error: unknown } | undefined;

	const run = async <T>(task: () => Promise<T>): Promise<T> => {
		if (free > 0) free--;
		else await new Promise<void>((resolve) => waiting.push(resolve));
		try {
			if (failure) throw failure.error;
			return await task();
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
		start: (task) => void started.push(run(task).catch(() => {})),
		async finish() {
			// A started task may start more before it ends.
			for (let count = 0; count < started.length; ) {
				count = started.length;
				await Promise.all(started);
			}
			if (failure) throw failure.error;
		},
	};
}

/**
 * The earliest possible current time, milliseconds since 1970: the earlier of the wall clock and the start time plus the elapsed time. If
 * the wall clock jumps ahead, objects that are deleted by age are deleted late, never early.
 */
export function earliestNow(): number {
	return Math.min(Date.now(), performance.timeOrigin + performance.now());
}

/** Waits for work, but no longer than `milliseconds`. The work continues. @throws the work's error, or `late()` when the time is over */
export async function within<T>(milliseconds: number, work: Promise<T>, late: () => Error): Promise<T> {
	let timer: NodeJS.Timeout | undefined;
	const over = new Promise<never>((_resolve, reject) => {
		timer = setTimeout(() => reject(late()), milliseconds);
	});
	try {
		return await Promise.race([work, over]);
	} finally {
		clearTimeout(timer);
	}
}

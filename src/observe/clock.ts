/**
 * The earliest time that it can be now, milliseconds since 1970: by the clock on the wall, or by the time that has passed since this process was
 * started. Where the clock on the wall jumps ahead, something that is deleted by its age is deleted late, never early.
 */
export function earliestNow(): number {
	return Math.min(Date.now(), performance.timeOrigin + performance.now());
}

/** Waits for work, but no longer than so many milliseconds. The work goes on. @throws what the work throws, or what `late` makes when the time is over */
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

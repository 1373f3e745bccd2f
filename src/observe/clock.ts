/**
 * The earliest time that it can be now, milliseconds since 1970: by the clock on the wall, or by the time that has passed since this process was
 * started. Where the clock on the wall jumps ahead, something that is deleted by its age is deleted late, never early.
 */
export function earliestNow(): number {
	return Math.min(Date.now(), performance.timeOrigin + performance.now());
}

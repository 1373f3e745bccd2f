/**
 * How many attempts of a schedule are over by time, for a message whose job was lost with Redis: it goes on where it was, and does not begin anew.
 *
 * @param schedule delays before the second and every further attempt, seconds
 * @param age since the message was first to be delivered, milliseconds
 * @returns at most as many as leave one attempt
 */
export function attemptsBefore(schedule: readonly number[], age: number): number {
	let due = 0;
	let over = 0;
	for (const delay of schedule) {
		due += delay * 1_000;
		if (due > age) break;
		over++;
	}
	return over;
}

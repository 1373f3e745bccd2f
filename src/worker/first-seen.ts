/**
 * How long this process has seen objects that seem to have no owner. It does not use the time of day: after a clock change, or with
 * different clocks on two machines, an upload in progress could look as old as an abandoned one.
 */
export interface FirstSeen {
	/** Milliseconds since it was first seen; 0 for a new key. */
	age(key: string): number;
	/** Ends a pass: keys that it has not seen are forgotten. */
	endPass(): void;
}

export function openFirstSeen(): FirstSeen {
	let before = new Map<string, number>();
	let now = new Map<string, number>();
	return {
		age(key) {
			const first = before.get(key) ?? now.get(key) ?? performance.now();
			now.set(key, first);
			return performance.now() - first;
		},
		endPass() {
			before = now;
			now = new Map();
		},
	};
}

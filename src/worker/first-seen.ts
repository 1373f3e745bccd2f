/**
 * Since when this process has seen what nobody seems to own. No clock is asked for the time of day: where it is set anew, or those of two machines differ,
 * an upload that is just coming in could look as old as one that was left behind.
 */
export interface FirstSeen {
	/** Milliseconds since the first look that has seen it; 0 for this one. */
	age(key: string): number;
	/** Ends a look: what it has not seen is forgotten. */
	endPass(): void;
}

export function openFirstSeen(): FirstSeen {
	let before = new Map<string, number>();
	let now = new Map<string, number>();
	return {
		age(key) {
			const first = before.get(key) ?? performance.now();
			now.set(key, first);
			return performance.now() - first;
		},
		endPass() {
			before = now;
			now = new Map();
		},
	};
}

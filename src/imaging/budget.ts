/** Gives back an admitted amount. Further calls do nothing. */
export type Release = () => void;

/** Limits concurrent work by a total amount, first come, first served. */
export interface Budget {
	/** Waits until the amount fits, and until all earlier callers are admitted. An amount larger than the whole budget is admitted alone. */
	admit(amount: number): Promise<Release>;
	/** The admitted amount. */
	readonly used: number;
}

export function openBudget(total: number): Budget {
	const waiting: { readonly amount: number; readonly admit: (release: Release) => void }[] = [];
	let used = 0;
	let admitted = 0;

	const admitWaiting = () => {
		for (let next = waiting[0]; next; next = waiting[0]) {
			// A smaller amount never overtakes the first in line; otherwise a large picture might wait for ever.
			if (admitted > 0 && used + next.amount > total) return;
			waiting.shift();
			used += next.amount;
			admitted++;
			next.admit(releaseOf(next.amount));
		}
	};

	const releaseOf = (amount: number): Release => {
		let isHeld = true;
		return () => {
			if (!isHeld) return;
			isHeld = false;
			used -= amount;
			admitted--;
			admitWaiting();
		};
	};

	return {
		get used() {
			return used;
		},
		admit(amount) {
			return new Promise((resolve) => {
				waiting.push({ amount, admit: resolve });
				admitWaiting();
			});
		},
	};
}

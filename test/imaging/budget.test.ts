import { describe, expect, it } from 'vitest';
import { openBudget, type Release } from '../../src/imaging/budget.ts';

/** Asks for amounts in order and remembers who was admitted. */
function ask(total: number) {
	const budget = openBudget(total);
	const admitted: string[] = [];
	const releases = new Map<string, Release>();
	return {
		budget,
		admitted,
		async want(name: string, amount: number) {
			void budget.admit(amount).then((release) => {
				admitted.push(name);
				releases.set(name, release);
			});
			await settle();
		},
		async release(name: string) {
			releases.get(name)?.();
			await settle();
		},
	};
}

function settle(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}

describe('budget', () => {
	it('admits while there is room', async () => {
		const { want, release, admitted, budget } = ask(10);
		await want('a', 6);
		await want('b', 4);
		await want('c', 1);
		expect(admitted).toEqual(['a', 'b']);
		expect(budget.used).toBe(10);
		await release('b');
		expect(admitted).toEqual(['a', 'b', 'c']);
		expect(budget.used).toBe(7);
	});

	it('never lets a later amount overtake, so that a large one gets its turn', async () => {
		const { want, release, admitted } = ask(10);
		await want('small', 4);
		await want('large', 9);
		for (const name of ['x', 'y', 'z']) await want(name, 1);
		expect(admitted).toEqual(['small']);
		await release('small');
		expect(admitted).toEqual(['small', 'large', 'x']);
		await release('large');
		expect(admitted).toEqual(['small', 'large', 'x', 'y', 'z']);
	});

	it('admits more than the whole budget, alone', async () => {
		const { want, release, admitted, budget } = ask(10);
		await want('a', 1);
		await want('huge', 50);
		await want('b', 1);
		expect(admitted).toEqual(['a']);
		await release('a');
		expect(admitted).toEqual(['a', 'huge']);
		await release('huge');
		expect(admitted).toEqual(['a', 'huge', 'b']);
		expect(budget.used).toBe(1);
	});

	it('releases an amount once, however often it is called', async () => {
		const { want, release, budget } = ask(10);
		await want('a', 6);
		await release('a');
		await release('a');
		expect(budget.used).toBe(0);
	});
});

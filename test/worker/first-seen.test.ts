import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openFirstSeen } from '../../src/worker/first-seen.ts';

it('tells how long something has been seen, look after look, and forgets what was gone in between', async () => {
	const firstSeen = openFirstSeen();
	expect(firstSeen.age('a')).toBeLessThan(20);
	firstSeen.endPass();
	await sleep(50);
	expect(firstSeen.age('a')).toBeGreaterThanOrEqual(45);
	expect(firstSeen.age('b')).toBeLessThan(20);
	firstSeen.endPass();
	firstSeen.age('b');
	firstSeen.endPass();
	expect(firstSeen.age('a')).toBeLessThan(20);
	expect(firstSeen.age('b')).toBeGreaterThan(0);
});

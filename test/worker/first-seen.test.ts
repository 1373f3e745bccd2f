import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openFirstSeen } from '../../src/worker/first-seen.ts';

it('measures how long something has been seen, and forgets it after a pass without it', async () => {
	const opened = performance.now();
	const firstSeen = openFirstSeen();
	expect(firstSeen.age('a')).toBeLessThanOrEqual(performance.now() - opened);
	firstSeen.endPass();
	await sleep(50);
	expect(firstSeen.age('a')).toBeGreaterThanOrEqual(45);
	const slept = performance.now();
	expect(firstSeen.age('b')).toBeLessThanOrEqual(performance.now() - slept);
	firstSeen.endPass();
	firstSeen.age('b');
	firstSeen.endPass();
	const forgotten = performance.now();
	expect(firstSeen.age('a')).toBeLessThanOrEqual(performance.now() - forgotten);
	expect(firstSeen.age('b')).toBeGreaterThan(0);
});

import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openSightings } from '../../src/worker/sightings.ts';

it('tells how long something has been seen, look after look, and forgets what was gone in between', async () => {
	const sightings = openSightings();
	expect(sightings.ageOf('a')).toBeLessThan(20);
	sightings.endLook();
	await sleep(50);
	expect(sightings.ageOf('a')).toBeGreaterThanOrEqual(45);
	expect(sightings.ageOf('b')).toBeLessThan(20);
	sightings.endLook();
	sightings.ageOf('b');
	sightings.endLook();
	expect(sightings.ageOf('a')).toBeLessThan(20);
	expect(sightings.ageOf('b')).toBeGreaterThan(0);
});

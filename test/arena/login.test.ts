import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openGuesses } from '../../src/arena/login.ts';
import { openTestArena } from './fixture.ts';

const password = 'a long password of Arena';
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(`admin:${text}`).toString('base64')}` });

test('wrong passwords slow an IP address down, and who is logged in notices nothing', { timeout: 60_000 }, async () => {
	const arena = await openTestArena({ password });
	onTestFinished(() => arena.close());
	const ask = (headers: Record<string, string>) => fetch(arena.address, { headers });
	const loggedIn = basic(password);
	expect((await ask(loggedIn)).status).toBe(200);

	// However many come at once, few are looked at.
	const guesses = await Promise.all(Array.from({ length: 100 }, (_, index) => ask(basic(`guess ${index}`))));
	const refused = guesses.filter(({ status }) => status === 429);
	expect(guesses.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(12);
	expect(refused.length).toBeGreaterThanOrEqual(88);
	expect(await refused[0]?.text()).toMatch(
		/^Too many wrong passwords came from this IP address. Try again in \d+ s.$/m,
	);

	// The pauses grow.
	const pauses: number[] = [];
	while ((pauses.at(-1) ?? 0) < 8) {
		const answer = await ask(basic('wrong'));
		if (answer.status === 401) continue;
		expect(answer.status).toBe(429);
		pauses.push(Number(answer.headers.get('retry-after')));
		if ((pauses.at(-1) ?? 0) < 8) await sleep((pauses.at(-1) ?? 0) * 1_000);
	}
	// The right password in another spelling of the header: not the credentials that were accepted before.
	const anew = { authorization: basic(password).authorization.replace('Basic', 'basic') };
	const right = await ask(anew);
	expect(right.status).toBe(429);
	expect(Number(right.headers.get('retry-after'))).toBeGreaterThan(0);
	expect((await ask(loggedIn)).status).toBe(200);
	expect((await ask({})).status).toBe(401);

	// The right one ends the slow-down.
	await expect.poll(async () => (await ask(anew)).status, { timeout: 30_000, interval: 500 }).toBe(200);
	expect((await ask(basic('mistyped'))).status).toBe(401);
	expect((await ask(basic(password))).status).toBe(200);
});

test('pauses double, up to a quarter of an hour', () => {
	let time = 0;
	const guesses = openGuesses(() => time);
	const pauses: number[] = [];
	for (let index = 0; index < 40; index++) {
		const pause = guesses.count('192.0.2.1');
		if (pause > 0) pauses.push(pause);
		time += pause * 1_000;
	}
	expect(pauses.slice(0, 5)).toEqual([1, 2, 4, 8, 16]);
	expect(pauses.at(-1)).toBe(900);
});

test('an IPv6 network counts as one address, and memory is bounded', () => {
	const guesses = openGuesses(() => 0);
	for (let index = 0; index < 10; index++) guesses.count(`2001:db8:1:2::${index}`);
	expect(guesses.count('2001:db8:1:2:ffff::1')).toBe(1);
	expect(guesses.count('2001:db8:1:3::1')).toBe(0);
	for (let index = 0; index < 10; index++) guesses.count('::ffff:192.0.2.7');
	expect(guesses.count('192.0.2.7')).toBe(1);
	for (let index = 0; index < 10_001; index++) guesses.count(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
	expect(guesses.count('192.0.2.7')).toBe(0);
});

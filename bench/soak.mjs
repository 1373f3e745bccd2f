import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { chart } from './chart.mjs';
import { table } from './figures.mjs';
import { makeMixedFiles } from './mixed-files.mjs';
import { getJson, startWhole } from './sides.mjs';
import { handlesByRole, memoryByRole } from './usage.mjs';

/**
 * A long run under steady load: memory and open handles of each role, and the depth of the queue, over time.
 *
 *   npm run soak                                     30 minutes, 4 pictures a second
 *   npm run soak -- --minutes 5 --rate 2 --out soak.svg
 *
 * Writes a chart, and prints a table of every tenth of the time. The last line is `growth: <number>`: memory of all roles but Redis in the last tenth
 * divided by that in the second, when everything is warm.
 */
const { values: flags } = parseArgs({
	options: {
		minutes: { type: 'string', default: '30' },
		rate: { type: 'string', default: '4' },
		out: { type: 'string', default: 'soak.svg' },
	},
});
const milliseconds = Number(flags.minutes) * 60_000;
const rate = Number(flags.rate);
/** Milliseconds between two samples. */
const lookEvery = Math.min(10_000, milliseconds / 50);
/** Pictures sent at a time. */
const batch = 20;

const folder = await mkdtemp(join(tmpdir(), 'picpipe-bench-'));
let side;
try {
	const files = await makeMixedFiles(join(folder, 'in'), batch);
	side = await startWhole(join(folder, 'data'));
	const started = performance.now();
	const since = () => performance.now() - started;
	const looks = [];
	let sent = 0;
	const watching = (async () => {
		while (since() < milliseconds) {
			looks.push(await look(since() / 60_000, sent));
			await sleep(lookEvery);
		}
	})();
	while (since() < milliseconds) {
		await side.run(files);
		sent += files.length;
		await sleep(Math.max(0, (sent / rate) * 1_000 - since()));
	}
	await watching;
	await writeFile(flags.out, chart(panelsOf(looks)));
	const tenth = Math.max(1, Math.floor(looks.length / 10));
	process.stdout.write(`${table(looks.filter((_, at) => at % tenth === 0).map(rowOf))}\n${resolve(flags.out)}\n`);
	const part = (from) => mean(looks.slice(from * tenth, (from + 1) * tenth).map(allMemory));
	process.stdout.write(`growth: ${(part(9) / part(1)).toFixed(3)}\n`);
} finally {
	await side?.stop();
	await rm(folder, { recursive: true, force: true });
}

async function look(minutes, sent) {
	const { queues } = await getJson(`${side.api}/v1/queues`);
	const { counts } = queues.find(({ name }) => name === 'pictures');
	const { waiting = 0, prioritized = 0, active = 0, delayed = 0 } = counts;
	return {
		minutes,
		sent,
		depth: waiting + prioritized + active + delayed,
		memory: memoryByRole(side.children()),
		handles: handlesByRole(side.children()),
	};
}

function allMemory({ memory: { redis: _, ...memory } }) {
	return Object.values(memory).reduce((sum, bytes) => sum + bytes, 0);
}

function mean(numbers) {
	return numbers.reduce((sum, one) => sum + one, 0) / numbers.length;
}

function rowOf({ minutes, sent, depth, memory, handles }) {
	return {
		minutes: minutes.toFixed(1),
		pictures: sent,
		'jobs waiting': depth,
		...Object.fromEntries(Object.entries(memory).map(([role, bytes]) => [`${role}, MB`, (bytes / 1e6).toFixed(0)])),
		handles: Object.values(handles).reduce((sum, count) => sum + count, 0),
	};
}

function panelsOf(looks) {
	const roles = Object.keys(looks[0].memory);
	const lines = (of) => roles.map((name) => ({ name, points: looks.map((one) => [one.minutes, of(one)[name]]) }));
	return [
		{
			title: 'Resident memory, MB',
			lines: lines(({ memory }) =>
				Object.fromEntries(Object.entries(memory).map(([role, bytes]) => [role, bytes / 1e6])),
			),
		},
		{ title: 'Open handles', lines: lines(({ handles }) => handles) },
		{ title: 'Jobs not finished', lines: [{ name: 'pictures', points: looks.map((one) => [one.minutes, one.depth]) }] },
	];
}

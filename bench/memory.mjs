import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { table } from './figures.mjs';
import { makeMixedFiles } from './mixed-files.mjs';
import { startWhole } from './sides.mjs';
import { memoryByRole } from './usage.mjs';

/**
 * Does memory grow? Sends pictures of mixed sizes and formats through one worker, and samples the resident memory of each role.
 *
 *   npm run bench:memory                 2,000 pictures
 *   npm run bench:memory -- --quick      400 pictures
 *
 * The last line is `growth: <number>`: memory of the worker and its imaging processes after the last picture, divided by that after the
 * first 200. The line before has the highest ratio in between.
 */
const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const pictures = flags.quick ? 400 : 2_000;
/** Pictures between two samples. */
const step = 100;
const first = 200;

const folder = await mkdtemp(join(tmpdir(), 'picpipe-bench-'));
let side;
try {
	const files = await makeMixedFiles(join(folder, 'in'), step);
	side = await startWhole(join(folder, 'data'));
	const rows = [];
	for (let done = 0; done < pictures; done += step) {
		await side.run(files);
		rows.push({ pictures: done + step, ...memoryByRole(side.children()) });
		process.stderr.write(`${done + step} of ${pictures} pictures\n`);
	}
	const names = Object.keys(rows[0]).slice(1);
	const cells = (row) => Object.fromEntries(names.map((name) => [`${name}, MB`, (row[name] / 1e6).toFixed(0)]));
	process.stdout.write(`${table(rows.map(({ pictures, ...row }) => ({ pictures, ...cells(row) })))}\n`);
	const work = (row) => row.worker + row['imaging processes'];
	const start = work(rows.find((row) => row.pictures === first));
	const later = rows.filter((row) => row.pictures > first).map(work);
	process.stdout.write(`most: ${(Math.max(...later) / start).toFixed(3)}\n`);
	process.stdout.write(`growth: ${(work(rows.at(-1)) / start).toFixed(3)}\n`);
} finally {
	await side?.stop();
	await rm(folder, { recursive: true, force: true });
}

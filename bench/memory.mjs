import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { tsImport } from 'tsx/esm/api';
import { table } from './figures.mjs';
import { startWhole } from './sides.mjs';
import { memoryByRole } from './usage.mjs';

/**
 * Does memory grow? Pictures of mixed sizes and formats through one worker, and the resident memory of each role on the way.
 *
 *   npm run bench:memory                 2,000 pictures
 *   npm run bench:memory -- --quick      400 pictures
 *
 * The last line is `growth: <number>`: memory of the worker and its imaging processes after the last picture, divided by that after
 * the first 200.
 */
const { values: flags } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const pictures = flags.quick ? 400 : 2_000;
/** Pictures between two looks, which are taken while the next ones are being worked on. */
const step = 100;
const first = 200;

const folder = await mkdtemp(join(tmpdir(), 'picpipe-bench-'));
let side;
try {
	const files = await makeFiles(join(folder, 'in'));
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
	process.stdout.write(`growth: ${(work(rows.at(-1)) / start).toFixed(3)}\n`);
} finally {
	await side?.stop();
	await rm(folder, { recursive: true, force: true });
}

/** Files for one step: mostly what phones upload, of every size and format. */
async function makeFiles(target) {
	const { photograph } = await tsImport('../test/helpers/pictures.ts', import.meta.url);
	await mkdir(target, { recursive: true });
	const made = await Promise.all([
		photograph({ width: 4000, height: 3000 }),
		photograph({ width: 2400, height: 1800, orientation: 6 }),
		photograph({ width: 1600, height: 1200, icc: 'p3' }),
		photograph({ width: 1280, height: 960, progressive: true }),
		photograph({ width: 1200, height: 900, format: 'webp' }),
		photograph({ width: 1000, height: 750, format: 'png' }),
		photograph({ width: 800, height: 600, format: 'avif' }),
		photograph({ width: 640, height: 480, format: 'tiff' }),
		photograph({ width: 400, height: 300, format: 'gif' }),
		photograph({ width: 200, height: 150 }),
	]);
	const files = Array.from({ length: step }, (_, at) => join(target, `${at}`));
	for (const [at, file] of files.entries()) await writeFile(file, made[at % made.length]);
	return files;
}

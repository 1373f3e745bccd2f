import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { tsImport } from 'tsx/esm/api';
import { allocatorSettings, engineFlags } from '../dist/imaging/child-handle.js';
import { jobs } from './engine-jobs.mjs';
import { median, table } from './figures.mjs';
import { watchMemory } from './usage.mjs';

/**
 * The engine compared with sharp by hand: five jobs over photographs, one picture at a time, in two processes that alternate picture by
 * picture and have the settings of an imaging process.
 *
 *   npm run bench:engine                 every photograph of ../shared/pictures/photos (else a generated one), 5 rounds
 *   npm run bench:engine -- --quick      3 of them, 2 rounds, under a minute
 *
 * The last line is `ratio: <number>`: the lowest ratio of all jobs.
 */
const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const rounds = options.quick ? 2 : 5;

const folder = await mkdtemp(join(tmpdir(), 'picpipe-bench-'));
const program = new URL('./engine-process.mjs', import.meta.url);
const sides = ['direct', 'engine'].map((name) =>
	fork(program, [name], { env: { ...process.env, ...allocatorSettings }, execArgv: engineFlags }),
);
try {
	const files = await photographs();
	await Promise.all(sides.map((side) => once(side, 'message')));
	const rows = [];
	for (const job of jobs.keys()) rows.push(await compare(job, files));
	print(rows, files.length);
} finally {
	for (const side of sides) side.kill();
	await rm(folder, { recursive: true, force: true });
}

async function photographs() {
	const helper = await tsImport('../test/helpers/pictures.ts', import.meta.url);
	const shared = helper.sharedPictures('photos').map(({ path }) => path);
	if (shared.length > 0) return options.quick ? shared.slice(0, 3) : shared;
	const path = join(folder, 'photograph.jpg');
	await writeFile(path, await helper.twelveMegapixels());
	return [path];
}

/** @returns one row of the table */
async function compare(job, files) {
	// The first run has cold caches and uncompiled code.
	for (const side of sides) await run(side, job, files[0]);
	const times = sides.map(() => []);
	const bytes = sides.map(() => 0);
	const memory = sides.map((side) => watchMemory(() => [side.pid]));
	for (let round = 0; round < rounds; round++) {
		for (const [index, path] of files.entries()) {
			// The first side changes, so that neither always gets a cached file or a warmer core.
			const order = (round + index) % 2 === 0 ? [0, 1] : [1, 0];
			for (const at of order) {
				const made = await run(sides[at], job, path);
				times[at].push(made);
				bytes[at] += made.bytes;
			}
		}
	}
	const peaks = memory.map((one) => one.stop());
	const [direct, engine] = times;
	if (Math.abs(bytes[1] / bytes[0] - 1) > 0.05) {
		throw new Error(`${jobs[job].name}: the sides make different things, ${bytes[0]} and ${bytes[1]} bytes.`);
	}
	return {
		name: jobs[job].name,
		ratio: median(direct.map(({ wall }, at) => wall / engine[at].wall)),
		direct: median(direct.map(({ wall }) => wall)),
		engine: median(engine.map(({ wall }) => wall)),
		cpu: direct.reduce((sum, { cpu }) => sum + cpu, 0) / engine.reduce((sum, { cpu }) => sum + cpu, 0),
		peaks,
	};
}

async function run(side, job, path) {
	side.send({ job, path });
	const [made] = await once(side, 'message');
	return made;
}

function print(rows, count) {
	const megabytes = (bytes) => (bytes ? `${(bytes / 1e6).toFixed(0)} MB` : 'n/a');
	process.stdout.write(
		[
			`${count} photographs, ${rounds} rounds\n${cpus()[0]?.model.trim()}, Node ${process.versions.node}, `,
			`sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}\n\n`,
			table(
				rows.map(({ name, ratio, direct, engine, cpu, peaks }) => ({
					job: name,
					'sharp by hand': `${direct.toFixed(0)} ms`,
					engine: `${engine.toFixed(0)} ms`,
					ratio: ratio.toFixed(3),
					'ratio of CPU': cpu.toFixed(3),
					'peak memory': peaks.map(megabytes).join(' / '),
				})),
			),
			`\nratio: ${Math.min(...rows.map(({ ratio }) => ratio)).toFixed(3)}\n`,
		].join(''),
	);
}

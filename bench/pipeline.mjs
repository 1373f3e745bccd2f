import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { tsImport } from 'tsx/esm/api';
import { allocatorSettings } from '../dist/imaging/child-handle.js';
import { median, table } from './figures.mjs';
import { startDirect, startEngine, startWhole } from './sides.mjs';
import { cpuOf, watchMemory } from './usage.mjs';

/**
 * The photographs of ../shared/pictures/photos through the recipe `web`: by sharp called directly, by the imaging pool, and by all of
 * picpipe (upload over HTTP → durable storage → queue → worker → stored and recorded). The sides take turns within one run,
 * so that a machine that becomes slower does so for all.
 *
 *   npm run bench:pipeline                 15 rounds of some 20 pictures: long enough to keep all cores busy, and so short that a machine which
 *                                          others use too is as fast for all sides of a round
 *   npm run bench:pipeline -- --quick      3 rounds without the tuned side, about a minute
 *   ... -- --generated                     copies of one photograph of 12 megapixels made in code, as where there are no others
 *
 * The last line is `ratio: <number>`, pictures per second of all of picpipe divided by those of sharp.
 */
const { values: options } = parseArgs({
	options: { quick: { type: 'boolean', default: false }, generated: { type: 'boolean', default: false } },
});
const rounds = options.quick ? 3 : 15;
/** Pictures a round, at least: each photograph as often as the others. */
const leastPictures = options.quick ? 10 : 20;

const folder = await mkdtemp(join(tmpdir(), 'picpipe-bench-'));
const sides = [];
try {
	const files = await makeFiles(join(folder, 'in'));
	sides.push(await startDirect(join(folder, 'direct')));
	// Shows how much of the pool's speed comes from its allocator settings.
	if (!options.quick)
		sides.push(await startDirect(join(folder, 'tuned'), 'sharp directly, allocator tuned', allocatorSettings));
	sides.push(await startEngine(join(folder, 'engine')));
	sides.push(await startWhole(join(folder, 'whole')));
	for (const side of sides) await side.prepare?.(files);
	// The first pictures have cold caches and uncompiled code, unlike in a long-running service.
	for (const side of sides) await side.run(files.slice(0, availableParallelism() * 5));
	const results = sides.map((side) => ({ side, seconds: [], peak: 0, cpu: 0, overhead: 0 }));
	for (let round = 0; round < rounds; round++) {
		// Every side is the first one once.
		for (let turn = 0; turn < results.length; turn++) await measure(results[(round + turn) % results.length], files);
		process.stderr.write(`round ${round + 1} of ${rounds}\n`);
	}
	print(results, files.length, await sides.at(-1).queueTimes(files));
} finally {
	await Promise.allSettled(sides.map((side) => side.stop()));
	await rm(folder, { recursive: true, force: true });
}

/** Files that differ in a comment only, so that each is a picture of its own. */
async function makeFiles(target) {
	const helper = await tsImport('../test/helpers/pictures.ts', import.meta.url);
	await mkdir(target, { recursive: true });
	const photos = options.generated ? [] : helper.sharedPictures('photos').map(({ path }) => readFile(path));
	const originals = photos.length > 0 ? await Promise.all(photos) : [await helper.twelveMegapixels()];
	const pictures = Math.ceil(leastPictures / originals.length) * originals.length;
	const files = Array.from({ length: pictures }, (_, at) => join(target, `${at}.jpg`));
	for (const [at, file] of files.entries()) {
		await writeFile(file, helper.withComment(originals[at % originals.length], `copy ${at}`));
	}
	const megabytes = originals.reduce((sum, { length }) => sum + length, 0) / originals.length / 1e6;
	const what = photos.length > 0 ? `${photos.length} real photographs` : 'a photograph of 4000 × 3000';
	process.stdout.write(`${pictures} pictures a round, ${rounds} rounds, from ${what} (${megabytes.toFixed(1)} MB)\n`);
	return files;
}

async function measure(result, files) {
	const { side } = result;
	const memory = watchMemory(side.children);
	const before = cpuOf(side.children());
	const started = performance.now();
	await side.run(files);
	result.seconds.push((performance.now() - started) / 1_000);
	const after = cpuOf(side.children());
	result.cpu += after.all - before.all;
	result.overhead += after.all - after.imaging - (before.all - before.imaging);
	result.peak = Math.max(result.peak, memory.stop() ?? 0);
}

function print(results, count, queue) {
	const direct = results[0];
	const whole = results.at(-1);
	const ratioOf = (result) => median(direct.seconds.map((seconds, round) => seconds / result.seconds[round]));
	const rows = results.map((result) => ({
		side: result.side.name,
		'pictures/s': (count / median(result.seconds)).toFixed(2),
		'ms/picture': ((median(result.seconds) / count) * 1_000).toFixed(0),
		ratio: ratioOf(result).toFixed(3),
		'CPU ms/picture': result.cpu ? (result.cpu / (count * result.seconds.length)).toFixed(0) : 'n/a',
		'peak memory': result.peak ? `${(result.peak / 1e6).toFixed(0)} MB` : 'n/a',
	}));
	const extra = ((median(whole.seconds) - median(direct.seconds)) / count) * 1_000;
	const cpu = whole.overhead / (count * whole.seconds.length);
	process.stdout.write(
		[
			`\n${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.versions.node}, `,
			`sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}\n\n`,
			table(rows),
			`\nOverhead of picpipe: ${extra.toFixed(1)} ms of wall time a picture`,
			process.platform === 'linux' ? `; ${cpu.toFixed(1)} ms of CPU outside its imaging processes` : '',
			`\nOf the queue, a picture at a time: ${queue.begin} ms from queued to begun, ${queue.end} ms from done to the client's answer`,
			`\n\nratio: ${ratioOf(whole).toFixed(3)}\n`,
		].join(''),
	);
}

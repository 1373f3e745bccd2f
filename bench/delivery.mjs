import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { tsImport } from 'tsx/esm/api';
import { shareOfBare } from './bare-share.mjs';
import { startIpx, startNext, startPicpipe } from './delivery-sides.mjs';
import { median, table } from './figures.mjs';
import { cpuOf, watchMemory } from './usage.mjs';

/**
 * Pictures on demand, compared with ipx and the image optimizer of Next: the same photographs, widths, format and quality. Cold requests
 * are new; cached requests repeat. The sides alternate in each round, and each runs in its own processes.
 *
 *   npm run bench:delivery               6 photographs, 3 rounds
 *   npm run bench:delivery -- --quick    3 photographs, 1 round
 *
 * If wrk is installed, a cached result is also compared with a server of bare node:http that sends the same bytes.
 *
 * The last line is `ratio: <number>`: the lowest ratio of picpipe's figures to those of the better peer. Above 1, picpipe is ahead.
 */
const { values: options } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
const rounds = options.quick ? 1 : 3;
const count = options.quick ? 3 : 6;
/** Widths of cold requests in pixels: the defaults of Next (`imageSizes` and `deviceSizes`) from 384 to 1200. */
const usualWidths = [384, 640, 750, 828, 1080, 1200];
/** Each round uses different widths of about the same cost, so that no request repeats. */
const widthsOf = (round) => usualWidths.map((width) => width + 2 * round);
/** Requested before the measurement, because a new process runs code that is not compiled yet. */
const firstWidths = [480, 960];
/** Results of about 50 kB, one for each photograph. */
const cachedWidth = 1100;
const allWidths = [
	...firstWidths,
	...Array.from({ length: rounds }, (_, round) => widthsOf(round)).flat(),
	cachedWidth,
].sort((a, b) => a - b);
/** Concurrent requests. */
const coldConnections = 4;
const cachedConnections = 16;
/** Different new results to request at the same time. */
const stampeding = options.quick ? 50 : 200;
const cachedSeconds = options.quick ? 2 : 4;

const folder = await mkdtemp(join(tmpdir(), 'picpipe-bench-'));
const servers = [];
const photographs = await somePhotographs();
try {
	servers.push(await startPicpipe(join(folder, 'picpipe'), photographs));
	servers.push(await startIpx(join(folder, 'ipx'), photographs));
	servers.push(await startNext(join(folder, 'next'), photographs, allWidths));
	const cold = servers.map(() => []);
	const cached = servers.map(() => []);
	// Sizes are mixed as on a page. With the largest at the end, the result would depend on who has fewer of them left.
	const every = (widths) =>
		widths.flatMap((_, turn) => photographs.map((_, at) => [at, widths[(at + turn) % widths.length]]));
	for (const server of servers) {
		await ask(
			every(firstWidths).map(([one, width]) => server.address(one, width)),
			coldConnections,
		);
	}
	for (let round = 0; round < rounds; round++) {
		const wanted = every(widthsOf(round));
		// The first side changes, so that none always has the warmer machine.
		for (const [place] of servers.entries()) {
			const at = (round + place) % servers.length;
			const server = servers[at];
			cold[at].push(
				await measure(server, () =>
					ask(
						wanted.map(([one, width]) => server.address(one, width)),
						coldConnections,
					),
				),
			);
		}
		for (const [place] of servers.entries()) {
			const at = (round + place) % servers.length;
			cached[at].push(await measure(servers[at], () => askAgain(servers[at], cachedSeconds)));
		}
	}
	await compareSizes();
	await stampede(servers[0], photographs);
	await compareWithBare(servers[0].address(0, cachedWidth));
	print(cold, cached);
} finally {
	for (const server of servers) await server.stop();
	await rm(folder, { recursive: true, force: true });
}

async function somePhotographs() {
	const helper = await tsImport('../test/helpers/pictures.ts', import.meta.url);
	const shared = helper.sharedPictures('photos').map(({ path }) => path);
	const jpegs = shared.filter((path) => /\.jpe?g$/.test(path) && !/orientation/.test(path)).slice(0, count);
	if (jpegs.length > 0) return jpegs;
	const path = join(folder, 'photograph.jpg');
	await writeFile(path, await helper.twelveMegapixels());
	return [path];
}

/** Sides that make different results cannot be compared. */
async function compareSizes() {
	for (const width of allWidths) {
		const made = await Promise.all(
			servers.map(async (server) => {
				const { data } = await fetchOnce(server.address(0, width), new Agent());
				const { format, width: wide, height } = await sharp(data).metadata();
				return `${format} ${wide}×${height}`;
			}),
		);
		if (new Set(made).size > 1) throw new Error(`The sides make different things: ${made.join(', ')}.`);
	}
}

/** Requests many new results at the same time, to see the effect on memory. Responses may ask to retry. */
async function stampede(server, photographs) {
	const addresses = Array.from({ length: stampeding }, (_, at) =>
		server.address(at % photographs.length, 200 + 3 * Math.floor(at / photographs.length)),
	);
	const before = watchMemory(server.children).stop();
	const memory = watchMemory(server.children, 500);
	const started = performance.now();
	const agent = new Agent({ keepAlive: true, maxSockets: stampeding });
	let later = 0;
	await Promise.all(
		addresses.map(async (address) => {
			for (;;) {
				if ((await fetchOnce(address, agent, [200, 202, 503])).status === 200) return;
				later++;
				await sleep(1_000);
			}
		}),
	);
	agent.destroy();
	const peak = memory.stop();
	const figures = [
		`${stampeding} different results asked for at once: all there after ${((performance.now() - started) / 1_000).toFixed(1)} s`,
		`${later} answers "ask again"`,
		`memory of all processes ${(before / 1e6).toFixed(0)} MB before and ${(peak / 1e6).toFixed(0)} MB at most`,
	];
	process.stdout.write(`${figures.join('; ')}\n\n`);
}

/** A cached result beside the same bytes from a server that does nothing else: the goal is half of its rate. */
async function compareWithBare(url) {
	const measured = await shareOfBare(url, cachedSeconds);
	if (!measured) {
		process.stdout.write('Share of bare node:http: not measured, because wrk is not installed.\n\n');
		return;
	}
	const { bytes, own, bare, share } = measured;
	const rates = `${Math.round(own)} of ${Math.round(bare)} requests a second`;
	process.stdout.write(
		`Share of bare node:http, a cached result of ${bytes} bytes: ${share.toFixed(3)} (${rates})\n\n`,
	);
}

async function measure(server, asking) {
	const before = cpuOf(server.children()).all;
	const started = performance.now();
	const { times, sizes } = await asking();
	const seconds = (performance.now() - started) / 1_000;
	const sorted = [...times].sort((a, b) => a - b);
	return {
		perSecond: times.length / seconds,
		cpuMilliseconds: (cpuOf(server.children()).all - before) / times.length,
		p50: median(sorted),
		p99: sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))],
		// Each URL counts once: a slow side is not asked for all of them equally often.
		bytes: [...sizes.values()].reduce((sum, size) => sum + size, 0) / sizes.size,
	};
}

/** Requests each URL once. */
function ask(addresses, connections) {
	const left = [...addresses];
	return askWhile(() => left.shift(), connections);
}

/** Requests one result of each photograph repeatedly. */
async function askAgain(server, seconds) {
	const addresses = photographs.map((_, at) => server.address(at, cachedWidth));
	for (const address of addresses) await fetchOnce(address, new Agent());
	const end = performance.now() + seconds * 1_000;
	let asked = 0;
	return askWhile(
		() => (performance.now() < end ? addresses[asked++ % addresses.length] : undefined),
		cachedConnections,
	);
}

/** @param next returns the next URL; undefined to stop */
async function askWhile(next, connections) {
	const agent = new Agent({ keepAlive: true, maxSockets: connections });
	const times = [];
	const sizes = new Map();
	const work = async () => {
		for (let address = next(); address; address = next()) {
			const one = await fetchOnce(address, agent);
			times.push(one.milliseconds);
			sizes.set(address, one.data.length);
		}
	};
	await Promise.all(Array.from({ length: connections }, work));
	agent.destroy();
	return { times, sizes };
}

function fetchOnce(address, agent, expected = [200]) {
	const started = performance.now();
	return new Promise((resolve, reject) => {
		get(address, { agent, headers: { accept: 'image/webp' } }, (response) => {
			const chunks = [];
			response.on('data', (chunk) => chunks.push(chunk));
			response.on('error', reject);
			response.on('end', () => {
				const { statusCode: status } = response;
				const data = Buffer.concat(chunks);
				if (expected.includes(status)) resolve({ status, data, milliseconds: performance.now() - started });
				else reject(new Error(`${address} was answered ${status}: ${data.toString().slice(0, 300)}`));
			});
		}).on('error', reject);
	});
}

function print(cold, cached) {
	const ratios = [];
	for (const [what, measured] of [
		['Cold', cold],
		['Cached', cached],
	]) {
		const figures = measured.map((one) =>
			Object.fromEntries(Object.keys(one[0]).map((name) => [name, median(one.map((row) => row[name]))])),
		);
		const rows = servers.map(({ name }, at) => ({
			[what]: name,
			'requests/s': figures[at].perSecond.toFixed(1),
			'CPU ms a request': figures[at].cpuMilliseconds.toFixed(2),
			'p50 ms': figures[at].p50.toFixed(1),
			'p99 ms': figures[at].p99.toFixed(1),
			'bytes a result': Math.round(figures[at].bytes),
		}));
		process.stdout.write(`${table(rows)}\n`);
		const [own, ...peers] = figures;
		ratios.push(own.perSecond / Math.max(...peers.map(({ perSecond }) => perSecond)));
		for (const name of ['cpuMilliseconds', 'p50', 'p99', 'bytes']) {
			ratios.push(Math.min(...peers.map((peer) => peer[name])) / own[name]);
		}
	}
	process.stdout.write(`ratio: ${Math.min(...ratios).toFixed(3)}\n`);
}

import { fork, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { pino } from 'pino';
import { startImagingPool } from '../dist/imaging/scheduler.js';
import { loadRecipes } from '../dist/pipeline/recipe/recipes.js';
import { openStorage } from '../dist/storage/index.js';
import { median } from './figures.mjs';

/**
 * The sides of the comparison. Each is started once, is idle while another one runs, and does the same work: every file through the recipe
 * `web`, all results stored on disk. `prepare` is not measured.
 *
 * @typedef {{ name: string, children(): number[], prepare?(files: string[]): Promise<void>, run(files: string[]): Promise<void>, stop(): Promise<void> }} Side
 */

const cores = availableParallelism();
/** Uploads at the same time. */
const connections = 4;
const agent = new Agent({ keepAlive: true });

/**
 * sharp called directly, one process per core.
 *
 * @param {NodeJS.ProcessEnv} settings added to the environment
 * @returns {Promise<Side>}
 */
export async function startDirect(folder, name = 'sharp directly', settings = {}) {
	const program = fileURLToPath(new URL('./direct-process.mjs', import.meta.url));
	const env = { ...process.env, ...settings };
	const children = Array.from({ length: cores }, () => fork(program, { env }));
	let round = 0;
	return {
		name,
		children: () => children.map((child) => child.pid),
		async run(files) {
			round++;
			const left = [...files.entries()];
			const work = async (child) => {
				for (let next = left.shift(); next; next = left.shift()) {
					const [index, file] = next;
					child.send({ file, folder: join(folder, `${round}-${index}`) });
					await once(child, 'message');
				}
			};
			await Promise.all(children.map(work));
		},
		async stop() {
			for (const child of children) child.kill();
		},
	};
}

/** The imaging pool alone: originals and variants in storage, without HTTP, queue and manifests. @returns {Promise<Side>} */
export async function startEngine(folder) {
	const storage = openStorage(`file:${folder}`);
	const recipe = (await loadRecipes(undefined)).get('web').definition;
	const pool = startImagingPool({
		processes: cores,
		sharpThreads: 1,
		megapixelsInFlight: 1_000,
		imagingMegabytes: 1_024,
		// A replaced process would be missing from the CPU time of this side.
		imagingPictures: 1_000_000,
		keptMegabytes: 128,
		pictureSeconds: 60,
		storage: `file:${folder}`,
		limits: { maxMegapixels: 50, maxDimension: 30_000, maxFrames: 1_000, maxOutputDimension: 30_000 },
		log: pino({ level: 'silent' }),
	});
	const originals = new Map();
	let round = 0;
	return {
		name: 'imaging pool',
		children: () => pool.pids(),
		async prepare(files) {
			for (const [index, file] of files.entries()) {
				const bytes = await readFile(file);
				const key = `originals/${index}.jpg`;
				await storage.put(key, bytes);
				const sha256 = createHash('sha256').update(bytes).digest('hex');
				originals.set(file, { key, bytes: bytes.length, sha256, recipe });
			}
		},
		async run(files) {
			round++;
			const storing = [];
			const work = files.map((file, index) =>
				pool.run(originals.get(file), {
					onStep() {},
					onVariant: ({ name, extension, data }) =>
						storing.push(storage.put(`variants/${round}-${index}/${name}.${extension}`, data)),
				}),
			);
			await Promise.all(work);
			await Promise.all(storing);
		},
		stop: () => pool.stop(),
	};
}

/** Everything, as a user runs it: `picpipe start` with its own Redis; uploads over HTTP. @returns {Promise<Side>} */
export async function startWhole(folder) {
	const cli = fileURLToPath(new URL('../dist/bin/cli.js', import.meta.url));
	const kept = Object.entries(process.env).filter(([name]) => !/^(PICPIPE_|REDIS_URL)/.test(name));
	const picpipe = spawn(process.execPath, [cli, 'start'], {
		env: { ...Object.fromEntries(kept), PICPIPE_DATA: folder, PICPIPE_PORT: '0', PICPIPE_ARENA_PORT: '0' },
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const api = await readyAddress(picpipe);
	const bodies = new Map();
	let round = 0;
	return {
		name: 'picpipe, whole',
		api,
		children: () => [picpipe.pid],
		// Read in advance: the cost of the client is not measured.
		async prepare(files) {
			for (const file of files) bodies.set(file, await readFile(file));
		},
		async run(files) {
			const tag = `round${++round}`;
			const left = [...files];
			const upload = async () => {
				for (let file = left.shift(); file; file = left.shift()) {
					// The last responses tell when the work is done. Polling would cost what is being measured.
					await uploadFile(api, bodies.get(file) ?? (await readFile(file)), tag, left.length < connections);
				}
			};
			await Promise.all(Array.from({ length: connections }, upload));
			// An earlier, larger picture may take longer.
			for (let left = Infinity; left > 0; ) {
				const { pictures } = await getJson(`${api}/v1/pictures?tag=${tag}&limit=200`);
				const failed = pictures.find(({ state }) => state === 'failed');
				if (failed) throw new Error(`A picture failed: ${failed.failure.message}`);
				left = files.length - pictures.filter(({ state }) => state === 'ready').length;
				if (left > 0) await sleep(20);
			}
		},
		/** Each file by itself. @returns medians, milliseconds: from queued to begun, and from done to the client's answer */
		async queueTimes(files) {
			const told = [];
			for (const file of files) {
				await uploadFile(api, bodies.get(file), 'alone', true);
				told.push(Date.now());
			}
			const redis = new Redis(join(folder, 'redis', 'redis.sock'));
			try {
				const ids = await redis.zrevrange('picpipe:pictures:completed', 0, files.length - 1);
				const fields = ids
					.reverse()
					.map((id) => redis.hmget(`picpipe:pictures:${id}`, 'timestamp', 'processedOn', 'finishedOn'));
				const jobs = (await Promise.all(fields)).map((times) => times.map(Number));
				return {
					begin: median(jobs.map(([queued, begun]) => begun - queued)),
					end: median(jobs.map(([, , done], at) => told[at] - done)),
				};
			} finally {
				redis.disconnect();
			}
		},
		async stop() {
			if (picpipe.exitCode !== null) return;
			picpipe.kill('SIGTERM');
			await once(picpipe, 'exit');
		},
	};
}

/** Waits for the address of the API in picpipe's log. */
async function readyAddress(picpipe) {
	for await (const line of createInterface({ input: picpipe.stdout })) {
		if (!line.startsWith('{')) continue;
		const entry = JSON.parse(line);
		if (entry.msg !== 'picpipe is ready') continue;
		// Keep reading, because a full pipe would block it.
		picpipe.stdout.resume();
		return entry.api;
	}
	throw new Error('picpipe ended before it was ready.');
}

/** Uses node:http, which costs less CPU than `fetch`. */
async function uploadFile(api, body, tag, isAwaited) {
	const call = request(`${api}/v1/pictures?tags=${tag}`, {
		method: 'POST',
		agent,
		headers: {
			'content-type': 'image/jpeg',
			'content-length': body.length,
			...(isAwaited && { prefer: 'wait=120' }),
		},
	});
	call.end(body);
	const [response] = await once(call, 'response');
	const answer = await text(response);
	if (response.statusCode !== (isAwaited ? 201 : 202)) throw new Error(`${response.statusCode} ${answer}`);
}

export async function getJson(url) {
	const response = await fetch(url);
	if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
	return response.json();
}

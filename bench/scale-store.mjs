import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import sharp from 'sharp';
import { firstPictureIdAt, parsePicture, pictureIdTime } from '../dist/domain/picture.js';
import { loadRecipes } from '../dist/pipeline/recipe/recipes.js';
import { manifestKey, originalKey, pendingKey, pictureFolder, variantKey } from '../dist/storage/keys.js';

/**
 * A store of generated pictures, and the processes around it.
 *
 * @typedef {{ folder: string, redis: Awaited<ReturnType<typeof startRedis>>, size: number }} Place
 */

/** Files to write at the same time. */
const parallel = 64;
/** Kept pictures are spread over so many days, milliseconds. */
const keptTime = 30 * 24 * 3_600_000;
/** Values that repeat: a picture has two of so many tags. */
const tags = 40;

/** A recipe of little work: what is measured is everything around it. */
const recipes = `recipes:
  dot:
    analyse: []
    variants:
      dot: { steps: [{ resize: { width: 4 } }], encode: [{ png: {} }] }
`;

/** Writes the manifests of finished pictures. @param {Place} place */
export async function fillKept({ folder, size }) {
	// All processes read it.
	await writeFile(join(folder, 'recipes.yaml'), recipes);
	const recipe = (await loadRecipes(undefined)).get('web');
	const end = Date.now() - 60_000;
	await forEach(size, async (at) => {
		const id = firstPictureIdAt(end - Math.floor((keptTime * (size - at)) / size) + (at % 7));
		const below = pictureFolder(id, pictureIdTime(id));
		const sha256 = createHash('sha256').update(id).digest('hex');
		const time = new Date(pictureIdTime(id)).toISOString();
		const variants = Object.keys(recipe.definition.variants).map((name) => ({
			name,
			format: 'webp',
			type: 'image/webp',
			key: variantKey(below, name, sha256.slice(0, 12), 'webp'),
			width: 1_600,
			height: 1_200,
			bytes: 123_456,
			sha256,
			digest: sha256.slice(0, 12),
			milliseconds: 40,
		}));
		await write(folder, manifestKey(below), {
			version: 1,
			id,
			state: 'ready',
			revision: 2,
			createdAt: time,
			updatedAt: time,
			source: {
				key: originalKey(below, 'jpg'),
				type: 'image/jpeg',
				bytes: 2_345_678,
				sha256,
				filename: `IMG_${10_000 + at}.jpg`,
			},
			recipe: { name: recipe.name, digest: recipe.digest, definition: recipe.definition },
			priority: 0,
			owner: `team-${at % 5}`,
			tags: [`tag-${at % tags}`, `day-${at % 30}`],
			facts: {
				format: 'jpeg',
				width: 4_000,
				height: 3_000,
				frames: 1,
				alpha: false,
				orientation: 1,
				colourSpace: 'srgb',
			},
			variants,
			analysis: { thumbhash: '1QcSHQRnh493V4dIh4eXh1h4kJUI', phash: sha256.slice(0, 16) },
		});
	});
}

/** Writes accepted pictures that no queue knows. @param {Place} place */
export async function fillWaiting({ folder, size }) {
	const recipe = (await loadRecipes(join(folder, 'recipes.yaml'))).get('dot');
	const original = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#808080' } })
		.png()
		.toBuffer();
	const sha256 = createHash('sha256').update(original).digest('hex');
	const begin = Date.now();
	await forEach(size, async (at) => {
		const id = firstPictureIdAt(begin + at);
		const below = pictureFolder(id, pictureIdTime(id));
		const time = new Date(pictureIdTime(id)).toISOString();
		const key = originalKey(below, 'png');
		await write(folder, key, original);
		await write(folder, manifestKey(below), {
			version: 1,
			id,
			state: 'queued',
			revision: 1,
			createdAt: time,
			updatedAt: time,
			source: { key, type: 'image/png', bytes: original.length, sha256, filename: `dot-${at}.png` },
			recipe: { name: recipe.name, digest: recipe.digest, definition: recipe.definition },
			priority: 0,
			owner: `team-${at % 5}`,
			tags: [`tag-${at % tags}`],
			variants: [],
			analysis: {},
		});
		await write(folder, pendingKey(id), Buffer.from('\n'));
	});
}

async function write(folder, key, value) {
	const path = join(folder, 'data', key);
	await mkdir(dirname(path), { recursive: true });
	if (Buffer.isBuffer(value)) return writeFile(path, value);
	const text = JSON.stringify(value);
	// An unreadable manifest would cost nothing.
	parsePicture(text);
	return writeFile(path, text);
}

async function forEach(count, work) {
	let next = 0;
	const lane = async () => {
		while (next < count) await work(next++);
	};
	await Promise.all(Array.from({ length: parallel }, lane));
}

/** A Redis with picpipe's settings. */
export async function startRedis(folder) {
	await mkdir(folder, { recursive: true });
	const socket = join(folder, 'redis.sock');
	const settings = ['--port', '0', '--unixsocket', socket, '--dir', folder, '--appendonly', 'yes', '--save', ''];
	const server = spawn('redis-server', [...settings, '--maxmemory-policy', 'noeviction'], { stdio: 'ignore' });
	const client = new Redis(socket, { retryStrategy: () => 50, maxRetriesPerRequest: null });
	client.on('error', () => {});
	await client.ping();
	const info = async (section) =>
		Object.fromEntries((await client.info(section)).split('\r\n').map((line) => line.split(':', 2)));
	return {
		url: `unix://${socket}`,
		client,
		/** Bytes of data, without what is buffered for clients. */
		memory: async () => Number((await info('memory')).used_memory_dataset),
		/** Commands so far, those of scripts included, and the CPU time of the server, microseconds. */
		async commands() {
			const { total_commands_processed: calls } = await info('stats');
			return { calls: Number(calls), usec: (await cpuOf()) * 1e6 };
		},
		async stop() {
			client.disconnect();
			server.kill('SIGTERM');
			await once(server, 'exit');
		},
	};

	/** CPU time of the server, seconds. */
	async function cpuOf() {
		const { used_cpu_sys: system, used_cpu_user: user } = await info('cpu');
		return Number(system) + Number(user);
	}
}

const cli = fileURLToPath(new URL('../dist/bin/cli.js', import.meta.url));

/** @param {Place} place */
function settingsOf({ folder, redis }, further) {
	return {
		...process.env,
		REDIS_URL: redis.url,
		PICPIPE_STORAGE: `file:${join(folder, 'data')}`,
		PICPIPE_DATA: join(folder, 'own'),
		PICPIPE_RECIPES: join(folder, 'recipes.yaml'),
		PICPIPE_PORT: '0',
		PICPIPE_SWEEP_SECONDS: '3600',
		...further,
	};
}

/** Runs a command of picpipe to its end. @returns its CPU time, milliseconds */
export async function run(place, command) {
	// The shell knows the CPU time of a process that has ended; Node.js does not.
	const script = 'TIMEFORMAT="%U %S"; time "$0" "$1" "$2" >/dev/null';
	const child = spawn('bash', ['-c', script, process.execPath, cli, command], {
		env: settingsOf(place, {}),
		stdio: ['ignore', 'inherit', 'pipe'],
	});
	let output = '';
	child.stderr.setEncoding('utf8').on('data', (text) => {
		output += text;
	});
	const [code] = await once(child, 'close');
	if (code !== 0) throw new Error(`picpipe ${command} ended with ${code}:\n${output}`);
	const [user, system] = output.trim().split('\n').at(-1).split(' ').map(Number);
	return (user + system) * 1_000;
}

/** Runs a role until it is stopped. @returns its log lines so far, and a wait for one of them */
export async function start(place, role, further = {}) {
	const child = spawn(process.execPath, [cli, role], {
		env: settingsOf(place, further),
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const lines = [];
	let rest = '';
	child.stdout.setEncoding('utf8').on('data', (text) => {
		const parts = (rest + text).split('\n');
		rest = parts.pop();
		for (const part of parts) if (part.startsWith('{')) lines.push(JSON.parse(part));
	});
	const until = async (what) => {
		for (;;) {
			const found = lines.find(what);
			if (found) return found;
			if (child.exitCode !== null) throw new Error(`picpipe ${role} ended with ${child.exitCode}.`);
			await sleep(50);
		}
	};
	return {
		pid: child.pid,
		lines,
		until,
		async stop() {
			if (child.exitCode !== null) return;
			child.kill('SIGTERM');
			await once(child, 'exit');
		},
	};
}

/** Waits until something is true. */
export async function wait(what, every = 100) {
	for (let answer = await what(); ; answer = await what()) {
		if (answer) return answer;
		await sleep(every);
	}
}

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, it, vi } from 'vitest';
import { settings } from '../../src/config/index.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { photograph } from '../helpers/pictures.ts';
import { endWithTest, shared } from '../helpers/shared.ts';
import { thrownBy } from '../helpers/thrown.ts';
import { startPool } from './pool-fixture.ts';

/** Bytes that a scratch folder of a megabyte has room for once. */
const bytes = 700_000;

async function openRemote(options: Parameters<typeof startPool>[0] = {}) {
	const pool = await startPool({ processes: 2, scratchMegabytes: 1, ...options });
	endWithTest(() => pool.stop());
	return pool;
}

/** A picture, padded to a size. */
async function padded(seed: number, length = bytes): Promise<Buffer> {
	const file = await photograph({ width: 640, height: 480, seed });
	return Buffer.concat([file, Buffer.alloc(Math.max(0, length - file.length))]);
}

function wide(width: number) {
	return parseRecipe('r', { variants: { only: { steps: [{ resize: { width } }], encode: [{ webp: {} }] } } })
		.definition;
}

describe('imaging processes', () => {
	it('inherit no credentials', async () => {
		const secrets = {
			AWS_ACCESS_KEY_ID: 'canary-1',
			AWS_SECRET_ACCESS_KEY: 'canary-2',
			AWS_CONTAINER_CREDENTIALS_FULL_URI: 'canary-3',
			REDIS_URL: 'redis://user:canary-4@localhost',
			PICPIPE_API_KEYS: 'canary-5-canary-5',
			PICPIPE_STORAGE: 's3://canary-6',
			DATABASE_URL: 'postgres://canary-7',
			OTEL_EXPORTER_OTLP_HEADERS: 'authorization=canary-8',
			NODE_AUTH_TOKEN: 'canary-9',
			LANG: 'C.UTF-8',
		};
		for (const [name, value] of Object.entries(secrets)) vi.stubEnv(name, value);
		const { pool, run, task, stop } = await startPool({ processes: 1 });
		endWithTest(stop);
		vi.unstubAllEnvs();
		await run(await task(await photograph({ width: 64, height: 48 }))).result;
		const [pid] = pool.pids();
		const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
		expect(environment).toContain('LANG=C.UTF-8');
		expect(environment.join('\n')).not.toContain('canary');
		const names = environment.map((line) => line.split('=')[0]);
		const ours = Object.values(settings).map(({ variable }) => variable);
		expect(names.filter((name) => name === 'REDIS_URL' || ours.some((one) => one === name))).toEqual([]);
	});

	it('contain no code for storage, Redis or the network', async () => {
		const root = fileURLToPath(new URL('../..', import.meta.url));
		const { metafile } = await build({
			absWorkingDir: root,
			entryPoints: ['src/imaging/child-main.ts'],
			bundle: true,
			write: false,
			metafile: true,
			platform: 'node',
			format: 'esm',
			packages: 'external',
		});
		const files = Object.keys(metafile.inputs);
		expect(files).toContain('src/imaging/asset-cache.ts');
		expect(
			files.filter((file) => /^src\/(storage|queue|catalog|config|intake|http|roles|access)\//.test(file)),
		).toEqual([]);
		const packages = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
		expect(packages.filter((name) => /aws|redis|bullmq|^(node:)?(https?|net|tls)$/.test(name))).toEqual([]);
	});
});

describe('a storage on other machines', () => {
	const remote = shared(() => openRemote());

	it('is read once for a picture with four variants, however many run at once', async () => {
		const { task, run, gets } = remote();
		const variants = Object.fromEntries(
			[400, 300, 200, 100].map((width) => [`w${width}`, { steps: [{ resize: { width } }], encode: [{ webp: {} }] }]),
		);
		const picture = await task(await padded(1), { variants });
		const works = [run(picture), run(picture), run(picture)];
		for (const { result } of works) await result;
		for (const { outputs } of works)
			expect(outputs.map(({ name }) => name).sort()).toEqual(['w100', 'w200', 'w300', 'w400']);
		await run(picture).result;
		expect(gets.filter((key) => key === picture.key)).toHaveLength(1);
	});

	it('is not read for a render whose original is in the memory of a process', async () => {
		const { task, run, gets, pool } = await openRemote();
		const first = { ...(await task(await padded(2))), isCached: true };
		await run({ ...first, recipe: wide(200) }).result;
		// Its copy makes room for another.
		await run(await task(await padded(3))).result;
		expect(pool.hasCached(first)).toBe(true);
		const widths = [180, 160, 140, 120, 100];
		const works = widths.map((width) => run({ ...first, recipe: wide(width) }));
		for (const { result } of works) await result;
		expect(works.flatMap(({ outputs }) => outputs.map(({ width }) => width))).toEqual(widths);
		// Work for the other process needs a copy; the first one has the picture.
		expect(gets.filter((key) => key === first.key).length).toBeLessThanOrEqual(2);
		await run({ ...first, recipe: wide(90) }).result;
		const { length } = gets;
		await run({ ...first, recipe: wide(80) }).result;
		expect(gets).toHaveLength(length);
	});

	it('is read again for an original that the process has dropped in the meantime', async () => {
		// Its memory has room for one of them.
		const { task, run, gets } = await openRemote({ processes: 1, keptMegabytes: 2 });
		const pictures = [await padded(4), await padded(5), await padded(6)];
		const tasks = await Promise.all(pictures.map(async (file) => ({ ...(await task(file)), isCached: true })));
		for (const one of tasks) await run({ ...one, recipe: wide(300) }).result;
		for (const one of tasks) {
			const { result, outputs } = run({ ...one, recipe: wide(150) });
			await result;
			expect(outputs).toHaveLength(1);
		}
		expect(gets.length).toBeGreaterThan(tasks.length);
	});

	it('gives every picture its turn when there is room for one', async () => {
		const { task, run, gets } = remote();
		const before = gets.length;
		const tasks = await Promise.all([7, 8, 9, 10, 11].map(async (seed) => task(await padded(seed))));
		await Promise.all(tasks.map((one) => run(one).result));
		expect(gets.length - before).toBe(tasks.length);
	});

	it('fails what is missing, changed or too large as a folder would', async () => {
		const { task, run, storage, gets } = remote();
		const missing = await task(await padded(12));
		await storage.delete(missing.key);
		expect((await thrownBy(() => run(missing).result)).code).toBe('original-missing');
		const changed = await task(await padded(13));
		await storage.put(changed.key, await padded(14));
		expect((await thrownBy(() => run(changed).result)).code).toBe('original-changed');
		// A copy that was not as expected is not used again.
		await storage.put(changed.key, await padded(13));
		await run(changed).result;
		expect(gets.filter((key) => key === changed.key)).toHaveLength(2);
		const large = await task(await padded(15, 1_000_001));
		expect((await thrownBy(() => run(large).result)).code).toBe('scratch-too-small');
	});

	it('provides the pictures that recipes use', async () => {
		const { task, run, gets } = await openRemote({ processes: 1 });
		const logo = await task(await photograph({ width: 40, height: 30, seed: 16 }));
		const recipe = {
			variants: {
				marked: { steps: [{ watermark: { picture: 'logo.png', position: 'centre' } }], encode: [{ png: {} }] },
				plain: { encode: [{ png: {} }] },
			},
		};
		const assets = new Map([['logo.png', { key: logo.key, bytes: logo.bytes, sha256: logo.sha256 }]]);
		for (const seed of [17, 18]) {
			const picture = await task(await photograph({ width: 200, height: 150, seed }), recipe);
			const { result, outputs } = run({ ...picture, assets });
			expect((await result).failures).toEqual([]);
			const [one, other] = outputs;
			expect(outputs).toHaveLength(2);
			expect(one?.data.equals(other?.data ?? Buffer.alloc(0))).toBe(false);
		}
		expect(gets.filter((key) => key === logo.key)).toHaveLength(1);
		const broken = await task(await photograph({ width: 200, height: 150, seed: 19 }), recipe);
		const absent = new Map([['logo.png', { key: 'pictures/none', bytes: 10, sha256: 'x' }]]);
		const { failures } = await run({ ...broken, assets: absent }).result;
		expect(failures).toMatchObject([{ variant: 'marked', error: { code: 'asset-missing' } }]);
	});
});

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import sharp from 'sharp';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ImagingTask } from '../../src/imaging/scheduler.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { cut, photograph, similarity, withComment } from '../helpers/pictures.ts';
import { endWithTest, shared } from '../helpers/shared.ts';
import { type PoolFixture, slow, startPool } from './pool-fixture.ts';

let fixture: PoolFixture | undefined;
afterEach(async () => {
	await fixture?.stop();
	fixture = undefined;
});

async function open(...options: Parameters<typeof startPool>): Promise<PoolFixture> {
	fixture = await startPool(...options);
	return fixture;
}

/** Ends with the tests that share it. */
async function openShared(...options: Parameters<typeof startPool>): Promise<PoolFixture> {
	const pool = await startPool(...options);
	endWithTest(() => pool.stop());
	return pool;
}

/** For tests that disturb no process. */
const two = shared(() => openShared({ processes: 2 }));
const single = shared(() => openShared({ processes: 1 }));
/** Its budget lets a second picture in only if both are small. */
const narrow = shared(() => openShared({ processes: 2, megapixelsInFlight: 1 }));

/** A recipe of one variant, as a render's is. */
function wide(width: number) {
	return parseRecipe('r', { variants: { only: { steps: [{ resize: { width } }], encode: [{ webp: {} }] } } })
		.definition;
}

describe('imaging pool', () => {
	it('makes variants in another process and returns them unchanged', async () => {
		const { task, run, pool } = two();
		const file = await photograph({ width: 1200, height: 900 });
		const recipe = {
			analyse: ['thumbhash'],
			variants: {
				a: { steps: [{ resize: { width: 600 } }], encode: [{ webp: {} }, { jpeg: {} }] },
				b: { steps: [{ resize: { width: 300 } }], encode: [{ png: {} }] },
			},
		};
		const work = run(await task(file, recipe));
		const { facts, analysis } = await work.result;
		expect(facts).toEqual({
			format: 'jpeg',
			width: 1200,
			height: 900,
			frames: 1,
			alpha: false,
			orientation: 1,
			colourSpace: 'srgb',
		});
		expect(analysis.thumbhash).toMatch(/^[A-Za-z0-9+/=]{20,}$/);
		expect(work.outputs.map(({ name, extension }) => `${name}.${extension}`).sort()).toEqual([
			'a.jpg',
			'a.webp',
			'b.png',
		]);
		for (const { data, sha256, width, height } of work.outputs) {
			expect(Buffer.isBuffer(data)).toBe(true);
			expect(createHash('sha256').update(data).digest('hex')).toBe(sha256);
			expect(await sharp(data).metadata()).toMatchObject({ width, height });
			expect(await similarity(data, file)).toBeGreaterThan(0.97);
		}
		expect(work.steps.at(-1)?.done).toBe(1);
		expect(pool.pids()).not.toContain(process.pid);
	});

	it('starts a process when a picture would have to wait for one, and never more than allowed', async () => {
		const { task, run, pool } = await open({ processes: 2 });
		expect(pool.pids()).toHaveLength(1);
		const file = await task(await photograph({ width: 800, height: 600 }));
		await run(file).result;
		await run(file).result;
		expect(pool.pids()).toHaveLength(1);
		await Promise.all([file, file, file, file].map((one) => run(one).result));
		expect(pool.pids()).toHaveLength(2);
	});

	it('processes pictures in parallel, each in its own process, with equal results for equal input', async () => {
		const { task, run, pool } = two();
		const file = await photograph({ width: 1600, height: 1200 });
		const tasks = await Promise.all([1, 2, 3, 4, 5, 6].map(() => task(file)));
		const works = tasks.map(run);
		await Promise.all(works.map(({ result }) => result));
		const digests = works.map(({ outputs }) => outputs.map(({ digest, sha256 }) => digest + sha256).join());
		expect(new Set(digests).size).toBe(1);
		expect(pool.pids()).toHaveLength(2);
	});

	it.each([
		['corrupt-picture', async () => cut(await photograph({ width: 800, height: 600 }), 50)],
		['unsupported-type', async () => Buffer.from('only text')],
	] as const)('says %s, and the process goes on', async (code, file) => {
		const { task, run, pool } = single();
		const good = await task(await photograph({ width: 800, height: 600 }));
		await run(good).result;
		const pids = pool.pids();
		await expect(run(await task(await file())).result).rejects.toMatchObject({ name: 'PicpipeError', code });
		await run(good).result;
		expect(pool.pids()).toEqual(pids);
	});

	it('reads and decodes an original once if more requests follow soon', async () => {
		const { task, run, storage } = single();
		const read = await task(await photograph({ width: 400, height: 300 }));
		const kept = { ...(await task(await photograph({ width: 800, height: 600 }), wide(300))), isCached: true };
		for (const one of [read, kept]) await run(one).result;
		for (const { key } of [read, kept]) await storage.delete(key);
		await expect(run(read).result).rejects.toMatchObject({ code: 'original-missing' });
		const again = run({ ...kept, recipe: wide(200) });
		expect((await again.result).facts).toMatchObject({ width: 800, height: 600 });
		expect(again.steps.map(({ step }) => step)).toEqual(['scale and encode only.webp']);
	});

	it('gives a picture to the process that has cached it', async () => {
		const { task, run } = two();
		const kept = { ...(await task(await photograph({ width: 800, height: 600, seed: 2 }), wide(300))), isCached: true };
		await run(kept).result;
		for (const width of [200, 100]) {
			// The process that has not worked for longer is the other one.
			const work = run({ ...kept, recipe: wide(width) });
			await work.result;
			expect(work.steps.map(({ step }) => step)).toEqual(['scale and encode only.webp']);
		}
	});

	it('lets cached urgent pictures pass others of their size', async () => {
		const { task, pool } = await open({ processes: 1 });
		const pictures = await Promise.all(
			[1, 2, 3].map(async (seed) => task(await photograph({ width: 320, height: 240, seed }), wide(100))),
		);
		const order: number[] = [];
		const run = (at: number, isCached = false) => {
			const picture = pictures[at];
			if (!picture) throw new Error('No picture is left.');
			const listener = { onStep() {}, onVariant() {} };
			return pool.run({ ...picture, isCached }, listener, { isUrgent: true }).then(() => order.push(at));
		};
		await run(0, true);
		// The process is busy with the first of them.
		await Promise.all([run(1), run(1), run(2), run(0, true), run(0, true)]);
		expect(order).toEqual([0, 1, 0, 0, 1, 2]);
	});

	it('refuses an original that is missing or has changed', async () => {
		const { task, run, storage } = single();
		const file = await photograph({ width: 800, height: 600, seed: 3 });
		const good = await task(file);
		const step = 'read';
		await expect(run({ ...good, key: 'pictures/none.jpg' }).result).rejects.toMatchObject({
			code: 'original-missing',
			step,
		});
		await expect(run({ ...good, bytes: 12 }).result).rejects.toMatchObject({ code: 'original-changed', step });
		await storage.put(good.key, withComment(file, 'x').subarray(0, file.length));
		await expect(run(good).result).rejects.toMatchObject({ code: 'original-changed', class: 'internal', step });
	});

	it('checks limits in the process, before decoding', async () => {
		const { task, run } = await open({
			limits: { maxMegapixels: 1, maxDimension: 30_000, maxFrames: 1, maxOutputDimension: 30_000 },
		});
		const work = run(await task(await photograph({ width: 1200, height: 900 })));
		await expect(work.result).rejects.toMatchObject({ code: 'too-many-pixels' });
		expect(work.steps).toEqual([]);
	});

	it('takes urgent pictures first, and the others in every second turn', async () => {
		const { task, pool } = await open({ processes: 1 });
		const tasks = await Promise.all(
			Array.from({ length: 9 }, async () => task(await photograph({ width: 64, height: 48 }))),
		);
		const order: string[] = [];
		const run = (name: string, at: number, isUrgent: boolean) => {
			const picture = tasks[at];
			if (!picture) throw new Error('No picture is left.');
			return pool.run(picture, { onStep() {}, onVariant() {} }, { isUrgent }).then(() => order.push(name));
		};
		await run('warm-up', 0, false);
		// The process is busy with the first, so that the order of those that wait tells nothing.
		const works = [run('first', 0, false)];
		for (const at of [1, 2, 3, 4]) works.push(run('picture', at, false));
		for (const at of [5, 6, 7, 8]) works.push(run('render', at, true));
		await Promise.all(works);
		const turns = Array.from({ length: 4 }, () => ['render', 'picture']).flat();
		expect(order).toEqual(['warm-up', 'first', ...turns]);
	});

	it('lets at most two urgent pictures of less than half its bytes pass the oldest', async () => {
		const { task, pool } = await open({ processes: 1 });
		const heavy = await task(await photograph({ width: 640, height: 480 }));
		const lighter = await task(await photograph({ width: 560, height: 420 }));
		expect(lighter.bytes).toBeGreaterThan(heavy.bytes * 0.5);
		expect(lighter.bytes).toBeLessThan(heavy.bytes);
		const light = await task(await photograph({ width: 64, height: 48 }));
		const order: string[] = [];
		const run = (name: string, picture: ImagingTask) =>
			pool.run(picture, { onStep() {}, onVariant() {} }, { isUrgent: true }).then(() => order.push(name));
		await run('warm-up', light);
		const works = [run('first', light), run('heavy', heavy), run('lighter', lighter)];
		for (let count = 0; count < 4; count++) works.push(run('light', light));
		await Promise.all(works);
		// Of less than half of its bytes, so the last two of the light ones pass the lighter one as well.
		expect(order).toEqual([
			...['warm-up', 'first', ...Array(2).fill('light'), 'heavy'],
			...[...Array(2).fill('light'), 'lighter'],
		]);
	});

	const enlarged = (steps: readonly unknown[]) => ({
		variants: { only: { steps, encode: [{ webp: { effort: 0 } }] } },
	});
	it.each([
		['a picture larger than the whole budget', { width: 1600, height: 1000 }, undefined],
		['a picture that is made so', { width: 16, height: 10 }, enlarged([{ resize: { width: 1600 } }])],
		[
			'a picture that is made so on the way',
			{ width: 16, height: 10 },
			enlarged([{ resize: { width: 1600 } }, { resize: { width: 400 } }]),
		],
		[
			'a picture that is made so after a step that tells no size before',
			{ width: 16, height: 10 },
			enlarged([{ trim: {} }, { resize: { width: 400 } }]),
		],
	])('processes %s alone', async (_, size, recipe) => {
		const { task, run } = narrow();
		const files = await Promise.all([1, 2, 3].map((seed) => photograph({ ...size, seed })));
		const works = (await Promise.all(files.map((file) => task(file, recipe)))).map(run);
		await Promise.all(works.map(({ result }) => result));
		const spans = works
			.map(({ steps }) => {
				const last = steps.at(-1);
				return { start: steps[0]?.startedAt ?? 0, end: (last?.startedAt ?? 0) + (last?.milliseconds ?? 0) };
			})
			.sort((a, b) => a.start - b.start);
		for (const [index, span] of spans.slice(1).entries()) {
			// A few milliseconds of grace: start and length come from different clocks.
			expect(span.start).toBeGreaterThanOrEqual((spans[index]?.end ?? 0) - 5);
		}
	});

	it('never blocks the event loop of the worker', async () => {
		const { task, run } = two();
		const file = await photograph({ width: 2400, height: 1600 });
		const work = await task(file, { variants: { whole: { encode: [{ png: { compressionLevel: 0 } }] } } });
		const delay = monitorEventLoopDelay({ resolution: 5 });
		delay.enable();
		const { outputs, result } = run(work);
		await result;
		delay.disable();
		expect(outputs[0]?.data.length).toBeGreaterThan(11e6);
		// BullMQ renews a lock at half of its time, and the shortest that is used is ten seconds.
		expect(delay.max / 1e6).toBeLessThan(2_000);
	});

	it('replaces a process that uses too much memory, between pictures', async () => {
		const { task, run, pool, logged } = await open({ processes: 1, imagingMegabytes: 64 });
		const good = await task(await photograph({ width: 1600, height: 1200 }));
		const [before] = pool.pids();
		await run(good).result;
		const { outputs, result } = run(good);
		await result;
		expect(outputs).toHaveLength(1);
		expect(pool.pids()).not.toContain(before);
		expect(logged.some(({ msg }) => msg === 'replacing an imaging process that uses too much memory')).toBe(true);
	});

	it('replaces a process after a number of pictures, while the others continue', async () => {
		const { task, run, pool, logged } = await open({ processes: 1, imagingPictures: 3 });
		const good = await task(await photograph({ width: 400, height: 300 }));
		const [before] = pool.pids();
		let done = 0;
		let most = 0;
		for (; pool.pids().includes(before as number); done++) {
			await run(good).result;
			most = Math.max(most, pool.pids().length);
			if (done < 2) expect(pool.pids()).toEqual([before]);
		}
		// Pictures were made while the next process was starting.
		expect(done).toBeGreaterThan(3);
		expect(most).toBe(2);
		const replaced = logged.filter(
			({ msg }) => msg === 'replacing an imaging process after its maximum number of pictures',
		);
		expect(replaced).toEqual([expect.objectContaining({ imagingPid: before, pictures: done })]);
		await run(good).result;
		expect(pool.pids()).toHaveLength(1);
	});

	it.each([
		['worn process', 0],
		['one that is to follow it', 1],
	])('restores the number of processes when the %s dies', async (_who, index) => {
		const { task, run, pool } = await open({ processes: 1, imagingPictures: 1 });
		const good = await task(await photograph({ width: 400, height: 300 }));
		await run(good).result;
		expect(pool.pids()).toHaveLength(2);
		const killed = pool.pids()[index] as number;
		process.kill(killed, 'SIGKILL');
		await expect.poll(() => pool.pids()).not.toContain(killed);
		expect(pool.pids()).toHaveLength(1);
		await run(good).result;
		expect(pool.pids()).not.toContain(killed);
		// One and the one that follows.
		expect(pool.pids()).toHaveLength(2);
	});

	it('configures the allocator, hides secrets and asks the kernel to kill the process first', async () => {
		const secrets = ['PICPIPE_API_KEYS', 'PICPIPE_DELIVERY_KEYS', 'PICPIPE_CLOUDINARY_SECRETS', 'REDIS_URL'];
		for (const name of secrets) vi.stubEnv(name, 'a-secret-of-others');
		try {
			const { task, run, pool } = await open({ processes: 1 });
			await run(await task(await photograph({ width: 400, height: 300 }))).result;
			const environment = await readFile(`/proc/${pool.pids()[0]}/environ`, 'utf8');
			expect(environment).toContain('MALLOC_ARENA_MAX=2');
			expect(environment).toContain('MALLOC_MMAP_THRESHOLD_=33554432');
			expect(environment).not.toContain('a-secret-of-others');
			expect(await readFile(`/proc/${pool.pids()[0]}/oom_score_adj`, 'utf8')).toBe('500\n');
		} finally {
			vi.unstubAllEnvs();
		}
	});

	it('stops at once: all pictures fail as stopping, and no process stays', async () => {
		const { task, run, pool } = await open({ processes: 1 });
		const file = await photograph({ width: 1600, height: 1200 });
		const works = [await task(file, slow), await task(file)].map(run);
		await new Promise((resolve) => setTimeout(resolve, 1_500));
		const pids = pool.pids();
		await pool.stop();
		for (const { result } of works)
			await expect(result).rejects.toMatchObject({ code: 'stopping', class: 'transient' });
		for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
		await expect(run(await task(file)).result).rejects.toMatchObject({ code: 'stopping' });
	});
});

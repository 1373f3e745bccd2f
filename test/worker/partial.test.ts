import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Job } from 'bullmq';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { markPending, readManifest, writeManifest } from '../../src/catalog/manifest.ts';
import type { Facts, ReceivedPicture } from '../../src/domain/picture.ts';
import { type ErrorCode, PicpipeError } from '../../src/errors.ts';
import type { ImagingPool, ImagingTask, VariantFailure } from '../../src/imaging/scheduler.ts';
import { createLogger } from '../../src/observe/log.ts';
import { parseRecipe, planVariants } from '../../src/pipeline/recipe/parse-recipe.ts';
import { variantDigest } from '../../src/pipeline/recipe/variant-digest.ts';
import { processJob } from '../../src/queue/jobs.ts';
import { processPicture } from '../../src/worker/process-picture.ts';
import { form, json, startTestApi, untilFinished } from '../helpers/api.ts';
import { connected } from '../helpers/connection.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { makePicture } from '../helpers/manifest.ts';
import { photograph } from '../helpers/pictures.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { watchedStorage } from '../helpers/storage.ts';

/** What the worker makes of variants that fail, of passing failures, and of processes that die. */

const encode = [{ webp: {} }];
const resize = (width: number) => [{ resize: { width } }];
const definition = {
	analyse: ['phash'],
	variants: {
		large: { steps: resize(30), encode },
		medium: { steps: resize(20), encode },
		small: { from: 'medium', steps: resize(10), encode },
	},
};

const facts: Facts = {
	...{ format: 'jpeg', width: 60, height: 40, frames: 1, alpha: false, orientation: 1, colourSpace: 'srgb' },
};

/** How a run of the pool goes: what fails in it by its name, and what it dies of before it makes a variant. */
type Script = (names: readonly string[]) => {
	readonly failing?: Readonly<Record<string, ErrorCode>>;
	readonly dies?: { readonly code: ErrorCode; readonly before?: string; readonly lastStep?: string };
};

function scriptedPool(script: Script): Pick<ImagingPool, 'run' | 'hasCached'> & { readonly runs: string[][] } {
	const runs: string[][] = [];
	return {
		runs,
		hasCached: () => false,
		async run(task: ImagingTask, listener) {
			const wanted = planVariants(task.recipe).filter(({ encodings }) => encodings.length > 0);
			const names = [...wanted.map(({ name }) => name), ...task.recipe.analyse];
			runs.push(names);
			const { failing = {}, dies } = script(names);
			const seen = { ...(dies?.lastStep !== undefined && { lastStep: dies.lastStep }) };
			const failures: VariantFailure[] = [];
			listener.onInspected?.(facts);
			for (const variant of wanted) {
				if (dies && (dies.before ?? variant.name) === variant.name)
					throw new PicpipeError(dies.code, 'It died.', { seen });
				const code = failing[variant.name];
				if (code) failures.push({ variant: variant.name, error: new PicpipeError(code, `No ${variant.name}.`) });
				const [encoding] = variant.encodings;
				if (code || !encoding) continue;
				listener.onVariant({
					...{ name: variant.name, format: 'webp', type: 'image/webp', extension: 'webp', width: 1, height: 1 },
					...{ sha256: 'cd'.repeat(32), data: Buffer.from(variant.name), milliseconds: 1 },
					digest: variantDigest(task.sha256, variant, encoding),
				});
			}
			if (dies && !dies.before) throw new PicpipeError(dies.code, 'It died.', { seen });
			return {
				facts,
				analysis: task.recipe.analyse.length > 0 ? { phash: '0123456789abcdef' } : {},
				isAnalysed: true,
				failures,
			};
		},
	};
}

/** A worker with such a pool and one picture; `attempt` runs its job. */
async function open(script: Script) {
	const storage = await watchedStorage();
	const catalog = openCatalog(await connected(), freshPrefix());
	const picture = makePicture({ recipe: parseRecipe('three', definition) });
	await markPending(storage, picture.id);
	await storage.put(picture.source.key, Buffer.from('jpg'));
	await writeManifest(storage, picture);
	const pool = scriptedPool(script);
	const context = { storage, catalog, pool: pool as unknown as ImagingPool, assets: { find: async () => new Map() } };
	let failedReason: string | undefined;
	const manifest = async () => (await readManifest(storage, picture.id)) as ReceivedPicture;
	return {
		pool,
		picture,
		manifest,
		/** @returns the error for BullMQ, if it failed */
		async attempt(number: number, of = 3) {
			const data = processJob(picture, 'upload');
			const job = {
				data,
				id: 'job',
				queueName: 'pictures',
				attemptsMade: number - 1,
				opts: { attempts: of },
				failedReason,
			};
			const quiet = { log: async () => 0, updateProgress: async () => {} };
			const log = createLogger('worker', 'silent');
			return processPicture({ ...job, ...quiet } as unknown as Job, { ...context, log }).catch((error: Error) => {
				failedReason = error.message;
				return error;
			});
		},
		async names() {
			return (await manifest()).variants.map(({ name }) => name);
		},
	};
}

describe('a variant that fails', () => {
	it('for good takes no further attempt: the picture is ready, and says what is missing and why', async () => {
		const { attempt, manifest, names } = await open(() => ({
			failing: { medium: 'output-too-large', small: 'output-too-large' },
		}));
		expect(await attempt(1)).toMatchObject({
			outcome: 'recorded',
			failed: ['medium output-too-large', 'small output-too-large'],
		});
		expect(await names()).toEqual(['large']);
		const picture = await manifest();
		expect(picture).toMatchObject({ state: 'ready', facts, analysis: { phash: '0123456789abcdef' } });
		expect(picture.failure).toBeUndefined();
		expect(picture.failures).toMatchObject([
			{ variant: 'medium', class: 'limit', code: 'output-too-large', message: 'No medium.', attempt: 1 },
			{ variant: 'small', class: 'limit', code: 'output-too-large', message: 'No small.', attempt: 1 },
		]);
	});

	it('and all others with it leave a failed picture, with its facts and its analysis', async () => {
		const code = 'output-too-large';
		const { attempt, manifest } = await open(() => ({
			failing: { large: code, medium: code, small: 'unsupported-feature' },
		}));
		expect(await attempt(1)).toBeInstanceOf(Error);
		expect(await manifest()).toMatchObject({
			...{ state: 'failed', variants: [], facts, analysis: { phash: '0123456789abcdef' } },
			failure: { class: 'limit', code },
			failures: [{ variant: 'large' }, { variant: 'medium' }, { variant: 'small', class: 'unsupported' }],
		});
	});

	it('in passing is tried again alone; what was made is kept, and after the last attempt it is named', async () => {
		const { attempt, manifest, names, pool } = await open((wanted) => ({
			failing: wanted.includes('medium') ? { medium: 'internal' } : {},
		}));
		expect(await attempt(1)).toBeInstanceOf(Error);
		expect(await manifest()).toMatchObject({ state: 'queued', facts });
		expect(await names()).toEqual(['large', 'small']);
		expect(await attempt(2)).toBeInstanceOf(Error);
		expect(await attempt(3)).toMatchObject({ outcome: 'recorded', failed: ['medium internal'] });
		expect(pool.runs).toEqual([['large', 'medium', 'small', 'phash'], ['medium'], ['medium']]);
		expect(await names()).toEqual(['large', 'small']);
		expect(await manifest()).toMatchObject({
			state: 'ready',
			failures: [{ variant: 'medium', class: 'internal', code: 'internal', attempt: 3 }],
		});
	});

	it('in passing and then succeeds leaves no trace', async () => {
		let isFirst = true;
		const { attempt, manifest, names } = await open(() => {
			const failing = isFirst ? { large: 'internal' as const } : {};
			isFirst = false;
			return { failing };
		});
		expect(await attempt(1)).toBeInstanceOf(Error);
		expect(await attempt(2)).toMatchObject({ outcome: 'recorded' });
		expect(await names()).toEqual(['large', 'medium', 'small']);
		expect((await manifest()).failures).toBeUndefined();
	});
});

describe('an imaging process that dies', () => {
	it('over one variant takes no other along: the next attempt makes each on its own', async () => {
		const { attempt, manifest, names, pool } = await open((wanted) =>
			wanted.includes('medium') ? { dies: { code: 'imaging-process-died', before: 'medium', lastStep: 'decode' } } : {},
		);
		expect(await attempt(1)).toBeInstanceOf(Error);
		expect(await names()).toEqual(['large']);
		expect(await attempt(2)).toBeInstanceOf(Error);
		expect(await names()).toEqual(['large', 'small']);
		expect(await attempt(3)).toMatchObject({ failed: ['medium imaging-process-died'] });
		expect(pool.runs).toEqual([['large', 'medium', 'small', 'phash'], ['medium'], ['small'], ['phash'], ['medium']]);
		expect(await manifest()).toMatchObject({
			...{ state: 'ready', facts, analysis: { phash: '0123456789abcdef' } },
			failures: [{ variant: 'medium', class: 'internal', code: 'imaging-process-died', attempt: 3 }],
		});
	});

	it('over the file fails the picture; its facts are known all the same', async () => {
		const { attempt, manifest, pool } = await open(() => ({ dies: { code: 'imaging-process-died' } }));
		for (const number of [1, 2, 3]) expect(await attempt(number)).toBeInstanceOf(Error);
		expect(pool.runs).toHaveLength(3);
		const picture = await manifest();
		expect(picture).toMatchObject({
			state: 'failed',
			variants: [],
			facts,
			failure: { code: 'imaging-process-died', attempt: 3 },
		});
		expect(picture.failures).toBeUndefined();
	});
});

it('work that takes too long keeps what was made, and names the rest', async () => {
	const { attempt, manifest, names } = await open(() => ({
		dies: { code: 'picture-timeout', before: 'medium', lastStep: 'decode' },
	}));
	expect(await attempt(1)).toMatchObject({ outcome: 'recorded' });
	expect(await names()).toEqual(['large']);
	expect(await manifest()).toMatchObject({
		...{ state: 'ready', facts },
		failures: [{ variant: 'medium', class: 'limit', code: 'picture-timeout' }, { variant: 'small' }],
	});
	expect((await manifest()).analysisDigest).toBeUndefined();
});

it('a damaged picture is failed, whatever was made of it before the damage was met', async () => {
	const { attempt, manifest } = await open(() => ({
		dies: { code: 'corrupt-picture', before: 'medium', lastStep: 'decode' },
	}));
	expect(await attempt(1)).toBeInstanceOf(Error);
	const picture = await manifest();
	expect(picture).toMatchObject({ state: 'failed', variants: [], facts, failure: { class: 'corrupt' } });
	expect(picture.failures).toBeUndefined();
});

describe('a picture that lacks a variant', () => {
	it('is served without it, says why, and is retried alone', async () => {
		const folder = await temporaryFolder();
		const recipes = {
			shop: {
				analyse: ['phash'],
				variants: {
					marked: { steps: [{ watermark: { picture: 'logo.png', position: 'left top', scale: 0.5 } }], encode },
					small: { from: 'marked', steps: resize(30), encode },
					plain: { steps: resize(40), encode },
				},
			},
		};
		await writeFile(join(folder, 'recipes.json'), JSON.stringify({ recipes }));
		const api = await startTestApi({ PICPIPE_ASSETS: folder, PICPIPE_RECIPES: join(folder, 'recipes.json') });
		await api.startWorker();
		const body = form([['a.jpg', await photograph({ width: 120, height: 80 })]], ['recipe', 'shop']);
		const { id } = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', body }));
		const first = await untilFinished(api, id);
		expect(first).toMatchObject({
			state: 'ready',
			facts: { width: 120 },
			variants: [{ name: 'plain' }],
			failures: [
				{ variant: 'marked', class: 'unsupported', code: 'asset-missing' },
				{ variant: 'small', class: 'unsupported', code: 'asset-missing' },
			],
		});
		expect(first.analysis.phash).toMatch(/^[0-9a-f]{16}$/);

		const url = `${api.url}/v1/pictures/${id}`;
		for (const name of ['marked', 'marked.webp', 'small']) {
			const answer = await fetch(`${url}/variants/${name}`);
			expect([answer.status, (await json(answer)).code], name).toEqual([500, 'asset-missing']);
		}
		expect((await fetch(`${url}/variants/plain`)).status).toBe(200);

		const key = (await api.keys()).find((one) => one.includes('plain')) ?? expect.fail();
		const path = join(api.config.storage.replace(/^file:(\/\/)?/, ''), key);
		const before = await stat(path);
		const logo = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#f00' } })
			.png()
			.toBuffer();
		await writeFile(join(folder, 'logo.png'), logo);
		expect((await fetch(`${url}/retry`, { method: 'POST' })).status).toBe(202);
		const second = await untilFinished(api, id);
		expect(second.failures).toBeUndefined();
		expect(second.variants.map(({ name }: { name: string }) => name)).toEqual(['marked', 'small', 'plain']);
		expect((await stat(path)).mtimeMs).toBe(before.mtimeMs);
		const again = await fetch(`${url}/retry`, { method: 'POST' });
		expect([again.status, (await json(again)).code]).toEqual([409, 'not-failed']);
	});
});

describe('on demand', () => {
	const signed = { PICPIPE_DELIVERY_UNSIGNED: 'true' };

	it('every picture that can be decoded is served, also if none of its variants could be made', async () => {
		const api = await startTestApi({ ...signed, PICPIPE_INLINE_RECIPES: 'true', PICPIPE_MAX_OUTPUT_DIMENSION: '100' });
		await api.startWorker();
		const recipe = JSON.stringify({ analyse: ['phash'], variants: { large: { encode } } });
		const body = form([['a.jpg', await photograph({ width: 240, height: 160 })]], ['recipe', recipe]);
		const { id } = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', body }));
		const picture = await untilFinished(api, id);
		expect(picture).toMatchObject({
			...{ state: 'failed', variants: [], facts: { width: 240, height: 160 } },
			failure: { class: 'limit', code: 'output-too-large' },
			failures: [{ variant: 'large' }],
		});
		expect(picture.analysis.phash).toMatch(/^[0-9a-f]{16}$/);
		const answer = await fetch(`${api.url}/img/unsafe/rs:fit:30:30/plain/${id}@png`);
		expect(answer.status).toBe(200);
		expect(await sharp(Buffer.from(await answer.arrayBuffer())).metadata()).toMatchObject({ width: 30, height: 20 });
	});

	const cases = new URL('../../../shared/cases/', import.meta.url);
	it.skipIf(!existsSync(cases))('the shared cases are served as well as they can be', async () => {
		const api = await startTestApi(signed);
		await api.startWorker();
		const upload = async (name: string) => {
			const body = form([[name, await readFile(new URL(name, cases))]]);
			const { id } = await json(await fetch(`${api.url}/v1/pictures`, { method: 'POST', body }));
			return untilFinished(api, id, 60_000);
		};
		const tall = await upload('tall_790x20000.jpg');
		const sizes = tall.variants.map((one: Record<string, unknown>) => [one.name, one.width, one.height, !!one.limited]);
		expect([tall.state, tall.failures, sizes]).toEqual([
			'ready',
			undefined,
			[
				['large', 647, 16_383, true],
				['medium', 647, 16_383, true],
				['small', 400, 10_127, false],
				['thumb', 300, 300, false],
			],
		]);
		const answer = await fetch(`${api.url}/img/unsafe/rs:fit:200:200/plain/${tall.id}@png`);
		expect(await sharp(Buffer.from(await answer.arrayBuffer())).metadata()).toMatchObject({ width: 8, height: 200 });

		const clip = await upload('g_600_200x150.gif');
		expect([clip.state, clip.variants.map(({ name }: { name: string }) => name)]).toEqual([
			'ready',
			['large', 'medium', 'small'],
		]);
		expect(clip.failures).toMatchObject([{ variant: 'thumb', class: 'limit', code: 'output-too-large', step: 'plan' }]);
		expect(clip.failures[0].message).toContain('300 × 300 × 600 frames');
		const thumb = await fetch(`${api.url}/v1/pictures/${clip.id}/variants/thumb`);
		expect([thumb.status, (await json(thumb)).code]).toEqual([422, 'output-too-large']);
	});
});

import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { PicpipeError, toPicpipeError } from '../errors.ts';
import { prepareSharp } from '../pipeline/inspect/sharp-input.ts';
import { openPages } from '../pipeline/plan/open-pages.ts';
import { runPipeline } from '../pipeline/render/run.ts';
import { type AssetCache, openAssetCache } from './asset-cache.ts';
import {
	type AssetFile,
	type FromImaging,
	type ImagingSettings,
	type ProcessTask,
	packError,
	packResult,
	type ToImaging,
} from './protocol.ts';
import { openSourceCache } from './source-cache.ts';

/**
 * The program of an imaging process: the only place where untrusted pixels are decoded. It processes one picture at a time, reads
 * files that the worker names, and sends every result to the worker, which stores it. It has no access to storage or Redis.
 */

let settings: ImagingSettings | undefined;
let assetCache: AssetCache | undefined;
let sourceCache: ReturnType<typeof openSourceCache>;
let go: ((concurrency: number) => void) | undefined;

process.on('message', (message: ToImaging) => {
	switch (message.kind) {
		case 'settings':
			settings = message.settings;
			sourceCache = openSourceCache(settings.keptMegabytes);
			assetCache = openAssetCache(readAsset, settings.limits);
			prepareSharp({ threads: settings.sharpThreads, takesSvg: settings.limits.svg !== undefined });
			send({ kind: 'ready' });
			return;
		case 'task':
			void work(message.task);
			return;
		case 'go':
			go?.(message.concurrency);
	}
});

// Without its worker there is no receiver for the results. A plain exit would wait for libvips to finish its current work.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));

preferToBeKilled();

async function work(task: ProcessTask): Promise<void> {
	if (task.path === undefined && !sourceCache?.has(task.sha256)) return send({ kind: 'evicted' });
	try {
		const result = await image(task);
		send({ kind: 'done', result: packResult(result), residentBytes: process.memoryUsage.rss() });
	} catch (error) {
		send({ kind: 'failed', error: packError(toPicpipeError(error)), residentBytes: process.memoryUsage.rss() });
	}
	setImmediate(freePixels);
}

/** Pictures between two full collections. Each takes about 10 ms, so a picture's share is a third of a millisecond. */
const picturesBetweenCollections = 32;
let picturesSinceCollection = 0;

/**
 * The data of a finished picture is young garbage, which is collected at once in less than a millisecond. Pixels that survive two such
 * collections would stay until V8 has counted another 64 MB of them. A V8 flag provides `gc` (`engineFlags`).
 */
function freePixels(): void {
	const isDue = ++picturesSinceCollection >= picturesBetweenCollections;
	if (isDue) picturesSinceCollection = 0;
	globalThis.gc?.({ type: isDue ? 'major' : 'minor' });
}

async function image(task: ProcessTask) {
	const { sha256, recipe } = task;
	if (!settings || !assetCache) throw new Error('A task arrived before the settings.');
	const { limits } = settings;
	const cache = task.isCached ? sourceCache : undefined;
	const known = cache?.get(sha256);
	const file = known?.file ?? (await readOriginal(task));
	send({ kind: 'read' });
	const { picture, further, levels, failures, megapixels } = await openPages(file, recipe, limits, known?.picture);
	const opened = await assetCache.open(task.assets);
	const admitted = new Promise<number>((resolve) => {
		go = resolve;
	});
	send({ kind: 'inspected', megapixels: megapixels + opened.megapixels, facts: picture.facts });
	const concurrency = await admitted;
	const { assets, failed } = await opened.decode();
	const wanted = cache && { intermediate: { cached: known?.intermediate } };
	const { intermediate = known?.intermediate, ...result } = await runPipeline(
		{ file, sha256, picture, further, recipe, levels, failures, assets, failedAssets: failed, concurrency, ...wanted },
		{
			onStep: (event) => send({ kind: 'step', event }),
			onVariant: (output) => send({ kind: 'variant', output }),
		},
	);
	cache?.set(sha256, { file, picture, intermediate });
	return result;
}

/** @throws PicpipeError `original-missing` or `original-changed`: variants must be made from the accepted bytes only */
async function readOriginal({ path, sha256, bytes }: ProcessTask): Promise<Buffer> {
	const file = path === undefined ? undefined : await readIfPresent(path);
	if (!file) throw new PicpipeError('original-missing', undefined, { step: 'read' });
	if (file.length !== bytes) {
		const detail = `Expected an original of ${bytes} bytes but the storage holds ${file.length}.`;
		throw new PicpipeError('original-changed', detail, { step: 'read' });
	}
	if (createHash('sha256').update(file).digest('hex') !== sha256) {
		throw new PicpipeError('original-changed', undefined, { step: 'read' });
	}
	return file;
}

/** @throws PicpipeError `asset-missing`; `asset-changed`, after which the asset is looked up again */
async function readAsset({ path, sha256 }: AssetFile): Promise<Buffer> {
	const file = await readIfPresent(path);
	if (!file) throw new PicpipeError('asset-missing');
	if (createHash('sha256').update(file).digest('hex') !== sha256) throw new PicpipeError('asset-changed');
	return file;
}

async function readIfPresent(path: string): Promise<Buffer | undefined> {
	return readFile(path).catch((error) => {
		if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
		throw error;
	});
}

function send(message: FromImaging): void {
	process.send?.(message);
}

/** When memory runs out, the kernel should kill this process instead of the worker, Redis or another program (proc(5), Linux only). */
function preferToBeKilled(): void {
	try {
		writeFileSync('/proc/self/oom_score_adj', '500');
	} catch {
		// No such file, or not permitted: the kernel decides by its own rules.
	}
}

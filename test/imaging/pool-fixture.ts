import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { pino } from 'pino';
import {
	type ImagingPool,
	type ImagingPoolOptions,
	type ImagingResult,
	type ImagingTask,
	type StepEvent,
	startImagingPool,
	type VariantOutput,
} from '../../src/imaging/scheduler.ts';
import { openScratch } from '../../src/imaging/scratch.ts';
import { openSourceFiles } from '../../src/imaging/source-files.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { openStorage } from '../../src/storage/index.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { remoteStorage } from '../helpers/remote-storage.ts';

/** A pool over a storage in a temporary folder. */
export interface PoolFixture {
	readonly pool: ImagingPool;
	readonly storage: Storage;
	/** Keys of the objects that were opened; of a remote storage alone. */
	readonly gets: readonly string[];
	/** What the pool logged. */
	readonly logged: readonly Readonly<Record<string, unknown>>[];
	/** Stores an original and describes the work on it. @param recipe as written; a 400 wide WebP when absent */
	task(file: Buffer, recipe?: unknown): Promise<ImagingTask & { readonly key: string }>;
	/** Runs a task and keeps what it makes. */
	run(task: ImagingTask): Work;
	stop(): Promise<void>;
}

interface Work {
	readonly result: Promise<ImagingResult>;
	readonly steps: readonly StepEvent[];
	readonly outputs: readonly VariantOutput[];
}

const small = { variants: { small: { steps: [{ resize: { width: 400 } }], encode: [{ webp: {} }] } } };

/** Seconds of work for a child: AVIF with the greatest effort. And a PNG, so that decoding is a step of its own. */
export const slow = {
	variants: {
		slow: {
			steps: [{ resize: { width: 1600 } }],
			encode: [{ avif: { effort: 9, quality: 90 } }, { png: {} }],
		},
	},
};

type Options = Partial<ImagingPoolOptions> & {
	/** Size of the scratch folder for a storage on other machines, million bytes; the storage is a folder if absent. */
	readonly scratchMegabytes?: number;
};

export async function startPool({ scratchMegabytes, ...options }: Options = {}): Promise<PoolFixture> {
	const folder = await mkdtemp(join(tmpdir(), 'picpipe-pool-'));
	const remote = scratchMegabytes === undefined ? undefined : remoteStorage(join(folder, 'storage'));
	const storage = remote?.storage ?? openStorage(`file:${folder}`);
	const logged: Record<string, unknown>[] = [];
	const sink = new Writable({
		write(chunk, _encoding, done) {
			logged.push(JSON.parse(String(chunk)));
			done();
		},
	});
	const log = pino({ level: 'debug' }, sink);
	const scratchFolder = join(folder, 'scratch');
	const scratch =
		remote && (await openScratch(storage, { folder: scratchFolder, megabytes: scratchMegabytes ?? 0, log }));
	const pool = startImagingPool({
		processes: 2,
		sharpThreads: 1,
		megapixelsInFlight: 100,
		imagingMegabytes: 1_024,
		imagingPictures: 150,
		keptMegabytes: 128,
		pictureSeconds: 30,
		files: openSourceFiles(storage, scratch),
		limits: { maxMegapixels: 50, maxDimension: 30_000, maxFrames: 1_000, maxOutputDimension: 30_000 },
		log,
		...options,
	});
	let count = 0;
	return {
		pool,
		storage,
		gets: remote?.gets ?? [],
		logged,
		async task(file, recipe = small) {
			const key = `pictures/original-${++count}.bin`;
			await storage.put(key, file);
			return {
				key,
				bytes: file.length,
				sha256: createHash('sha256').update(file).digest('hex'),
				recipe: parseRecipe('test', recipe).definition,
			};
		},
		run(task) {
			const steps: StepEvent[] = [];
			const outputs: VariantOutput[] = [];
			const result = pool.run(task, {
				onStep: (event) => void steps.push(event),
				onVariant: (output) => void outputs.push(output),
			});
			// Tests look at it later; until then a failure is not unhandled.
			result.catch(() => {});
			return { result, steps, outputs };
		},
		async stop() {
			await pool.stop();
			await scratch?.close();
			await rm(folder, { recursive: true });
		},
	};
}

/** Waits until a condition holds. */
export async function until(what: string, holds: () => boolean, milliseconds = 20_000): Promise<void> {
	const end = Date.now() + milliseconds;
	while (!holds()) {
		if (Date.now() > end) throw new Error(`Not within ${milliseconds} ms: ${what}.`);
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

export function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
}

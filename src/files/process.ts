import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Recipe } from '../domain/recipe.ts';
import { PicpipeError, toPicpipeError } from '../errors.ts';
import type { ImagingPool, ImagingTask, VariantFailure, VariantOutput } from '../imaging/scheduler.ts';
import type { FoundFile } from './find.ts';

/** The result of one file. */
export interface FileResult {
	readonly file: FoundFile;
	readonly milliseconds: number;
	/** Size of the original in bytes. */
	readonly before: number;
	readonly written: readonly WrittenFile[];
	/** Variants that could not be made. */
	readonly failures: readonly VariantFailure[];
	/** Why nothing could be made, or not all of it could be written. */
	readonly error?: PicpipeError;
}

interface WrittenFile {
	readonly path: string;
	/** Size in bytes. */
	readonly bytes: number;
	/** Why the file is less than its recipe asks for. */
	readonly limited?: string;
}

export interface ProcessFilesOptions {
	readonly recipe: Recipe;
	/** The assets that the recipe uses. */
	readonly assets?: ImagingTask['assets'];
	/** Folder for the variants; created if it does not exist. */
	readonly out: string;
	/** Largest original, bytes. */
	readonly maxBytes: number;
	/** Files in progress at the same time: a few more than imaging processes, so that reading and writing overlap with imaging. */
	readonly parallel: number;
	readonly onResult: (result: FileResult) => void;
}

/**
 * Makes a recipe's variants of files on this machine, without a queue or server. It uses the same imaging processes and gives the same
 * results. A failed file does not stop the others.
 */
export async function processFiles(
	files: readonly FoundFile[],
	pool: ImagingPool,
	options: ProcessFilesOptions,
): Promise<readonly FileResult[]> {
	const results: FileResult[] = [];
	const waiting = files.values();
	const work = async () => {
		for (const file of waiting) {
			const result = await processFile(file, pool, options);
			results.push(result);
			options.onResult(result);
		}
	};
	await Promise.all(Array.from({ length: options.parallel }, work));
	return results;
}

async function processFile(file: FoundFile, pool: ImagingPool, options: ProcessFilesOptions): Promise<FileResult> {
	const started = performance.now();
	const writing: Promise<WrittenFile>[] = [];
	let before = 0;
	let failures: readonly VariantFailure[] = [];
	let error: PicpipeError | undefined;
	try {
		before = (await stat(file.path)).size;
		if (before === 0) throw new PicpipeError('empty-file');
		if (before > options.maxBytes) {
			throw new PicpipeError(
				'file-too-large',
				`Expected at most ${options.maxBytes} bytes but the file has ${before}.`,
			);
		}
		const task = {
			path: file.path,
			bytes: before,
			sha256: await digestOf(file.path),
			recipe: options.recipe,
			...(options.assets && { assets: options.assets }),
		};
		const result = await pool.run(task, {
			onStep() {},
			onVariant(output) {
				const written = write(join(options.out, `${file.stem}-${output.name}.${output.extension}`), output);
				// Awaited below with the others. Until then a failure must not count as unhandled.
				written.catch(() => {});
				writing.push(written);
			},
		});
		await Promise.all(writing);
		failures = result.failures;
		// One error is enough where nothing was made.
		if (writing.length === 0 && failures[0]) throw failures[0].error;
	} catch (thrown) {
		error = toPicpipeError(thrown);
	}
	const settled = await Promise.allSettled(writing);
	return {
		file,
		before,
		written: settled.flatMap((one) => (one.status === 'fulfilled' ? one.value : [])),
		milliseconds: performance.now() - started,
		failures: error ? [] : failures,
		...(error && { error }),
	};
}

async function digestOf(path: string): Promise<string> {
	const hash = createHash('sha256');
	await pipeline(createReadStream(path), hash);
	return hash.digest('hex');
}

/** Written completely or not at all: first under a temporary name. */
async function write(path: string, { data, limited }: VariantOutput): Promise<WrittenFile> {
	await mkdir(dirname(path), { recursive: true });
	const temporary = join(dirname(path), `.${randomUUID()}.tmp`);
	try {
		await writeFile(temporary, data);
		await rename(temporary, path);
	} catch (error) {
		await rm(temporary, { force: true });
		throw error;
	}
	return { path, bytes: data.length, ...(limited && { limited: limited.message }) };
}

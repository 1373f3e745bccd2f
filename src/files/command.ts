import type { Recipe } from '../domain/recipe.ts';
import type { ImagingPool } from '../imaging/scheduler.ts';
import { findPictures } from './find.ts';
import { type FileResult, type ProcessFilesOptions, processFiles } from './process.ts';
import { nextSteps, progressLine, summary } from './summary.ts';

export interface ProcessCommand {
	readonly paths: readonly string[];
	readonly recipe: Recipe;
	/** The assets that the recipe uses. */
	readonly assets: ProcessFilesOptions['assets'];
	/** Folder for the results. */
	readonly out: string;
	/** Whether SVG files in folders are processed. A named SVG file is always processed, so that its refusal is reported. */
	readonly takesSvg: boolean;
	/** Largest original, bytes. */
	readonly maxBytes: number;
	/** Number of imaging processes. A few more files are in progress, so that reading and writing overlap with imaging. */
	readonly imagingProcesses: number;
	/** Starts the imaging processes, once there are files to process. */
	startPool(): ImagingPool;
}

/** Files in progress beyond those in imaging processes. */
const filesAhead = 2;

/**
 * `picpipe process`: shows progress on standard error, then prints the table on standard output.
 *
 * @returns the exit code: 0 all succeeded, 1 some failed or lack variants
 * @throws PicpipeError `no-file`
 */
export async function runProcessCommand(command: ProcessCommand): Promise<number> {
	const started = performance.now();
	const files = await findPictures(command.paths, (format) => format !== 'svg' || command.takesSvg, command.out);
	const pool = command.startPool();
	let done = 0;
	try {
		const results = await processFiles(files, pool, {
			recipe: command.recipe,
			...(command.assets && { assets: command.assets }),
			out: command.out,
			maxBytes: command.maxBytes,
			parallel: command.imagingProcesses + filesAhead,
			onResult: (result) => showProgress(++done, files.length, result),
		});
		if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
		process.stdout.write(summary(results, (performance.now() - started) / 1_000));
		process.stderr.write(
			nextSteps(results.flatMap(({ error, failures }) => error ?? failures.map((one) => one.error))),
		);
		return results.some(({ error, failures }) => error || failures.length > 0) ? 1 : 0;
	} finally {
		await pool.stop();
	}
}

function showProgress(done: number, total: number, { file, error }: FileResult): void {
	const { stderr } = process;
	if (stderr.isTTY) stderr.write(`\r\x1b[K${progressLine(done, total, file.path, stderr.columns)}`);
	else stderr.write(`${done}/${total} ${error ? 'failed' : 'done'} ${file.path}\n`);
}

import { type Dirent, existsSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { PicpipeError } from '../errors.ts';
import { type InputFormat, sniffFormat } from '../pipeline/inspect/sniff.ts';

/** A picture on this machine, and the name of its results. */
export interface FoundFile {
	readonly path: string;
	/** Path below the output folder without variant and extension, such as `holiday/beach`. */
	readonly stem: string;
}

/** Bytes that identify a picture. */
const headBytes = 4_096;

/** Are pictures of this format processed? */
export type IsTaken = (format: InputFormat) => boolean;

/**
 * Returns the named files, and every file below the named folders that begins like a picture. A named file is always included, so that a
 * file that is no picture is reported and not skipped.
 *
 * @param out folder of the results; skipped, so that a run does not process earlier results
 * @throws PicpipeError `no-file` if a path does not exist, or if there is no picture at all
 */
export async function findPictures(
	paths: readonly string[],
	isTaken: IsTaken = () => true,
	out?: string,
): Promise<readonly FoundFile[]> {
	const found: { path: string; below: string }[] = [];
	const isResult = (file: string) => out !== undefined && resolve(file).startsWith(resolve(out) + sep);
	for (const path of paths) {
		if (!existsSync(path)) throw new PicpipeError('no-file', `Expected a file or folder but ${path} does not exist.`);
		if (!(await stat(path)).isDirectory()) found.push({ path, below: basename(path) });
		else {
			// A named folder of results is processed on purpose.
			const passesOver = !isResult(join(path, 'any'));
			for (const file of await filesBelow(path)) {
				if (passesOver && isResult(file)) continue;
				if (await isPicture(file, isTaken)) found.push({ path: file, below: relative(path, file) });
			}
		}
	}
	if (found.length === 0) throw new PicpipeError('no-file', `Expected pictures but found none in ${paths.join(', ')}.`);
	return withStems(found);
}

async function filesBelow(folder: string): Promise<string[]> {
	const entries: Dirent[] = await readdir(folder, { withFileTypes: true, recursive: true });
	return entries
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name))
		.sort();
}

async function isPicture(path: string, isTaken: IsTaken): Promise<boolean> {
	const file = await open(path, 'r');
	try {
		const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
		const format = sniffFormat(buffer.subarray(0, bytesRead));
		return format !== undefined && isTaken(format);
	} finally {
		await file.close();
	}
}

/** `a.jpg` becomes `a`. If there is also an `a.png`, both keep their extension, because one would overwrite the other. */
function withStems(found: readonly { path: string; below: string }[]): FoundFile[] {
	const plain = ({ below }: { below: string }) => join(dirname(below), basename(below, extname(below)));
	const uses = new Map<string, number>();
	for (const file of found) uses.set(plain(file), (uses.get(plain(file)) ?? 0) + 1);
	const taken = new Map<string, number>();
	return found.map((file) => {
		const wanted = (uses.get(plain(file)) ?? 0) > 1 ? file.below : plain(file);
		const count = (taken.get(wanted) ?? 0) + 1;
		taken.set(wanted, count);
		return { path: file.path, stem: count > 1 ? `${wanted}-${count}` : wanted };
	});
}

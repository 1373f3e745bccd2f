import { type Dirent, existsSync } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, resolve, sep } from 'node:path';
import { PicpipeError } from '../errors.ts';
import { type InputFormat, sniffFormat } from '../pipeline/inspect/sniff.ts';

/** A picture on this machine, and what the files made of it are called. */
export interface FoundFile {
	readonly path: string;
	/** Path below the output folder without variant and extension, such as `holiday/beach`. */
	readonly stem: string;
}

/** Bytes that tell a picture from other files. */
const headBytes = 4_096;

/** Is a picture that begins like this one taken? */
export type IsTaken = (format: InputFormat) => boolean;

/**
 * The files named, and in folders every file that begins like a picture, however deep. A file that was named is taken as it
 * is, so that one which is no picture is told and not passed over.
 *
 * @param out where results go: what lies there is passed over, or each run would make more of what the last has made
 * @throws PicpipeError `no-file` for a path that isn't there, or when there is no picture at all
 */
export async function findPictures(
	paths: readonly string[],
	isTaken: IsTaken = () => true,
	out?: string,
): Promise<readonly FoundFile[]> {
	const found: { path: string; below: string }[] = [];
	const isResult = (file: string) => out !== undefined && resolve(file).startsWith(resolve(out) + sep);
	for (const path of paths) {
		if (!existsSync(path)) throw new PicpipeError('no-file', `Expected a file or folder but there is no ${path}.`);
		if (!(await stat(path)).isDirectory()) found.push({ path, below: basename(path) });
		else {
			// A folder of results that is named is meant.
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

/** `a.jpg` becomes `a`; where there is an `a.png` too both keep their extension, or one would overwrite the other. */
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

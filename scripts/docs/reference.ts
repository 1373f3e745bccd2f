import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configurationPage } from './configuration.ts';
import { errorsPage } from './errors.ts';
import { differenceOf, picturesFolder } from './example-pictures.ts';
import { httpPage } from './http.ts';
import { operationsPage } from './operations.ts';
import { queuesPage } from './queues.ts';
import { recipesPage } from './recipes.ts';
import { webhooksPage } from './webhooks.ts';

/** Every page, by its file in docs/reference. */
const pages: Readonly<Record<string, () => string | Promise<string>>> = {
	'configuration.md': configurationPage,
	'errors.md': errorsPage,
	'http.md': httpPage,
	'operations.md': operationsPage,
	'queues.md': queuesPage,
	'recipes.md': recipesPage,
	'webhooks.md': webhooksPage,
};

/**
 * Writes or checks the reference.
 *
 * @param options as of the command line (`scripts/docs.ts`)
 * @param drawPictures makes the pictures of the examples by name; takes about ten seconds
 * @returns the exit code, and the text for standard error
 */
export async function makeReference(
	options: readonly string[],
	drawPictures: () => Promise<ReadonlyMap<string, Buffer>>,
): Promise<{ readonly code: number; readonly stderr: string }> {
	const isCheck = options.includes('--check');
	const given = options.find((option) => option !== '--check');
	const folder = given ?? fileURLToPath(new URL('../../docs/reference', import.meta.url));
	const pictures = await drawPictures();
	const stale = [
		...(await renewPages(folder, isCheck)),
		...(await renewPictures(folder, pictures, isCheck)),
		...(await removeOthers(folder, [...pictures.keys()], isCheck)),
	];
	if (!isCheck || stale.length === 0) return { code: 0, stderr: '' };
	const problems = stale.map((one) => `docs/reference/${one}\n`);
	return { code: 1, stderr: `${problems.join('')}Run \`npm run docs\` and commit what it changes.\n` };
}

async function renewPages(folder: string, isCheck: boolean): Promise<string[]> {
	await mkdir(folder, { recursive: true });
	const stale: string[] = [];
	for (const [name, make] of Object.entries(pages)) {
		const wanted = await make();
		const found = await readFile(join(folder, name), 'utf8').catch(() => undefined);
		if (found === wanted) continue;
		stale.push(`${name} ${found === undefined ? 'is missing' : 'is stale'}`);
		if (!isCheck) await writeFile(join(folder, name), wanted);
	}
	return stale;
}

async function renewPictures(
	folder: string,
	pictures: ReadonlyMap<string, Buffer>,
	isCheck: boolean,
): Promise<string[]> {
	await mkdir(join(folder, picturesFolder), { recursive: true });
	const stale: string[] = [];
	for (const [name, made] of pictures) {
		const path = join(folder, picturesFolder, name);
		const found = await readFile(path).catch(() => undefined);
		const problem = found ? await differenceOf(name, found, made) : 'is missing';
		// An equal-looking picture stays, because every machine would write a slightly different one.
		if (!problem) continue;
		stale.push(`${picturesFolder}/${name} ${problem}`);
		if (!isCheck) await writeFile(path, made);
	}
	return stale;
}

async function removeOthers(folder: string, pictures: readonly string[], isCheck: boolean): Promise<string[]> {
	const made = new Set([...Object.keys(pages), ...pictures.map((name) => `${picturesFolder}/${name}`)]);
	const stale: string[] = [];
	for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
		const name = relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/');
		if (entry.isDirectory() || made.has(name)) continue;
		stale.push(`${name} is not made by scripts/docs.ts`);
		if (!isCheck) await rm(join(folder, name));
	}
	return stale;
}

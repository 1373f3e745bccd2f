/**
 * Writes the reference pages and their pictures from the code, so that they can't say anything else than what the code does.
 *
 *   node --import tsx scripts/docs.ts [folder]           writes docs/reference, or to another folder
 *   node --import tsx scripts/docs.ts --check [folder]   changes nothing; exits 1 and names the pages that are not what they should be
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configurationPage } from './docs/configuration.ts';
import { errorsPage } from './docs/errors.ts';
import { differenceOf, examplePictures, picturesFolder } from './docs/example-pictures.ts';
import { httpPage } from './docs/http.ts';
import { operationsPage } from './docs/operations.ts';
import { queuesPage } from './docs/queues.ts';
import { recipesPage } from './docs/recipes.ts';
import { webhooksPage } from './docs/webhooks.ts';

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

const [given] = process.argv.slice(2).filter((argument) => argument !== '--check');
const folder = given ?? fileURLToPath(new URL('../docs/reference', import.meta.url));
const isCheck = process.argv.includes('--check');

await mkdir(folder, { recursive: true });
const stale: string[] = [];
for (const [name, make] of Object.entries(pages)) {
	const wanted = await make();
	const found = await readFile(join(folder, name), 'utf8').catch(() => undefined);
	if (found === wanted) continue;
	if (isCheck) stale.push(`docs/reference/${name} ${found === undefined ? 'is missing' : 'is stale'}`);
	else await writeFile(join(folder, name), wanted);
}
await mkdir(join(folder, picturesFolder), { recursive: true });
const pictures = await examplePictures();
for (const [name, made] of pictures) {
	const path = join(folder, picturesFolder, name);
	const found = await readFile(path).catch(() => undefined);
	const problem = found ? await differenceOf(name, found, made) : 'is missing';
	// One that shows the same stays, or each machine would write its own.
	if (!problem) continue;
	if (isCheck) stale.push(`docs/reference/${picturesFolder}/${name} ${problem}`);
	else await writeFile(path, made);
}

const made = new Set([...Object.keys(pages), ...[...pictures.keys()].map((name) => `${picturesFolder}/${name}`)]);
for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
	const name = relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/');
	if (entry.isDirectory() || made.has(name)) continue;
	if (isCheck) stale.push(`docs/reference/${name} is not made by scripts/docs.ts`);
	else await rm(join(folder, name));
}

if (stale.length > 0) {
	process.stderr.write(`${stale.join('\n')}\nRun \`npm run docs\` and commit what it changes.\n`);
	process.exit(1);
}

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { directWeb } from './engine-jobs.mjs';

/**
 * The reference for picpipe: the recipe `web` written by hand for sharp, as fast as we could make it. One thread, one decode with
 * shrink-on-load, raw pixels from size to size, results written as plain files.
 */
sharp.concurrency(1);
sharp.cache(false);

process.on('message', async ({ file, folder }) => {
	const made = await directWeb(await readFile(file));
	await mkdir(folder, { recursive: true });
	for (const [at, bytes] of made.entries()) await writeFile(join(folder, String(at)), bytes);
	process.send('done');
});

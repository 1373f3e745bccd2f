import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { directWeb } from './engine-jobs.mjs';

/**
 * What picpipe is measured against: the recipe `web` written by hand for sharp, as fast as we know how. One thread, one
 * decode that shrinks while it loads, raw pixels from size to size, files written as plain files.
 */
sharp.concurrency(1);
sharp.cache(false);

process.on('message', async ({ file, folder }) => {
	const made = await directWeb(await readFile(file));
	await mkdir(folder, { recursive: true });
	for (const [at, bytes] of made.entries()) await writeFile(join(folder, String(at)), bytes);
	process.send('done');
});

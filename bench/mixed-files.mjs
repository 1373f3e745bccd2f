import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tsImport } from 'tsx/esm/api';

/** Creates files of all accepted sizes and formats. @returns their paths */
export async function makeMixedFiles(target, count) {
	const { photograph } = await tsImport('../test/helpers/pictures.ts', import.meta.url);
	await mkdir(target, { recursive: true });
	const made = await Promise.all([
		photograph({ width: 4000, height: 3000 }),
		photograph({ width: 2400, height: 1800, orientation: 6 }),
		photograph({ width: 1600, height: 1200, icc: 'p3' }),
		photograph({ width: 1280, height: 960, progressive: true }),
		photograph({ width: 1200, height: 900, format: 'webp' }),
		photograph({ width: 1000, height: 750, format: 'png' }),
		photograph({ width: 800, height: 600, format: 'avif' }),
		photograph({ width: 640, height: 480, format: 'tiff' }),
		photograph({ width: 400, height: 300, format: 'gif' }),
		photograph({ width: 200, height: 150 }),
	]);
	const files = Array.from({ length: count }, (_, at) => join(target, `${at}`));
	for (const [at, file] of files.entries()) await writeFile(file, made[at % made.length]);
	return files;
}

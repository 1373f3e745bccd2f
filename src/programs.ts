import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Where things lie: the source keeps a module in each file, the build puts what a program needs into a few (`scripts/bundle.mjs`), so that no
 * module can tell from its own place where another file is.
 */

/** The folder with package.json, which has `web` and `examples` in it. */
export const packageFolder = findPackage(dirname(fileURLToPath(import.meta.url)));

/** What runs in a process of its own, and its source. */
const programs = {
	cli: 'src/cli/index.ts',
	'redis-keeper': 'src/supervisor/redis-keeper.ts',
	'imaging-process': 'src/imaging/child-main.ts',
} as const;

/** The name of a program. */
export type ProgramName = keyof typeof programs;

/** A program for `fork`, and the flags that Node.js needs for it: as source when this runs from source, else as it was built. */
export function programOf(name: ProgramName): { readonly path: string; readonly flags: readonly string[] } {
	return import.meta.url.endsWith('.ts')
		? { path: join(packageFolder, programs[name]), flags: ['--import', sourceLoader()] }
		: { path: join(packageFolder, 'dist/bin', `${name}.js`), flags: [] };
}

function findPackage(folder: string): string {
	if (existsSync(join(folder, 'package.json'))) return folder;
	const above = dirname(folder);
	if (above === folder) throw new Error('Expected package.json in a folder above this module.');
	return findPackage(above);
}

/** tsx, as a URL: a bare name would be looked up from the working directory. */
function sourceLoader(): string {
	return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
}

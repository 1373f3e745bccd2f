import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Finds other files of the package. In the source every module is a file; the build bundles each program into a few files
 * (`scripts/bundle.mjs`), so a module cannot derive another file's path from its own.
 */

/** The folder with package.json, which contains `web` and `examples`. */
export const packageFolder = findPackage(dirname(fileURLToPath(import.meta.url)));

/** Programs that run in a process of their own, and their source files. */
const programs = {
	cli: 'src/cli/index.ts',
	'redis-keeper': 'src/supervisor/redis-keeper.ts',
	'imaging-process': 'src/imaging/child-main.ts',
} as const;

/** The name of a program. */
export type ProgramName = keyof typeof programs;

/** A program for `fork`, with the flags that Node.js needs for it: the source if this process runs from source, otherwise the build. */
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

/** tsx as a URL: a bare name would be resolved from the working directory. */
function sourceLoader(): string {
	return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
}

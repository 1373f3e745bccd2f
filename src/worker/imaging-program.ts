import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The program of an imaging process, and the flags that Node.js needs for it: the one beside this file, TypeScript when run from source, JavaScript when built. */
export function imagingProgram(): { readonly path: string; readonly flags: readonly string[] } {
	const extension = extname(fileURLToPath(import.meta.url));
	const path = fileURLToPath(new URL(`./imaging-process${extension}`, import.meta.url));
	return { path, flags: extension === '.ts' ? ['--import', sourceLoader()] : [] };
}

/** tsx, as a URL: a bare name would be looked up from the working directory. */
function sourceLoader(): string {
	return pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
}

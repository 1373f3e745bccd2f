/**
 * Prints the measures of the source's layout beside the goals of docs/decisions/0059-layout.md:
 *
 *   node --import tsx scripts/house.ts           the table
 *   node --import tsx scripts/house.ts --list    the table, and which files and names are behind it
 *   node --import tsx scripts/house.ts --check   fails where a goal is missed
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A file of `src`, read once. */
interface SourceFile {
	/** Relative to `src`. */
	readonly path: string;
	readonly lines: number;
	/** The files of `src` that it imports, relative to `src`. */
	readonly imports: readonly string[];
	/** The names that it declares and exports; re-exported names do not count. */
	readonly exports: readonly string[];
	/** Whether its code names `sampleOperation`. */
	readonly namesSample: boolean;
}

interface Measure {
	readonly name: string;
	readonly value: number;
	readonly goal: number;
	/** The files and names behind the value. */
	readonly list: readonly string[];
}

/** A file with at most this many lines and a single importer usually belongs into its importer. */
const crumbLines = 70;

/** Folders whose files are values in a list: each file has one importer by design. */
const lists = /^(operations|pipeline\/(encoders|analysis))\//;

/** An operation that all three dialects offer. Its name occurs in no other code, so the files that name it are those that an operation takes. */
const sampleOperation = /\bblur\b/;

const importPattern = /(?:from\s+|import\s*\(\s*|import\s+)'(\.[^']+)'/g;
const exportPattern =
	/^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type|enum) (\w+)/gm;

const source = fileURLToPath(new URL('../src', import.meta.url));
const measures = measure(readFiles());
print(measures);
if (process.argv.includes('--check') && measures.some(({ value, goal }) => value > goal)) process.exitCode = 1;

function readFiles(): readonly SourceFile[] {
	const entries = readdirSync(source, { recursive: true, withFileTypes: true });
	return entries
		.filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
		.map((entry) => {
			const path = relative(source, join(entry.parentPath, entry.name));
			const text = readFileSync(join(source, path), 'utf8');
			return {
				path,
				lines: text.split('\n').length - 1,
				imports: [...text.matchAll(importPattern)].map(([, to]) => normalize(join(dirname(path), to ?? ''))),
				exports: [...text.matchAll(exportPattern)].map(([, name]) => name ?? ''),
				namesSample: sampleOperation.test(withoutComments(text)),
			};
		});
}

/** Comments only at the start of a line, which is where this code has its longer ones. */
function withoutComments(text: string): string {
	return text.replaceAll(/^\s*(?:\/\/|\/?\*).*$/gm, '');
}

function measure(files: readonly SourceFile[]): readonly Measure[] {
	const importers = group(files.flatMap(({ path, imports }) => [...new Set(imports)].map((to) => [to, path] as const)));
	const folders = group(files.map(({ path }) => [dirname(path), path] as const));
	const declared = group(files.flatMap(({ path, exports }) => exports.map((name) => [name, path] as const)));
	const crumbs = files.filter(
		({ path, lines }) => lines <= crumbLines && importers.get(path)?.length === 1 && !lists.test(path),
	);
	const fullest = largest(
		[...folders].filter(([folder]) => folder !== 'operations'),
		([, inside]) => inside.length,
	);
	const longest = largest(
		files.filter(({ path }) => basename(path) !== 'routes.ts'),
		({ lines }) => lines,
	);
	const touched = files.filter(({ namesSample }) => namesSample);
	const double = [...declared].filter(([, places]) => places.length > 1);
	return [
		{ name: 'files in src', value: files.length, goal: 480, list: [] },
		{
			name: `files of ${crumbLines} lines or fewer with one importer (operations, encoders, analysis apart)`,
			value: crumbs.length,
			goal: 30,
			list: crumbs.map(({ path, lines }) => `${path} (${lines} lines), imported by ${importers.get(path)?.[0]}`),
		},
		{
			name: 'most files directly in one folder (operations apart)',
			value: fullest[1].length,
			goal: 16,
			list: [fullest[0]],
		},
		{ name: 'lines of the largest file (routes.ts apart)', value: longest.lines, goal: 320, list: [longest.path] },
		{
			name: 'files to touch to offer an operation in all three dialects, as for blur',
			value: touched.length,
			goal: 5,
			list: touched.map(({ path }) => path),
		},
		{
			name: 'exported names declared in more than one file',
			value: double.length,
			goal: 10,
			list: double.map(([name, places]) => `${name}: ${places.join(', ')}`),
		},
	];
}

function group<Key, Value>(pairs: readonly (readonly [Key, Value])[]): Map<Key, Value[]> {
	const groups = new Map<Key, Value[]>();
	for (const [key, value] of pairs) groups.set(key, [...(groups.get(key) ?? []), value]);
	return groups;
}

function largest<T>(values: readonly T[], size: (value: T) => number): T {
	return values.reduce((best, value) => (size(value) > size(best) ? value : best));
}

function print(all: readonly Measure[]): void {
	const width = Math.max(...all.map(({ name }) => name.length));
	const line = (name: string, now: string | number, goal: string | number) =>
		process.stdout.write(`${name.padEnd(width)}  ${String(now).padStart(5)}  ${String(goal).padStart(5)}\n`);
	line('measure', 'now', 'goal');
	for (const { name, value, goal, list } of all) {
		line(name, value, `≤ ${goal}`);
		if (process.argv.includes('--list')) for (const entry of list) process.stdout.write(`    ${entry}\n`);
	}
}

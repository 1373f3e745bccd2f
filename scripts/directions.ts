/**
 * Which folder of `src` may import which (docs/decisions/0012-import-directions.md). The table below is the only place that defines it:
 *
 *   node --import tsx scripts/directions.ts           writes the linter's rules into biome.json
 *   node --import tsx scripts/directions.ts --check   fails if biome.json differs
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';

const leaves = ['errors.ts', 'config', 'observe'];
const pure = ['domain', 'operations', 'pipeline'];
const services = ['queue', 'catalog', 'storage', ...leaves];
const apiServices = [
	'intake',
	'delivery',
	'webhooks',
	'purge',
	'access',
	...services,
	...pure,
	'http',
	'programs.ts',
	'suggestion.ts',
];
const dialectFoundation = ['delivery/dialects/*.ts', ...pure, 'errors.ts'];
const dialect = ['delivery/dialects/shared', ...dialectFoundation];

/** The steps of `pipeline/`, from the bottom up: a folder imports only those of the rows above its own. */
const pipelineSteps = [
	['pixels', 'metadata'],
	['colour', 'encoders', 'analysis'],
	['recipe', 'inspect'],
	['plan', 'decode'],
	['render'],
];

/**
 * The folders of `api/`: handlers for each kind of resource, which do not import those of another kind. They share the files directly in
 * `api/`, the middleware and the path of an upload.
 */
const apiFolders = {
	middleware: [],
	upload: ['api/middleware'],
	pictures: ['api/upload'],
	tus: ['api/upload', 'api/middleware'],
	images: ['api/upload', 'api/middleware'],
	webhooks: [],
	operations: ['api/upload'],
};

/**
 * The permitted imports of each folder or file of `src`, besides its own files. A folder stands for all its contents, `<folder>/*.ts` for
 * the files directly in it. A folder without a row may import nothing outside itself.
 */
export const directions: Readonly<Record<string, readonly string[]>> = {
	'next-steps.ts': [],
	'error-table.ts': ['next-steps.ts'],
	'errors.ts': ['error-table.ts'],
	'suggestion.ts': [],
	config: ['suggestion.ts'],
	'programs.ts': [],
	observe: ['errors.ts', 'config'],
	http: ['errors.ts', 'config'],
	storage: ['errors.ts', 'config'],
	domain: ['errors.ts', 'suggestion.ts'],
	operations: ['domain', 'errors.ts'],
	...Object.fromEntries(
		pipelineSteps.flatMap((folders, row) =>
			folders.map((folder) => [
				`pipeline/${folder}`,
				[
					...pipelineSteps
						.slice(0, row)
						.flat()
						.map((below) => `pipeline/${below}`),
					'operations',
					'domain',
					'errors.ts',
					'suggestion.ts',
				],
			]),
		),
	),
	queue: ['domain', ...leaves],
	'queue/deliveries': ['queue/*.ts', 'domain', ...leaves],
	catalog: ['queue/redis.ts', 'domain', 'storage', ...leaves],
	'catalog/lists': ['queue/redis.ts', 'domain', ...leaves],
	access: ['queue/redis.ts', 'domain', 'storage', ...leaves],
	intake: [...services, ...pure, 'http'],
	watch: ['intake', 'catalog', 'storage', 'domain', ...leaves],
	delivery: [...services, ...pure],
	'delivery/dialects': [...pure, 'errors.ts'],
	'delivery/dialects/shared': dialectFoundation,
	'delivery/dialects/imgproxy': dialect,
	'delivery/dialects/cloudinary': dialect,
	'delivery/dialects/ipx': dialect,
	webhooks: [...services, 'domain', 'http'],
	purge: ['watch/ledger.ts', 'intake', 'webhooks', ...services, 'domain'],
	api: apiServices,
	...Object.fromEntries(
		Object.entries(apiFolders).map(([folder, beside]) => [`api/${folder}`, ['api/*.ts', ...beside, ...apiServices]]),
	),
	imaging: ['intake', 'storage', ...pure, 'programs.ts', ...leaves],
	worker: ['imaging', 'intake', 'delivery', 'webhooks', 'purge', ...services, ...pure],
	arena: ['access', 'queue', 'domain', 'http', ...leaves],
	files: ['imaging', 'domain', 'pipeline', 'errors.ts'],
	client: ['files', 'http', 'errors.ts'],
	supervisor: ['queue', 'programs.ts', ...leaves],
	// Other programs load it.
	'url.ts': ['delivery/sign-path.ts', 'errors.ts'],
	roles: [
		...['api', 'worker', 'imaging', 'watch', 'arena', 'files', 'webhooks', 'delivery', 'intake', 'access'],
		...['queue', 'catalog', 'storage', 'pipeline', 'domain', 'http', 'suggestion.ts', ...leaves],
	],
	cli: [
		...['roles', 'supervisor', 'access', 'client', 'delivery/sign.ts', 'files/summary.ts', 'programs.ts'],
		...leaves,
	],
};

/** The only folders that may import sharp. */
export const sharpFolders = ['pipeline', 'operations'];

const root = fileURLToPath(new URL('..', import.meta.url));
if (process.argv[1] === fileURLToPath(import.meta.url)) writeOrCheck(join(root, 'biome.json'));

function writeOrCheck(file: string): void {
	const config = JSON.parse(readFileSync(file, 'utf8'));
	const overrides = biomeOverrides();
	if (isDeepStrictEqual(config.overrides.slice(0, overrides.length), overrides)) return;
	if (process.argv.includes('--check')) {
		process.stderr.write(
			'biome.json does not have the import directions of scripts/directions.ts: run `npm run directions`.\n',
		);
		process.exit(1);
	}
	const others = config.overrides.filter((override: Override) => !override.linter?.rules?.style?.noRestrictedImports);
	writeFileSync(file, JSON.stringify({ ...config, overrides: [...overrides, ...others] }, null, '\t'));
	execFileSync(process.execPath, [join(root, 'node_modules/@biomejs/biome/bin/biome'), 'format', '--write', file]);
}

interface Override {
	includes: string[];
	linter?: { rules?: { style?: { noRestrictedImports?: unknown } } };
}

/** The linter rules for the table. A later rule replaces an earlier one for the same file. */
function biomeOverrides(): Override[] {
	return [
		rule('**', 'This folder has no row yet: say in scripts/directions.ts what it may import.', ['../**']),
		...Object.entries(directions).map(([from, allowed]) => {
			const message = `${name(from)} may import ${allowed.length === 0 ? 'nothing of picpipe' : list(allowed.map(name))}.`;
			if (from.endsWith('.ts')) return rule(from, message, ['./**', ...allowed.map((to) => `!./${pattern(to)}`)]);
			return rule(`${from}/*.ts`, message, ['../**', ...allowed.map((to) => `!${relative(from, pattern(to))}`)]);
		}),
	];
}

function rule(files: string, message: string, group: string[]): Override {
	const knowsSharp = sharpFolders.some((folder) => files.startsWith(`${folder}/`));
	const paths = { sharp: 'Only pipeline/ and operations/ know sharp: it is loaded in imaging processes alone.' };
	const options = { ...(!knowsSharp && { paths }), patterns: [{ group, message }] };
	return {
		includes: [`src/${files}`],
		linter: { rules: { style: { noRestrictedImports: { level: 'error', options } as unknown } } },
	};
}

function pattern(to: string): string {
	return to.endsWith('.ts') ? to : `${to}/**`;
}

function name(place: string): string {
	return place.endsWith('.ts') ? place : `${place}/`;
}

function list(names: readonly string[]): string {
	return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${names.at(-1)}` : `${names[0]}`;
}

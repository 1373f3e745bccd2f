/**
 * Bundles each program into few files, with the packages it uses: `node scripts/bundle.mjs <folder>`. Read one by one, the six hundred modules of an api
 * take a third of its start, and nobody uses most of what some packages bring (docs/decisions/0056-programs-are-bundled.md).
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const [folder] = process.argv.slice(2);

/** Packages that are more than JavaScript, or that look for files beside their own; and CommonJS that is loaded on demand (`checkLoadedOnDemand`). */
const external = [
	...['sharp', 'bull-arena', 'msgpackr-extract', 'heic-decode', 'libheif-js'],
	...['pino-pretty', 'tus-js-client'],
];

const { metafile } = await build({
	absWorkingDir: fileURLToPath(new URL('..', import.meta.url)),
	entryPoints: [
		{ in: 'src/cli/index.ts', out: 'cli' },
		{ in: 'src/supervisor/redis-keeper.ts', out: 'redis-keeper' },
		{ in: 'src/imaging/child-main.ts', out: 'imaging-process' },
	],
	outdir: folder,
	bundle: true,
	splitting: true,
	chunkNames: 'parts/[name]-[hash]',
	external,
	format: 'esm',
	platform: 'node',
	target: 'node20.19',
	sourcemap: true,
	legalComments: 'eof',
	// Packages written for CommonJS ask for Node's own modules with `require`, which an ES module does not have.
	banner: {
		js: "import { createRequire as createRequireOfNode } from 'node:module';\nconst require = createRequireOfNode(import.meta.url);",
	},
	logLevel: 'warning',
	metafile: true,
});
checkLoadedOnDemand(metafile.inputs);

/** `const { name } = await import('package')` finds nothing where esbuild has CommonJS to bundle: it does not look for the names in it, as Node.js does. */
function checkLoadedOnDemand(inputs) {
	for (const [path, { imports }] of Object.entries(inputs)) {
		const bad = imports.find(({ kind, path }) => kind === 'dynamic-import' && inputs[path]?.format === 'cjs');
		if (bad) throw new Error(`${path} loads CommonJS on demand; name its package in \`external\`: ${bad.path}`);
	}
}

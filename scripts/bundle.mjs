/**
 * Bundles each program with its packages into a few files: `node scripts/bundle.mjs <folder>`. Reading six hundred modules one by one takes
 * a third of an API's start, and most code of some packages is never used (docs/decisions/0056-programs-are-bundled.md).
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const [folder] = process.argv.slice(2);

/** Packages with native code, or that look for files beside their own; and CommonJS that is loaded on demand (`checkLoadedOnDemand`). */
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
	// CommonJS packages load Node's own modules with `require`, which an ES module does not have.
	banner: {
		js: "import { createRequire as createRequireOfNode } from 'node:module';\nconst require = createRequireOfNode(import.meta.url);",
	},
	logLevel: 'warning',
	metafile: true,
});
checkLoadedOnDemand(metafile.inputs);

/**
 * Fails for `const { name } = await import('package')` of a bundled CommonJS package: unlike Node.js, esbuild does not detect its named
 * exports.
 */
function checkLoadedOnDemand(inputs) {
	for (const [path, { imports }] of Object.entries(inputs)) {
		const bad = imports.find(({ kind, path }) => kind === 'dynamic-import' && inputs[path]?.format === 'cjs');
		if (bad) throw new Error(`${path} loads CommonJS on demand; name its package in \`external\`: ${bad.path}`);
	}
}

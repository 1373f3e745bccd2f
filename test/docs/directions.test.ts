import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { directions, sharpFolders } from '../../scripts/directions.ts';
import { temporaryFolder } from '../helpers/folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');

/** A file of each folder, and the files that the table names for themselves. */
const targets = [
	...Object.keys(directions).map((place) => (place.endsWith('.ts') ? place : `${place}/thing.ts`)),
	...Object.values(directions)
		.flat()
		.filter((place) => place.endsWith('.ts') && !place.includes('*')),
	'api/thing.ts',
	'cli/index.ts',
	'url.ts',
];
/** Everything that one folder could import of another. */
const edges = Object.entries(directions).flatMap(([from, allowed]) =>
	[...new Set(targets)]
		.filter((to) => !isOwn(from, to))
		.map((to) => ({
			to,
			isAllowed: allowed.some((place) => covers(place, to)),
			// A file that has a row of its own can only stand for one edge at a time.
			file: from.endsWith('.ts') ? from : `${from}/imports-${to.replaceAll('/', '-')}`,
		})),
);

/** Whether a place of the table stands for this file. */
function covers(place: string, file: string): boolean {
	if (place.endsWith('/*.ts')) return dirname(file) === dirname(place);
	return file === place || file.startsWith(`${place}/`);
}

/** Whether the file is in the folder itself, or in a folder of it. */
function isOwn(from: string, to: string): boolean {
	return to === from || to.startsWith(`${from}/`);
}

/** Ways to import a module; each must count. */
const forms = {
	import: (path: string) => `import { thing } from '${path}';\nexport const same = thing;\n`,
	'import type': (path: string) => `import type { Thing } from '${path}';\nexport type Same = Thing;\n`,
	'bare import': (path: string) => `import '${path}';\n`,
	export: (path: string) => `export { thing } from '${path}';\n`,
	'export all': (path: string) => `export * from '${path}';\n`,
	'dynamic import': (path: string) => `export const load = () => import('${path}');\n`,
};

/** A project with our biome.json and these files. */
async function project(files: Readonly<Record<string, string>>): Promise<string> {
	const folder = await temporaryFolder();
	const config = JSON.parse(await readFile(join(root, 'biome.json'), 'utf8'));
	// There is no repository in the temporary folder.
	await writeFile(join(folder, 'biome.json'), JSON.stringify({ ...config, vcs: { enabled: false } }));
	for (const [file, text] of Object.entries(files)) {
		await mkdir(dirname(join(folder, file)), { recursive: true });
		await writeFile(join(folder, file), text);
	}
	return folder;
}

/** The files in which Biome's rule finds something, and what it says. */
async function refused(folder: string, rule: string, below = '.'): Promise<Map<string, string>> {
	return new Map((await diagnose(folder, rule, below)).map(({ location, message }) => [location.path, message]));
}

interface Diagnostic {
	readonly location: { readonly path: string; readonly start: { readonly line: number } };
	readonly message: string;
}

async function diagnose(folder: string, rule: string, below = '.'): Promise<readonly Diagnostic[]> {
	const options = ['lint', `--only=${rule}`, '--max-diagnostics=none', '--reporter=json', below];
	const run = promisify(execFile)(process.execPath, [biome, ...options], { cwd: folder, maxBuffer: 2 ** 26 });
	const { stdout } = await run.catch((error: { stdout: string }) => error);
	const { diagnostics, summary } = JSON.parse(stdout) as {
		diagnostics: Diagnostic[];
		summary: { unchanged: number; changed: number };
	};
	// A run that looked at nothing proves nothing.
	expect(summary.unchanged + summary.changed).toBeGreaterThan(0);
	return diagnostics;
}

const directionRule = 'style/noRestrictedImports';
const cycles = 'suspicious/noImportCycles';

describe('import directions', () => {
	it('cover every folder and file of src', async () => {
		const known = [...Object.keys(directions), 'types', 'pipeline'];
		const entries = await readdir(join(root, 'src'), { withFileTypes: true, recursive: true });
		const found = entries
			.filter((entry) => entry.isDirectory() || entry.parentPath === join(root, 'src'))
			.map((entry) => relative(join(root, 'src'), join(entry.parentPath, entry.name)));
		expect(known).toEqual(expect.arrayContaining(found));
	});

	it('hold in the source tree, which has no cycles', async () => {
		expect(await refused(root, directionRule, 'src')).toEqual(new Map());
		expect(await refused(root, cycles, 'src')).toEqual(new Map());
	});

	it('are in biome.json as in the table', async () => {
		const check = ['--import', 'tsx', 'scripts/directions.ts', '--check'];
		await promisify(execFile)(process.execPath, check, { cwd: root });
	});

	it('refuse exactly the edges between folders that the table does not allow', async () => {
		const between = edges.filter(({ file }) => !Object.hasOwn(directions, file));
		const folder = await project(
			Object.fromEntries(between.map(({ file, to }) => [`src/${file}`, forms.import(pathTo(file, to))])),
		);
		const found = [...(await refused(folder, directionRule)).keys()];
		const expected = between.filter(({ isAllowed }) => !isAllowed).map(({ file }) => file);
		expect(expected.length).toBeGreaterThan(400);
		expect(found.sort()).toEqual(expected.map((file) => `src/${file}`).sort());
	});

	it('refuse exactly the imports of single files that the table does not allow', async () => {
		for (const file of Object.keys(directions).filter((place) => place.endsWith('.ts'))) {
			const own = edges.filter((edge) => edge.file === file);
			const folder = await project({
				[`src/${file}`]: own
					.map(
						({ to }, index) => `import { thing as thing${index} } from '${pathTo(file, to)}';
`,
					)
					.join(''),
			});
			const found = (await diagnose(folder, directionRule)).map(({ location }) => location.start.line);
			expect(
				found.sort((a, b) => a - b),
				file,
			).toEqual(own.flatMap(({ isAllowed }, index) => (isAllowed ? [] : [index + 1])));
		}
	});

	it.each(Object.entries(forms))('detect this form: %s', async (_form, write) => {
		const folder = await project({
			'src/api/bad.ts': write('../worker/pool.ts'),
			'src/api/middleware/bad.ts': write('../../worker/pool.ts'),
			'src/api/middleware/good.ts': write('../context.ts'),
			'src/delivery/dialects/bad.ts': write('../../queue/jobs.ts'),
			'src/delivery/dialects/good.ts': write('../../pipeline/plan.ts'),
			'src/delivery/dialects/imgproxy/bad.ts': write('../../../storage/fs.ts'),
			'src/delivery/dialects/imgproxy/good.ts': write('../image-request.ts'),
			'src/worker/bad.ts': write('../api/server.ts'),
			'src/errors.ts': write('./domain/picture.ts'),
			'src/config/bad.ts': write('../errors.ts'),
			'src/programs.ts': write('./config/index.ts'),
			'src/roles/bad.ts': write('../supervisor/supervisor.ts'),
			'src/cli/bad.ts': write('../worker/worker.ts'),
			'src/url.ts': write('./delivery/sign.ts'),
			'src/brand-new/bad.ts': write('../errors.ts'),
			'src/intake/bad.ts': write('../helpers/folder.ts'),
			// Names that are allowed in other places only.
			'src/domain/bad.ts': write('../worker/errors.ts'),
			'src/operations/bad.ts': write('../api/domain/thing.ts'),
		});
		const found = await refused(folder, directionRule);
		expect([...found.keys()].sort()).toEqual([
			'src/api/bad.ts',
			'src/api/middleware/bad.ts',
			'src/brand-new/bad.ts',
			'src/cli/bad.ts',
			'src/config/bad.ts',
			'src/delivery/dialects/bad.ts',
			'src/delivery/dialects/imgproxy/bad.ts',
			'src/domain/bad.ts',
			'src/errors.ts',
			'src/intake/bad.ts',
			'src/operations/bad.ts',
			'src/programs.ts',
			'src/roles/bad.ts',
			'src/url.ts',
			'src/worker/bad.ts',
		]);
		expect(found.get('src/brand-new/bad.ts')).toContain('say in scripts/directions.ts what it may import');
		expect(found.get('src/worker/bad.ts')).toMatch(/^worker\/ may import .* and pipeline\/\.$/);
	});

	it('refuse sharp outside of pipeline/ and operations/', async () => {
		const write = "import sharp from 'sharp';\nexport const image = sharp();\n";
		const folders = Object.keys(directions).filter((place) => !place.endsWith('.ts'));
		const folder = await project(Object.fromEntries(folders.map((name) => [`src/${name}/image.ts`, write])));
		const found = [...(await refused(folder, directionRule)).keys()];
		const expected = folders.filter((name) => !sharpFolders.includes(name.split('/')[0] ?? ''));
		expect(found.sort()).toEqual(expected.map((name) => `src/${name}/image.ts`).sort());
	});

	it('keep sharp out of every process except imaging processes', async () => {
		const loaded = async (...modules: string[]) => {
			// Its native part is what counts. As built (`setup.ts`): to compile all of the source for this would take several times as long.
			const script = `for (const file of ${JSON.stringify(modules)}) await import('./dist/' + file);
				process.report.excludeNetwork = true;
				console.log(process.report.getReport().sharedObjects.filter((file) => /vips|sharp/.test(file)).length);`;
			const node = ['--input-type=module', '--eval', script];
			const { stdout } = await promisify(execFile)(process.execPath, node, { cwd: root });
			return Number(stdout);
		};
		expect(await loaded('pipeline/render/run.js')).toBeGreaterThan(0);
		const roles = ['api', 'worker', 'arena', 'watch', 'commands'].map((role) => `roles/${role}.js`);
		expect(await loaded(...roles, 'arena/pages.js', 'client/command.js', 'supervisor/supervisor.js')).toBe(0);
	});

	it('refuse cycles within a folder, even of types', async () => {
		const folder = await project({
			'src/domain/one.ts': "import { two } from './two.ts';\nexport const one = () => two;\n",
			'src/domain/two.ts': "import { one } from './one.ts';\nexport const two = () => one;\n",
			'src/domain/three.ts': "import type { Four } from './four.ts';\nexport type Three = Four[];\n",
			'src/domain/four.ts': "import type { Three } from './three.ts';\nexport type Four = { of: Three };\n",
			'src/domain/five.ts': "import { two } from './two.ts';\nexport const five = two;\n",
		});
		expect([...(await refused(folder, cycles)).keys()].sort()).toEqual(
			['one', 'two', 'three', 'four'].map((name) => `src/domain/${name}.ts`).sort(),
		);
	});
});

function pathTo(from: string, target: string): string {
	const path = relative(dirname(from), target);
	return path.startsWith('.') ? path : `./${path}`;
}

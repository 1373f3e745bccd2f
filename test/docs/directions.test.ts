import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const biome = join(root, 'node_modules/@biomejs/biome/bin/biome');

const basics = ['errors.ts', 'config.ts', 'observe'];
const pure = ['domain', 'operations', 'pipeline'];
const queue = ['queue', 'queue/redis.ts'];
const delivery = ['delivery', 'delivery/sign-address.ts'];
const services = [...queue, 'catalog', 'storage', ...basics];

/** What each folder may import beside itself (docs/decisions/0012); biome.json has to say the same. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
	domain: ['errors.ts'],
	operations: ['domain', 'errors.ts'],
	pipeline: ['domain', 'operations', 'errors.ts'],
	queue: ['domain', ...basics],
	catalog: ['queue/redis.ts', 'domain', 'storage', ...basics],
	access: ['queue/redis.ts', 'domain', 'storage', ...basics],
	intake: [...services, ...pure, 'http'],
	delivery: [...services, ...pure],
	webhooks: [...services, 'domain', 'http'],
	api: ['intake', ...delivery, 'webhooks', 'access', ...services, ...pure, 'http', 'programs.ts'],
	worker: ['intake', ...delivery, 'webhooks', ...services, ...pure, 'programs.ts'],
	arena: ['access', ...queue, 'domain', 'http', ...basics],
	files: ['worker/pool.ts', 'domain', 'pipeline', 'errors.ts'],
	client: ['files', 'files/summary.ts', 'http', 'errors.ts'],
	start: ['access', ...queue, 'delivery/sign-address.ts', 'files/summary.ts', 'programs.ts', ...basics],
	storage: ['errors.ts', 'config.ts'],
	observe: ['errors.ts', 'config.ts'],
	http: ['errors.ts', 'config.ts'],
};
const targets = [
	...Object.keys(mayImport),
	'queue/redis.ts',
	'worker/pool.ts',
	'delivery/sign-address.ts',
	'files/summary.ts',
	'app.ts',
	'cli.ts',
	'errors.ts',
	'config.ts',
	'programs.ts',
	'url.ts',
];
/** Everything that one folder could import of another. */
const edges = Object.entries(mayImport).flatMap(([from, allowed]) =>
	targets
		.filter((to) => to.split('/')[0] !== from)
		.map((to) => ({ from, to, isAllowed: allowed.includes(to), file: `src/${from}/imports-${to.replace('/', '-')}` })),
);

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
	const options = ['lint', `--only=${rule}`, '--max-diagnostics=none', '--reporter=json', below];
	const run = promisify(execFile)(process.execPath, [biome, ...options], { cwd: folder, maxBuffer: 2 ** 26 });
	const { stdout } = await run.catch((error: { stdout: string }) => error);
	const { diagnostics, summary } = JSON.parse(stdout) as {
		diagnostics: { location: { path: string }; message: string; category: string }[];
		summary: { unchanged: number; changed: number };
	};
	// A run that looked at nothing proves nothing.
	expect(summary.unchanged + summary.changed).toBeGreaterThan(0);
	return new Map(diagnostics.map(({ location, message }) => [location.path, message]));
}

const directions = 'style/noRestrictedImports';
const cycles = 'suspicious/noImportCycles';

describe('import directions', () => {
	it('know every folder and file of src', async () => {
		const known = [
			...Object.keys(mayImport),
			'types',
			'app.ts',
			'cli.ts',
			'errors.ts',
			'config.ts',
			'programs.ts',
			'url.ts',
			'api/middleware',
			'pipeline/encoders',
			'pipeline/analysis',
			'delivery/dialects',
			'delivery/dialects/cloudinary',
			'delivery/dialects/imgproxy',
			'delivery/dialects/ipx',
		];
		const entries = await readdir(join(root, 'src'), { withFileTypes: true, recursive: true });
		const found = entries
			.filter((entry) => entry.isDirectory() || entry.parentPath === join(root, 'src'))
			.map((entry) => relative(join(root, 'src'), join(entry.parentPath, entry.name)));
		expect(known).toEqual(expect.arrayContaining(found));
	});

	it('hold in the real tree, which has no cycles', async () => {
		expect(await refused(root, directions, 'src')).toEqual(new Map());
		expect(await refused(root, cycles, 'src')).toEqual(new Map());
	});

	it('refuse exactly those edges between folders that the table does not allow', async () => {
		const folder = await project(
			Object.fromEntries(
				edges.map(({ file, to }) => [file.endsWith('.ts') ? file : `${file}.ts`, forms.import(pathTo(to))]),
			),
		);
		const found = [...(await refused(folder, directions)).keys()].map((path) => path.replace(/\.ts$/, ''));
		const expected = edges.filter(({ isAllowed }) => !isAllowed).map(({ file }) => file.replace(/\.ts$/, ''));
		expect(expected.length).toBeGreaterThan(150);
		expect(found.sort()).toEqual(expected.sort());
	});

	it.each(Object.entries(forms))('count this form: %s', async (_form, write) => {
		const folder = await project({
			'src/api/bad.ts': write('../worker/pool.ts'),
			'src/api/middleware/bad.ts': write('../../worker/pool.ts'),
			'src/api/middleware/good.ts': write('../context.ts'),
			'src/delivery/dialects/bad.ts': write('../../queue/jobs.ts'),
			'src/delivery/dialects/good.ts': write('../../pipeline/plan.ts'),
			'src/delivery/dialects/imgproxy/bad.ts': write('../../../storage/fs.ts'),
			'src/delivery/dialects/imgproxy/good.ts': write('../../wanted.ts'),
			'src/worker/bad.ts': write('../api/server.ts'),
			'src/errors.ts': write('./domain/picture.ts'),
			'src/config.ts': write('./errors.ts'),
			'src/programs.ts': write('./config.ts'),
			'src/app.ts': write('./start/role.ts'),
			'src/cli.ts': write('./worker/worker.ts'),
			'src/url.ts': write('./delivery/sign.ts'),
			'src/brand-new/bad.ts': write('../errors.ts'),
			'src/intake/bad.ts': write('../../test/helpers/folder.ts'),
			// Names that are allowed in other places only.
			'src/domain/bad.ts': write('../worker/errors.ts'),
			'src/operations/bad.ts': write('../api/domain/thing.ts'),
		});
		const found = await refused(folder, directions);
		expect([...found.keys()].sort()).toEqual([
			'src/api/bad.ts',
			'src/api/middleware/bad.ts',
			'src/app.ts',
			'src/brand-new/bad.ts',
			'src/cli.ts',
			'src/config.ts',
			'src/delivery/dialects/bad.ts',
			'src/delivery/dialects/imgproxy/bad.ts',
			'src/domain/bad.ts',
			'src/errors.ts',
			'src/intake/bad.ts',
			'src/operations/bad.ts',
			'src/programs.ts',
			'src/url.ts',
			'src/worker/bad.ts',
		]);
		expect(found.get('src/brand-new/bad.ts')).toContain('say in biome.json what it may import');
		expect(found.get('src/worker/bad.ts')).toMatch(/^worker\/ may import .* and programs\.ts\.$/);
	});

	it('refuse sharp outside of pipeline/ and operations/', async () => {
		const write = "import sharp from 'sharp';\nexport const image = sharp();\n";
		const folders = [...Object.keys(mayImport), 'api/middleware'];
		const folder = await project(Object.fromEntries(folders.map((name) => [`src/${name}/image.ts`, write])));
		const found = [...(await refused(folder, directions)).keys()];
		const expected = folders.filter((name) => name !== 'pipeline' && name !== 'operations');
		expect(found.sort()).toEqual(expected.map((name) => `src/${name}/image.ts`).sort());
	});

	it('keep sharp out of every process but the imaging ones', async () => {
		const loaded = async (...modules: string[]) => {
			// Its native part is what counts.
			const script = `for (const file of ${JSON.stringify(modules)}) await import('./src/' + file);
				process.report.excludeNetwork = true;
				console.log(process.report.getReport().sharedObjects.filter((file) => /vips|sharp/.test(file)).length);`;
			const node = ['--import', 'tsx', '--input-type=module', '--eval', script];
			const { stdout } = await promisify(execFile)(process.execPath, node, { cwd: root });
			return Number(stdout);
		};
		expect(await loaded('pipeline/run.ts')).toBeGreaterThan(0);
		const roles = ['app.ts', 'api/server.ts', 'worker/worker.ts', 'worker/pool.ts', 'arena/arena.ts'];
		expect(await loaded(...roles, 'pipeline/recipes.ts', 'start/supervisor.ts', 'queue/events.ts')).toBe(0);
	});

	it('refuse cycles within a folder, of types too', async () => {
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

function pathTo(target: string): string {
	return target.endsWith('.ts') ? `../${target}` : `../${target}/thing.ts`;
}

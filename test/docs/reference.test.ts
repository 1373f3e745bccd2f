import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { differenceOf, picturesFolder, picturesOf } from '../../scripts/docs/example-pictures.ts';
import { makeReference } from '../../scripts/docs/reference.ts';
import { sceneSize } from '../../scripts/docs/scene.ts';
import { routes } from '../../src/api/routes.ts';
import { settings } from '../../src/config/index.ts';
import { errorTable } from '../../src/errors.ts';
import { operations } from '../../src/operations/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The pictures that readers see. */
const committed = join(root, 'docs/reference/pictures');

/** Where the reference was written once for all tests: to draw every example takes some ten seconds of work. */
let folder: string;
/** The pictures that were drawn then. */
let made: ReadonlyMap<string, Buffer>;

beforeAll(async () => {
	folder = await mkdtemp(join(tmpdir(), 'pp-'));
	await promisify(execFile)(process.execPath, ['--import', 'tsx', 'scripts/docs.ts', folder], { cwd: root });
	const names = (await readdir(join(folder, picturesFolder))).sort();
	const read = names.map(async (name) => [name, await readFile(join(folder, picturesFolder, name))] as const);
	made = new Map(await Promise.all(read));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const makeDocs = (...options: string[]) => makeReference(options, async () => made);

describe('scripts/docs.ts', () => {
	it('writes pages that name every setting, error and route', async () => {
		expect((await readdir(folder)).sort()).toEqual([
			'configuration.md',
			'errors.md',
			'http.md',
			'operations.md',
			'pictures',
			'queues.md',
			'recipes.md',
			'webhooks.md',
		]);
		const text = (name: string) => readFile(join(folder, `${name}.md`), 'utf8');
		const configuration = await text('configuration');
		for (const { variable } of Object.values(settings)) expect(configuration).toContain(`| \`${variable}\` |`);
		const errors = await text('errors');
		for (const [code, { status, title }] of Object.entries(errorTable)) {
			expect(errors).toMatch(
				new RegExp(`\\| \`${code}\` \\| ${status} \\| \\w+ \\|.*\\| ${title.replaceAll('.', '\\.')} \\|`),
			);
		}
		const http = await text('http');
		for (const { method, path } of routes) {
			expect(http).toContain(`### ${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}\n`);
		}
	});

	it('with --check refuses stale, missing and orphaned pages, changes nothing, says how to regenerate them, and then accepts them', async () => {
		await writeFile(join(folder, 'errors.md'), 'Everything is fine.\n');
		await rm(join(folder, 'queues.md'));
		await rm(join(folder, 'pictures/flip.webp'));
		for (const name of ['old', 'blur']) {
			await copyFile(join(folder, 'pictures/sharpen.webp'), join(folder, `pictures/${name}.webp`));
		}
		await writeFile(join(folder, 'secrets.md'), 'Written by hand.\n');
		const { code, stderr } = await makeDocs('--check', folder);
		expect(code).toBe(1);
		expect(stderr.trim().split('\n')).toEqual([
			'docs/reference/errors.md is stale',
			'docs/reference/queues.md is missing',
			'docs/reference/pictures/blur.webp was made by other steps',
			'docs/reference/pictures/flip.webp is missing',
			'docs/reference/secrets.md is not made by scripts/docs.ts',
			'docs/reference/pictures/old.webp is not made by scripts/docs.ts',
			'Run `npm run docs` and commit what it changes.',
		]);
		expect(await readFile(join(folder, 'errors.md'), 'utf8')).toBe('Everything is fine.\n');
		expect(await makeDocs(folder)).toMatchObject({ code: 0 });
		expect(await makeDocs('--check', folder)).toEqual({ code: 0, stderr: '' });
	});
});

function picture(name: string): Buffer {
	return made.get(name) ?? expect.fail(`There is no ${name}.`);
}

/** The same picture as another version of the codec would write it. */
function written(file: Buffer, quality: number): Promise<Buffer> {
	return sharp(file).keepXmp().webp({ quality }).toBuffer();
}

describe('the example pictures', () => {
	it.each(operations)('show the effect of $name at the predicted size', async (operation) => {
		const { before, after } = picturesOf(operation);
		const [from, to] = await Promise.all([before, after].map((name) => sharp(picture(name)).metadata()));
		expect(from).toMatchObject({ format: 'webp', ...sceneSize });
		const { output, isAtMost } = operation.predict(sceneSize, operation.schema.parse(operation.example));
		if (!isAtMost) expect(to).toMatchObject(output);
		// A reader has to see the difference.
		if (to?.width !== from?.width || to?.height !== from?.height) return;
		const [one, other] = await Promise.all(
			[before, after].map((name) => sharp(picture(name)).ensureAlpha().raw().toBuffer()),
		);
		const difference = (one as Buffer).reduce(
			(sum, value, at) => sum + Math.abs(value - ((other as Buffer)[at] ?? 0)),
			0,
		);
		expect(difference / (one as Buffer).length).toBeGreaterThan(1);
	});

	it('are all in the reference, together smaller than a megabyte', async () => {
		expect((await readdir(committed)).sort()).toEqual([...made.keys()].sort());
		const sizes = await Promise.all([...made.keys()].map(async (name) => (await stat(join(committed, name))).size));
		expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(1_000_000);
		const page = await readFile(join(committed, '../operations.md'), 'utf8');
		for (const operation of operations) {
			const { before, after } = picturesOf(operation);
			expect(page).toContain(`| ![before](pictures/${before}) | ![after ${operation.name}](pictures/${after}) |`);
		}
	});
});

describe('the comparison of a stored picture with a new one', () => {
	it('tolerates other versions of a codec', async () => {
		for (const [name, file] of made) {
			expect(await differenceOf(name, await written(file, 60), file), name).toBeUndefined();
		}
	});

	it('detects every other picture', async () => {
		const names = [...made.keys()];
		for (const [index, name] of names.entries()) {
			const other = names.at(index - 1) ?? '';
			expect(await differenceOf(name, picture(other), picture(name)), `${other} for ${name}`).toBeTypeOf('string');
		}
	});

	it('reports the difference', async () => {
		const file = picture('blur.webp');
		expect(await differenceOf('blur.webp', Buffer.from('no picture'), file)).toBe('is no picture');
		const smaller = await sharp(file).keepXmp().resize(300).webp().toBuffer();
		expect(await differenceOf('blur.webp', smaller, file)).toBe('is webp of 300 × 200 and not webp of 600 × 400');
		expect(await differenceOf('blur.webp', await sharp(file).webp().toBuffer(), file)).toBe('was made by other steps');
		for (const [what, wrong] of [
			['another blur', sharp(picture('before-scene.webp')).blur(11)],
			['other colours', sharp(file).modulate({ hue: 20 })],
			['a little darker', sharp(file).linear(0.95)],
		] as const) {
			const { xmp } = await sharp(file).metadata();
			const stored = await wrong
				.withXmp(xmp?.toString() ?? '')
				.webp({ quality: 75 })
				.toBuffer();
			expect(await differenceOf('blur.webp', stored, file), what).toMatch(/^looks different/);
		}
	});
});

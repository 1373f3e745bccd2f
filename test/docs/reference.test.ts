import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routes } from '../../src/api/routes.ts';
import { settings } from '../../src/config/index.ts';
import { errorTable } from '../../src/errors.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function makeDocs(...options: string[]): Promise<{ code: number; stderr: string }> {
	const run = promisify(execFile)(process.execPath, ['--import', 'tsx', 'scripts/docs.ts', ...options], { cwd: root });
	return run.then(
		({ stderr }) => ({ code: 0, stderr }),
		({ code, stderr }) => ({ code, stderr }),
	);
}

describe('scripts/docs.ts', () => {
	// Each run draws every example, some ten seconds of work.
	let folder: string;
	beforeAll(async () => {
		folder = await mkdtemp(join(tmpdir(), 'pp-'));
		expect(await makeDocs(folder)).toMatchObject({ code: 0 });
	});
	afterAll(() => rm(folder, { recursive: true, force: true }));

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

	it('with --check refuses pages that are stale, missing or of nobody, changes nothing and says how to renew them; and accepts what was renewed', async () => {
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
			'docs/reference/pictures/flip.webp is missing',
			'docs/reference/pictures/blur.webp was made by other steps',
			'docs/reference/secrets.md is not made by scripts/docs.ts',
			'docs/reference/pictures/old.webp is not made by scripts/docs.ts',
			'Run `npm run docs` and commit what it changes.',
		]);
		expect(await readFile(join(folder, 'errors.md'), 'utf8')).toBe('Everything is fine.\n');
		expect(await makeDocs(folder)).toMatchObject({ code: 0 });
		expect(await makeDocs('--check', folder)).toEqual({ code: 0, stderr: '' });
	});
});

/** Runs the tests that use real pictures beside the checkout (`../shared`) without them. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const files = readdirSync(join(root, 'test'), { recursive: true })
	.map((name) => join('test', String(name)))
	.filter((name) => name.endsWith('.test.ts') && readFileSync(join(root, name), 'utf8').includes('sharedPictures('));
if (files.length === 0) throw new Error('Expected tests that take pictures beside the checkout but found none.');
const { status } = spawnSync(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...files], {
	cwd: root,
	stdio: 'inherit',
	env: { ...process.env, TEST_ALONE: 'true' },
});
process.exit(status ?? 1);

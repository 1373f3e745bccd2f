import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/** The oldest version that runs beside this one (docs/decisions/0058-stored-data-is-read-tolerantly.md). */
const oldestVersion = 'ce681d4d615bc4b59a6e4c98afb5b6722bc2ed41';

/** Whether the history has that version; a copy without one, or a shallow clone, does not. */
export const hasOldestVersion = (() => {
	try {
		execFileSync('git', ['cat-file', '-e', `${oldestVersion}^{commit}`], { cwd: root, stdio: 'ignore' });
		return true;
	} catch {
		return false;
	}
})();

/** Builds that version out of the history, with its own packages; takes a minute, and once. @returns its folder */
export async function buildOldestVersion(): Promise<string> {
	const versions = join(root, 'node_modules/.cache/versions');
	const folder = join(versions, oldestVersion);
	if (existsSync(folder)) return folder;
	const making = join(versions, `making-${process.pid}`);
	await mkdir(making, { recursive: true });
	try {
		await run('git', ['archive', '--output', join(making, 'source.tar'), oldestVersion], { cwd: root });
		await run('tar', ['-xf', 'source.tar'], { cwd: making });
		await run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: making });
		await run(process.execPath, ['scripts/setup.mjs', 'build'], { cwd: making });
		await rename(making, folder);
	} finally {
		await rm(making, { recursive: true, force: true });
	}
	return folder;
}

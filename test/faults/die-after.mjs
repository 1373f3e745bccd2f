/**
 * Loaded before picpipe's own code (`NODE_OPTIONS=--import`): ends the process with SIGKILL right after a change in storage, once for each
 * file in `DIE_AFTER`. That file holds the change to wait for, and is deleted when it has happened.
 *
 * - `failure`: the manifest of a failed picture was written
 * - `marker`: the marker of a picture was deleted
 * - `manifest-deleted`: the manifest of a picture was deleted
 */
import { readFileSync, rmSync } from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const { rename, rm } = promises;

promises.rename = async (from, to) => {
	await rename(from, to);
	if (String(to).endsWith('/picture.json') && isDue('failure') && /"state": "failed"/.test(readFileSync(to, 'utf8')))
		die();
};
promises.rm = async (path, options) => {
	await rm(path, options);
	if (String(path).includes('/pending/pic_') && isDue('marker')) die();
	if (String(path).endsWith('/picture.json') && isDue('manifest-deleted')) die();
};
syncBuiltinESMExports();

function isDue(change) {
	try {
		return readFileSync(process.env.DIE_AFTER, 'utf8') === change;
	} catch {
		return false;
	}
}

function die() {
	rmSync(process.env.DIE_AFTER);
	process.kill(process.pid, 'SIGKILL');
}

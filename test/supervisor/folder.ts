import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder that is gone after the test. With a name, a folder inside of it that is still to be made. */
export async function temporaryFolder(name = ''): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'picpipe-start-'));
	onTestFinished(() => rm(folder, { recursive: true, force: true }));
	return join(folder, name);
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endWithTest } from './shared.ts';

/** A new folder that is removed when the test has finished. Its name is short, because Redis's socket has to fit below it. */
export async function temporaryFolder(): Promise<string> {
	const folder = await mkdtemp(join(tmpdir(), 'pp-'));
	endWithTest(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
	return folder;
}

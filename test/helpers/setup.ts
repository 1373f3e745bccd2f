import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type {} from 'vitest'; // The module that is added to below.
import type { TestProject } from 'vitest/node';
import { startRedis } from './redis.ts';

declare module 'vitest' {
	export interface ProvidedContext {
		/** The Redis of the whole run. Every test takes a prefix of its own: `freshPrefix()`. */
		redisUrl: string;
	}
}

const setupScript = fileURLToPath(new URL('../../scripts/setup.mjs', import.meta.url));

/**
 * Builds what `PicpipeProcess` runs, unless the build is of this very source (docs/decisions/0051-tests-run-the-build.md). Runs one private Redis for the
 * whole run, and keeps the photographs that it makes; both are removed at the end, data and all.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
	await promisify(execFile)(process.execPath, [setupScript, 'build']);
	const redis = await startRedis();
	project.provide('redisUrl', redis.url);
	const pictures = await mkdtemp(join(tmpdir(), 'picpipe-test-pictures-'));
	process.env.TEST_PICTURES = pictures;
	return async () => {
		await redis.stop();
		await rm(pictures, { recursive: true });
	};
}

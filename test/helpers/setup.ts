import { execFile } from 'node:child_process';
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
 * whole run and removes it, data and all, at the end.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
	await promisify(execFile)(process.execPath, [setupScript, 'build']);
	const redis = await startRedis();
	project.provide('redisUrl', redis.url);
	return () => redis.stop();
}

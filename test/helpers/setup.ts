import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import sharp from 'sharp';
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

/** Photographs that an earlier run made are kept here, because to make all of them takes some ten seconds of CPU time. */
const cache = fileURLToPath(new URL('../../node_modules/.cache/test-pictures', import.meta.url));

/**
 * Builds what `PicpipeProcess` runs, unless the build is of this very source (docs/decisions/0051-tests-run-the-build.md). Runs one private Redis for the
 * whole run, which is removed at the end, data and all.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
	await promisify(execFile)(process.execPath, [setupScript, 'build']);
	const redis = await startRedis();
	project.provide('redisUrl', redis.url);
	process.env.TEST_PICTURES = await keepPictures();
	return () => redis.stop();
}

/** @returns the folder for photographs of this code and this sharp; those of others are removed */
async function keepPictures(): Promise<string> {
	const hash = createHash('sha256').update(JSON.stringify(sharp.versions));
	for (const code of ['pictures.ts', '../../scripts/random-numbers.ts']) {
		hash.update(await readFile(fileURLToPath(new URL(code, import.meta.url))));
	}
	const made = hash.digest('hex').slice(0, 12);
	await mkdir(join(cache, made), { recursive: true });
	for (const other of await readdir(cache)) {
		if (other !== made) await rm(join(cache, other), { recursive: true, force: true });
	}
	return join(cache, made);
}

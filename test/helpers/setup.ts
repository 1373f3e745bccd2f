import type {} from 'vitest'; // The module that is added to below.
import type { TestProject } from 'vitest/node';
import { startRedis } from './redis.ts';

declare module 'vitest' {
	export interface ProvidedContext {
		/** The Redis of the whole run. Every test takes a prefix of its own: `freshPrefix()`. */
		redisUrl: string;
	}
}

/** Runs one private Redis for the whole run and removes it, data and all, at the end. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
	const redis = await startRedis();
	project.provide('redisUrl', redis.url);
	return () => redis.stop();
}

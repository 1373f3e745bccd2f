import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { SpreadOut } from './test/helpers/spread-out.ts';

const builtPrograms = fileURLToPath(new URL('./dist/programs.js', import.meta.url));

export default defineConfig({
	test: {
		// Imaging processes run the build, as all processes do that tests start (docs/decisions/0051-tests-run-the-build.md).
		alias: [{ find: /^\.\.?\/programs\.ts$/, replacement: builtPrograms }],
		include: ['test/**/*.test.ts'],
		// One private Redis for the whole run: `inject('redisUrl')`.
		globalSetup: ['test/helpers/setup.ts'],
		// A process per file: the tests talk to real processes, and a crash must not take other files with it.
		pool: 'forks',
		// Files that start whole pipelines wait for most of their time; more of them at once only make each other wait.
		maxWorkers: 3,
		sequence: { sequencer: SpreadOut },
		testTimeout: 60_000,
		hookTimeout: 60_000,
		teardownTimeout: 20_000,
		// A browser that stood still for a minute says nothing about the page. Whatever is wrong, and not only late, is told at once.
		// A second, which is Vitest's own, is less than a busy machine takes for many a step.
		expect: { poll: { timeout: 10_000 } },
		retry: { count: 1, condition: /^Test timed out in/ },
	},
});

import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { SpreadOut } from './test/helpers/spread-out.ts';
import { isLong } from './test/helpers/thoroughness.ts';

const builtPrograms = fileURLToPath(new URL('./dist/programs.js', import.meta.url));

export default defineConfig({
	test: {
		// Imaging processes run the build, as all processes do that tests start (docs/decisions/0051-tests-run-the-build.md).
		alias: [{ find: /^\.\.?\/programs\.ts$/, replacement: builtPrograms }],
		include: ['test/**/*.test.ts'],
		// One private Redis for the whole run: `inject('redisUrl')`.
		globalSetup: ['test/helpers/setup.ts'],
		// Processes and not threads: tests start and kill processes, and sharp's settings hold for a whole process.
		pool: 'forks',
		// Many files share a process. Loading the modules anew for each of them would take an eighth of the CPU time of the whole run.
		isolate: false,
		// Files that start whole pipelines wait for most of their time, so two cores can be kept busy with more than two files.
		maxWorkers: 4,
		sequence: { sequencer: SpreadOut },
		testTimeout: isLong ? 600_000 : 60_000,
		hookTimeout: 60_000,
		teardownTimeout: 20_000,
		// A browser or a process that stood still for long says nothing about the code. Whatever is wrong, and not only late, is told at once.
		// A second, which is Vitest's own, is less than a busy machine takes for many a step.
		expect: { poll: { timeout: 10_000 } },
		retry: { count: 1, condition: /^(Test timed out in|Not within|No such log line within|locator\.\w+: Timeout)/ },
	},
});

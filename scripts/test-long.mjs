/**
 * The long tests: full loads, ten rounds of the faults, and four times the usual property runs with a new seed.
 *
 *   node scripts/test-long.mjs [files]                       some of the tests only, as vitest takes them
 *   TEST_SEED=123 node scripts/test-long.mjs [files]         with the seed of an earlier run
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';

const vitest = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url));
const seed = process.env.TEST_SEED ?? String(randomInt(2 ** 31));
process.stdout.write(`TEST_SEED=${seed}\n`);
const { status } = spawnSync(process.execPath, [vitest, 'run', ...process.argv.slice(2)], {
	stdio: 'inherit',
	env: { ...process.env, TEST_LONG: 'true', TEST_SEED: seed },
});
// Printed again at the end, where it is easy to find.
process.stdout.write(`TEST_SEED=${seed}\n`);
process.exit(status ?? 1);

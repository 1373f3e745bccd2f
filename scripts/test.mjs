/**
 * The tests in other ways than `npm test` runs them. Everything else on the command line goes to vitest, such as files.
 *
 *   node scripts/test.mjs alone                     the tests that read pictures beside the checkout (`../shared`), without that folder
 *   node scripts/test.mjs browsers                  every picture, as the tests make them and beside the checkout, compared with what Chromium shows
 *   node scripts/test.mjs long                      full loads, ten rounds of faults, and 16 times the property runs with a new seed
 *   TEST_SEED=123 node scripts/test.mjs long        the same with the seed of an earlier run
 *   node scripts/test.mjs nodes 22 24               under other versions of Node.js, one after the other; npm installs them
 *   node scripts/test.mjs nodes 22 test/domain
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const ways = { alone, browsers, long, nodes };

const [way = '', ...rest] = process.argv.slice(2);
if (!Object.hasOwn(ways, way))
	throw new Error(`Expected one of ${Object.keys(ways).join(', ')} but received "${way}".`);
process.exitCode = ways[way](rest) ? 0 : 1;

/** @returns whether all tests passed */
function vitest(options, environment, node = process.execPath) {
	return run(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...options], environment);
}

function run(program, options, environment = {}) {
	const { status } = spawnSync(program, options, {
		cwd: root,
		stdio: 'inherit',
		env: { ...process.env, ...environment },
	});
	return status === 0;
}

function alone(options) {
	const files = readdirSync(join(root, 'test'), { recursive: true })
		.map((name) => join('test', String(name)))
		.filter((name) => name.endsWith('.test.ts') && readFileSync(join(root, name), 'utf8').includes('sharedPictures('));
	if (files.length === 0) throw new Error('Expected tests that read pictures beside the checkout but found none.');
	return vitest([...files, ...options], { TEST_ALONE: 'true' });
}

function browsers(options) {
	return vitest(['test/browsers', ...options], { TEST_BROWSERS: 'whole' });
}

function long(options) {
	const seed = process.env.TEST_SEED ?? String(randomInt(2 ** 31));
	const printSeed = () => process.stdout.write(`TEST_SEED=${seed}\n`);
	printSeed();
	const hasPassed = vitest(options, { TEST_LONG: 'true', TEST_SEED: seed });
	// Again at the end, where people look.
	printSeed();
	return hasPassed;
}

function nodes(options) {
	const isVersion = (option) => /^\d+(\.\d+)*$/.test(option);
	const versions = options.filter(isVersion);
	if (versions.length === 0) throw new Error('Expected versions of Node.js, such as 22 24, but received none.');
	const failed = versions.filter((version) => {
		const node = install(version);
		process.stdout.write(`\nNode.js ${version}\n`);
		// The tests start their own processes with the same version.
		const PATH = `${join(node, '..')}${delimiter}${process.env.PATH ?? ''}`;
		return !vitest(
			options.filter((option) => !isVersion(option)),
			{ PATH },
			node,
		);
	});
	if (failed.length > 0) process.stderr.write(`\nFailed with Node.js ${failed.join(', ')}\n`);
	return failed.length === 0;
}

/** @returns the program's path */
function install(version) {
	const name = `node-${process.platform}-${process.arch}`;
	const folder = join(root, 'node_modules/.cache/nodes', version);
	const options = ['--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
	if (!run('npm', ['install', ...options, `${name}@${version}`]))
		throw new Error(`npm did not install ${name}@${version}.`);
	return join(folder, 'node_modules', name, 'bin/node');
}

/**
 * Runs the tests under other versions of Node.js, one after the other. npm provides them.
 *
 *   node scripts/test-nodes.mjs 22 24            all of the tests
 *   node scripts/test-nodes.mjs 22 test/domain   some of them, as vitest takes them
 */
import { spawnSync } from 'node:child_process';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const isVersion = (argument) => /^\d+(\.\d+)*$/.test(argument);
const versions = process.argv.slice(2).filter(isVersion);
const rest = process.argv.slice(2).filter((argument) => !isVersion(argument));
if (versions.length === 0) throw new Error('Expected versions of Node.js, such as 22 24, but received none.');

const failed = versions.filter((version) => {
	const node = install(version);
	process.stdout.write(`\nNode.js ${version}\n`);
	// Programs that the tests start use the same version.
	const PATH = `${join(node, '..')}${delimiter}${process.env.PATH ?? ''}`;
	return !run(node, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...rest], { PATH });
});
if (failed.length > 0) {
	process.stderr.write(`\nFailed with Node.js ${failed.join(', ')}\n`);
	process.exit(1);
}

/** @returns the program's path */
function install(version) {
	const name = `node-${process.platform}-${process.arch}`;
	const folder = join(root, 'node_modules/.cache/nodes', version);
	const options = ['--prefix', folder, '--no-save', '--no-audit', '--no-fund', '--loglevel=error'];
	if (!run('npm', ['install', ...options, `${name}@${version}`]))
		throw new Error(`npm did not bring ${name}@${version}.`);
	return join(folder, 'node_modules', name, 'bin/node');
}

function run(program, options, environment = {}) {
	return (
		spawnSync(program, options, { cwd: root, stdio: 'inherit', env: { ...process.env, ...environment } }).status === 0
	);
}

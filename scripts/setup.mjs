#!/usr/bin/env node
/**
 * Everything that has to be there before picpipe can run, be tested or be checked. Plain Node without dependencies,
 * because it is what installs them. What is there already is left alone, so a second run takes a moment.
 *
 *   node scripts/setup.mjs start [--no-run]   packages, Redis, build; then runs `picpipe start` in this process
 *   node scripts/setup.mjs build              packages, build
 *   node scripts/setup.mjs test               packages, Redis, Chromium, a font, libfaketime, nginx
 *   node scripts/setup.mjs docs               packages, build, a font
 *   node scripts/setup.mjs check              the same
 *
 * It speaks on standard error: standard output belongs to what runs afterwards.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
	accessSync,
	chmodSync,
	constants,
	existsSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const inRoot = (...parts) => join(root, ...parts);

/** The steps of each goal, in order. */
const goals = {
	start: [installPackages, provideRedisUnlessGiven, build],
	build: [installPackages, build],
	test: [installPackages, provideRedis, provideChromium, provideFont, provideFaketime, provideNginx],
	docs: [installPackages, build, provideFont],
	check: [installPackages, build, provideFont],
};

/** A problem that a person has to solve; printed without a stack trace. */
class SetupError extends Error {}

/** Stopped during a step: exit normally, so that temporary changes are undone. */
const leave = (_signal, number) => process.exit(128 + number);
process.on('SIGINT', leave).on('SIGTERM', leave);

const [goal = '', ...options] = process.argv.slice(2);
try {
	const steps = goals[goal];
	if (!steps) throw new SetupError(`Expected one of ${Object.keys(goals).join(', ')} but received "${goal}".`);
	checkNode();
	for (const step of steps) await step();
} catch (error) {
	if (!(error instanceof SetupError)) throw error;
	process.stderr.write(`\n${error.message}\n\n`);
	process.exit(2);
}
if (goal === 'start' && !options.includes('--no-run')) await runPicpipe(options);

function checkNode() {
	const { engines } = JSON.parse(readFileSync(inRoot('package.json'), 'utf8'));
	const [major, minor] = engines.node.match(/\d+/g).map(Number);
	const [ourMajor, ourMinor] = process.versions.node.split('.').map(Number);
	if (ourMajor > major || (ourMajor === major && ourMinor >= minor)) return;
	throw new SetupError(
		`picpipe needs Node.js ${major}.${minor} or newer but this is ${process.versions.node} (${process.execPath}).\n` +
			'Get a newer one from https://nodejs.org or with a version manager such as nvm or fnm.',
	);
}

/** Runs `npm ci` if node_modules does not match package-lock.json on this machine. */
async function installPackages() {
	const stamp = inRoot('node_modules', '.picpipe-setup');
	const lock = readFileSync(inRoot('package-lock.json'), 'utf8');
	// Some packages contain native code: a folder from another system or for another Node.js does not work.
	const wanted = digest(lock, process.platform, process.arch, process.versions.modules);
	if (readOr(stamp, '') === wanted) return;
	if (!isInstalled(JSON.parse(lock))) {
		const ownNpm = process.env.npm_execpath;
		const npm = ownNpm?.endsWith('.js') ? [process.execPath, ownNpm] : ['npm'];
		await step('Installing npm packages', () =>
			// Includes development packages, whatever NODE_ENV says: the compiler is one.
			run([...npm, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']),
		);
	}
	writeFileSync(stamp, wanted);
}

/** npm keeps its own list of installed packages, so an `npm install` by hand does not cause another install here. */
function isInstalled(lock) {
	const installed = JSON.parse(readOr(inRoot('node_modules', '.package-lock.json'), '{}')).packages ?? {};
	return Object.entries(lock.packages).every(([path, entry]) => {
		if (path === '' || entry.link) return true;
		// An optional package counts only if it is made for exactly this machine, like native code.
		if (entry.optional && !(entry.os && isForThisMachine(entry))) return true;
		return installed[path]?.version === entry.version && existsSync(inRoot(path));
	});
}

function isForThisMachine({ os, cpu, libc }) {
	const has = (list, value) =>
		!list || list.includes(value) || list.some((one) => one[0] === '!' && one !== `!${value}`);
	return has(os, process.platform) && has(cpu, process.arch) && (!libc || libc.includes(libcFamily()));
}

function libcFamily() {
	if (process.platform !== 'linux') return undefined;
	return process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
}

async function provideRedisUnlessGiven() {
	if (!process.env.REDIS_URL) await provideRedis();
}

/** A Redis server that picpipe can start. */
async function provideRedis() {
	const find = () => findOnPath('redis-server') ?? findOnPath('valkey-server');
	if (find()) return;
	if (canUseApt()) await step('Installing redis-server with apt-get', () => aptInstall('redis-server', 'redis-server'));
	if (find()) return;
	throw new SetupError(
		`picpipe needs a Redis server to run as its own, and there is no redis-server or valkey-server on the PATH.\n\n${advice(
			{
				brew: 'brew install redis',
				apt: 'sudo apt-get install redis-server',
				dnf: 'sudo dnf install valkey',
				apk: 'sudo apk add valkey',
			},
		)}\n\nOr use one that runs already (6.2 or newer), for example in Docker:\n\n` +
			'  docker run -d --name picpipe-redis -p 127.0.0.1:6379:6379 -v picpipe-redis:/data redis:7 \\\n' +
			'    redis-server --appendonly yes --maxmemory-policy noeviction\n' +
			'  REDIS_URL=redis://127.0.0.1:6379 npm start',
	);
}

/** A browser for the tests of Arena's pages. */
async function provideChromium() {
	const file = process.env.CHROME_PATH || '/usr/bin/chromium';
	if (isExecutable(file)) return;
	// Ubuntu's package only refers to a snap, which cannot be installed in a container.
	if (!process.env.CHROME_PATH && canUseApt() && !/^ID=ubuntu/m.test(readOr('/etc/os-release', ''))) {
		await step('Installing chromium with apt-get', () => aptInstall('chromium'));
	}
	if (isExecutable(file)) return;
	throw new SetupError(
		`The tests need Chromium, and there is none at ${file}.\n\n${advice({
			brew: 'brew install --cask chromium',
			apt: 'sudo apt-get install chromium',
			dnf: 'sudo dnf install chromium',
			apk: 'sudo apk add chromium',
		})}\n\nOr set CHROME_PATH to the program of any Chromium or Chrome, for example\n\n` +
			"  CHROME_PATH='/Applications/Google Chrome.app/Contents/MacOS/Google Chrome' npm test",
	);
}

/** A font for the tests and the example of `text`. macOS and Windows always have some. */
async function provideFont() {
	if (process.platform !== 'linux') return;
	const folders = [
		'/usr/share/fonts',
		'/usr/local/share/fonts',
		join(homedir(), '.local/share/fonts'),
		join(homedir(), '.fonts'),
	];
	const isThere = () => folders.some((folder) => listFiles(folder).some((file) => /\.(ttf|otf|ttc)$/i.test(file)));
	if (isThere()) return;
	if (canUseApt()) await step('Installing a font with apt-get', () => aptInstall('fonts-dejavu-core'));
	if (isThere()) return;
	throw new SetupError(
		`The tests and the reference need a font, and there is none in ${folders.join(', ')}.\n\n${advice({
			brew: 'brew install --cask font-dejavu',
			apt: 'sudo apt-get install fonts-dejavu-core',
			dnf: 'sudo dnf install dejavu-sans-fonts',
			apk: 'sudo apk add font-dejavu',
		})}`,
	);
}

/** A library that gives a process a different clock, for the tests of clock jumps. */
async function provideFaketime() {
	if (process.platform !== 'linux') return;
	const isThere = () =>
		[
			'/usr/lib',
			'/usr/lib64',
			'/usr/local/lib',
			`/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`,
		]
			.map((folder) => join(folder, 'faketime/libfaketimeMT.so.1'))
			.some((file) => existsSync(file));
	if (isThere()) return;
	if (canUseApt()) await step('Installing libfaketime with apt-get', () => aptInstall('libfaketime'));
	if (isThere()) return;
	throw new SetupError(
		`The tests need libfaketime, to see what happens when the clock jumps.\n\n${advice({
			brew: 'brew install libfaketime',
			apt: 'sudo apt-get install libfaketime',
			dnf: 'sudo dnf install libfaketime',
			apk: 'sudo apk add libfaketime',
		})}`,
	);
}

/** nginx, for the test of docs/nginx.md. */
async function provideNginx() {
	const find = () => findOnPath('nginx') ?? ['/usr/sbin/nginx'].find(isExecutable);
	if (find()) return;
	if (canUseApt()) await step('Installing nginx with apt-get', () => aptInstall('nginx', 'nginx'));
	if (find()) return;
	throw new SetupError(
		`The tests need nginx, and there is none on the PATH.\n\n${advice({
			brew: 'brew install nginx',
			apt: 'sudo apt-get install nginx',
			dnf: 'sudo dnf install nginx',
			apk: 'sudo apk add nginx',
		})}`,
	);
}

function listFiles(folder) {
	return existsSync(folder) ? readdirSync(folder, { recursive: true }).map(String) : [];
}

/** The exact command for this system. */
function advice(commands) {
	const known = { brew: 'brew', apt: 'apt-get', dnf: 'dnf', apk: 'apk' };
	const name = Object.keys(known).find((one) => findOnPath(known[one])) ?? 'brew';
	return `On this system:\n\n  ${commands[name]}`;
}

function canUseApt() {
	return process.getuid?.() === 0 && existsSync('/etc/debian_version') && findOnPath('apt-get') !== undefined;
}

/** @param service a system service of the package that must not run: picpipe starts its own */
async function aptInstall(name, service) {
	const install = ['apt-get', 'install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', name];
	const restorePolicy = service ? forbidServices() : () => {};
	try {
		// A fresh container has no package lists, and an old one has outdated versions.
		await run(install, { quiet: true }).catch(async () => {
			await run(['apt-get', 'update', '-qq']);
			await run(install);
		});
		// The package enables its service for the next boot.
		if (service && existsSync('/run/systemd/system')) {
			await run(['systemctl', 'disable', service], { quiet: true }).catch(() => {});
		}
	} finally {
		restorePolicy();
	}
}

/** Debian calls /usr/sbin/policy-rc.d before it starts a service; 101 means no. An existing file already decides. */
function forbidServices() {
	const policy = '/usr/sbin/policy-rc.d';
	try {
		// If this process is killed before it removes the file, the file has no effect any more.
		const script = `#!/bin/sh\n# Of picpipe's set-up while it runs; may be deleted.\nkill -0 ${process.pid} 2>/dev/null && exit 101\nexit 0\n`;
		writeFileSync(policy, script, { flag: 'wx', mode: 0o755 });
	} catch {
		return () => {};
	}
	const restore = () => rmSync(policy, { force: true });
	process.once('exit', restore);
	return restore;
}

/**
 * `tsc`, module by module, and `bundle.mjs`, program by program, into a folder of its own, which then takes the place of dist: nothing half-built and
 * nothing stale is ever there.
 */
async function build() {
	const wanted = digest(...sources().flatMap((file) => [file, readFileSync(inRoot(file))]));
	const stamp = inRoot('dist', '.picpipe-setup');
	if (readOr(stamp, '') === wanted) return;
	await step('Building', async () => {
		const fresh = inRoot(`.dist-${process.pid}`);
		const old = inRoot(`.dist-${process.pid}-old`);
		try {
			const tsc = inRoot('node_modules', 'typescript', 'bin', 'tsc');
			await run([process.execPath, tsc, '-p', 'tsconfig.build.json', '--outDir', fresh]);
			await run([process.execPath, inRoot('scripts', 'bundle.mjs'), join(fresh, 'bin')]);
			chmodSync(join(fresh, 'bin', 'cli.js'), 0o755);
			writeFileSync(join(fresh, '.picpipe-setup'), wanted);
			try {
				if (existsSync(inRoot('dist'))) renameSync(inRoot('dist'), old);
				renameSync(fresh, inRoot('dist'));
			} catch (error) {
				// Another build at the same time was quicker with the same result.
				if (readOr(stamp, '') !== wanted) throw error;
			}
		} finally {
			for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
		}
	});
}

/** Everything that the build depends on. */
function sources() {
	const all = readdirSync(inRoot('src'), { recursive: true, withFileTypes: true });
	const files = all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
	return [
		...files.map((file) => file.slice(root.length)).sort(),
		'scripts/bundle.mjs',
		'tsconfig.json',
		'tsconfig.build.json',
		'package-lock.json',
	];
}

/** In this process: signals reach the supervisor directly, and npm returns its exit code. */
async function runPicpipe(rest) {
	const cli = inRoot('dist', 'bin', 'cli.js');
	process.argv = [process.execPath, cli, 'start', ...rest];
	process.off('SIGINT', leave).off('SIGTERM', leave);
	// A killed npm cannot forward a signal. Its end still means that everything should stop.
	const parent = process.ppid;
	if (process.env.npm_lifecycle_event) {
		setInterval(() => process.ppid !== parent && process.kill(process.pid, 'SIGTERM'), 2_000).unref();
	}
	await import(pathToFileURL(cli).href);
}

/** A step may take minutes. A terminal sees the seconds pass; elsewhere there is a line now and then. */
async function step(name, work) {
	const began = performance.now();
	const seconds = (digits) => ((performance.now() - began) / 1_000).toFixed(digits);
	const { isTTY } = process.stderr;
	process.stderr.write(`${name} ...${isTTY ? '' : '\n'}`);
	const showing = setInterval(
		() => process.stderr.write(isTTY ? `\r${name} ... ${seconds(0)} s` : `${name} ... ${seconds(0)} s\n`),
		isTTY ? 1_000 : 10_000,
	);
	try {
		await work();
	} finally {
		clearInterval(showing);
		if (isTTY) process.stderr.write('\r\u001b[K');
	}
	process.stderr.write(`${name}: done in ${seconds(1)} s\n`);
}

/** @param quiet show its output only if it fails */
function run([command, ...rest], { quiet = false } = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(command, rest, {
			cwd: root,
			env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
			stdio: ['ignore', 'pipe', 'pipe'],
		});
		const killIt = () => child.kill();
		process.once('exit', killIt);
		let output = '';
		for (const stream of [child.stdout, child.stderr]) {
			stream.on('data', (chunk) => {
				output += chunk;
			});
		}
		child.once('error', reject);
		child.once('close', (code, signal) => {
			process.off('exit', killIt);
			if (code === 0) return resolve();
			if (!quiet) process.stderr.write(output);
			reject(new SetupError(`\`${[command, ...rest].join(' ')}\` failed (${signal ?? `exit code ${code}`}).`));
		});
	});
}

function findOnPath(name) {
	const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
	return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(file) {
	try {
		accessSync(file, constants.X_OK);
		return true;
	} catch {
		return false;
	}
}

function readOr(file, fallback) {
	try {
		return readFileSync(file, 'utf8');
	} catch {
		return fallback;
	}
}

function digest(...parts) {
	const hash = createHash('sha256');
	// Each part is preceded by its length, so that different lists never look equal.
	for (const part of parts) hash.update(`${part.length}:`).update(part);
	return hash.digest('hex');
}

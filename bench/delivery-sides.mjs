import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startWhole } from './sides.mjs';

/**
 * The servers that are compared: picpipe, ipx, and the image optimizer of Next. All of them get the same photographs and make WebP of the
 * same width and quality.
 *
 * @typedef {{ name: string, children(): number[], address(photograph: number, width: number): string, stop(): Promise<void> }} Server
 */

/** The quality of every result. Next allows only configured qualities. */
const quality = 75;

/** Versions of Next, which only this comparison needs. They are installed into a folder of the benchmark. */
const nextPackages = ['next@16.4.6', 'react@19.2.0', 'react-dom@19.2.0'];

/** @returns {Promise<Server>} */
export async function startPicpipe(folder, photographs) {
	const side = await startWhole(folder);
	const ids = [];
	for (const path of photographs) {
		const answer = await fetch(`${side.api}/v1/pictures`, {
			method: 'POST',
			headers: { 'content-type': 'image/jpeg', prefer: 'wait=60' },
			body: await readFile(path),
		});
		if (answer.status !== 201 && answer.status !== 200) throw new Error(`An upload was answered ${answer.status}.`);
		ids.push((await answer.json()).id);
	}
	return {
		name: 'picpipe',
		children: side.children,
		address: (at, width) => `${side.api}/img/unsafe/w:${width}/q:${quality}/plain/${ids[at]}@webp`,
		stop: side.stop,
	};
}

/** @returns {Promise<Server>} */
export async function startIpx(folder, photographs) {
	await givePhotographs(folder, photographs);
	const program = fileURLToPath(new URL('./ipx-process.mjs', import.meta.url));
	const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
	const address = await firstLine(child, /^(http\S+)/);
	return {
		name: 'ipx',
		children: () => [child.pid],
		address: (at, width) => `${address}/w_${width},f_webp,q_${quality}/${at}.jpg`,
		stop: () => end(child),
	};
}

/** @param {readonly number[]} widths that are requested; Next makes no others. @returns {Promise<Server>} */
export async function startNext(folder, photographs, widths) {
	await mkdir(join(folder, 'pages'), { recursive: true });
	await givePhotographs(join(folder, 'public'), photographs);
	await writeFile(join(folder, 'package.json'), '{ "name": "peer", "private": true }');
	await writeFile(join(folder, 'pages', 'index.js'), 'export default function Page() { return null; }\n');
	const images = { deviceSizes: widths, imageSizes: [16], qualities: [quality], formats: ['image/webp'] };
	await writeFile(join(folder, 'next.config.mjs'), `export default ${JSON.stringify({ images })};\n`);
	const settings = { ...process.env, NEXT_TELEMETRY_DISABLED: '1' };
	run('npm', ['install', '--no-audit', '--no-fund', '--save-exact', ...nextPackages], folder, settings);
	const cli = join(folder, 'node_modules', 'next', 'dist', 'bin', 'next');
	run(process.execPath, [cli, 'build'], folder, settings);
	const child = spawn(process.execPath, [cli, 'start', '--port', '0', '--hostname', '127.0.0.1'], {
		cwd: folder,
		env: settings,
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const address = await firstLine(child, /(http:\/\/127\.0\.0\.1:\d+)/);
	return {
		name: 'next/image',
		children: () => [child.pid],
		address: (at, width) => `${address}/_next/image?url=%2F${at}.jpg&w=${width}&q=${quality}`,
		stop: () => end(child),
	};
}

async function givePhotographs(folder, photographs) {
	await mkdir(folder, { recursive: true });
	for (const [at, path] of photographs.entries()) await copyFile(path, join(folder, `${at}.jpg`));
}

function run(command, parameters, cwd, env) {
	const { status, stdout, stderr } = spawnSync(command, parameters, { cwd, env, encoding: 'utf8' });
	if (status !== 0) throw new Error(`${command} ${parameters.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
}

async function firstLine(child, pattern) {
	for await (const line of createInterface({ input: child.stdout })) {
		const found = pattern.exec(line)?.[1];
		if (!found) continue;
		// Keep reading, because a full pipe would block it.
		child.stdout.resume();
		return found;
	}
	throw new Error('A server ended before it was ready.');
}

async function end(child) {
	if (child.exitCode !== null) return;
	child.kill('SIGTERM');
	await once(child, 'exit');
}

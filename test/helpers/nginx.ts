import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished } from 'vitest';
import { temporaryFolder } from './folder.ts';

/** Starts nginx with the blocks of `server` that `write` returns for a free port. Ended with the test. @returns its URL */
export async function startNginx(write: (port: number) => Promise<string> | string): Promise<string> {
	const port = await freePort();
	const own = await write(port);
	const folder = await temporaryFolder();
	const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
		(name) => `${name}_temp_path ${folder}/${name};`,
	);
	// Stored files are readable by nobody but who made them.
	const user = process.getuid?.() === 0 ? 'user root;' : '';
	const types = 'types { } default_type application/octet-stream;';
	await writeFile(
		join(folder, 'nginx.conf'),
		`${user} daemon off; pid ${folder}/pid; error_log ${folder}/error.log; events { } http { access_log off; ${types} ${paths.join(' ')}\n${own}}\n`,
	);
	const nginx = spawn('nginx', ['-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')], {
		stdio: ['ignore', 'ignore', 'pipe'],
		env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
	});
	const said = text(nginx.stderr);
	const ended = once(nginx, 'exit');
	onTestFinished(async () => {
		nginx.kill('SIGTERM');
		await ended;
	});
	const url = `http://127.0.0.1:${port}`;
	await expect
		.poll(async () => {
			if (nginx.exitCode !== null) throw new Error(`nginx ended: ${await said}`);
			return fetch(`${url}/healthz`).then(
				({ status }) => status > 0,
				() => false,
			);
		})
		.toBe(true);
	return url;
}

async function freePort(): Promise<number> {
	const server = createServer().listen(0, '127.0.0.1');
	await once(server, 'listening');
	const address = server.address();
	server.close();
	await once(server, 'close');
	return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

import { readdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { openStorage } from '../../src/storage/index.ts';
import { listed } from '../contract/storage.ts';
import { json } from '../helpers/api.ts';
import { bearer } from '../helpers/keys.ts';
import { PicpipeProcess } from '../helpers/processes.ts';
import { temporaryFolder } from '../supervisor/folder.ts';

/** Runs `picpipe keys …`, with standard output by itself. */
async function keys(folder: string, ...list: string[]) {
	const picpipe = new PicpipeProcess({ folder, command: 'keys', arguments: list });
	let stdout = '';
	picpipe.child.stdout?.on('data', (chunk) => {
		stdout += chunk;
	});
	const { code } = await picpipe.exited;
	return { code, stdout, output: picpipe.output };
}

describe('picpipe keys', { timeout: 120_000 }, () => {
	test('creates, lists and revokes keys without Redis, and shows each once', async () => {
		const folder = await temporaryFolder();
		const none = await keys(folder, 'list');
		expect(none).toMatchObject({ code: 0, stdout: expect.stringMatching(/^There are no keys in file:/) });

		const camera = await keys(
			folder,
			...[
				'add',
				'--name',
				'the camera',
				'--group',
				'cameras',
				'--scope',
				'upload,read',
				'--recipe',
				'web',
				'--recipe',
				'avatar,web',
			],
			...['--rate', '60/min', '--concurrency', '4', '--per-day', '1000'],
		);
		expect(camera.code, camera.output).toBe(0);
		// The key alone, so that a script can take it.
		expect(camera.stdout).toMatch(/^picpipe_[0-9a-z]{26}_[A-Za-z0-9_-]{43}\n$/);
		expect(camera.output).toContain('"the camera"');
		expect(camera.output).toContain('60 requests a minute, 4 at once, 1,000 pictures a day');
		expect(camera.output).toContain('It is the first one');
		expect(camera.output).toContain('Nobody has the scope "admin" yet');
		const admin = await keys(folder, 'add', '--name', 'me', '--scope', 'admin');
		expect(admin.code).toBe(0);
		expect(admin.output).not.toContain('It is the first one');

		const list = await keys(folder, 'list');
		const [header = '', one = '', other = '', ...rest] = list.stdout.trimEnd().split('\n');
		expect(header).toMatch(/^id +name +group +may +recipes +limits +made +revoked$/);
		expect(one).toMatch(
			/^key_\w{26} +the camera +cameras +upload, read +web, avatar +60 requests a minute, 4 at once, 1,000 pictures a day +\d{4}-\d\d-\d\d$/,
		);
		expect(other).toMatch(/^key_\w{26} +me +its own +admin +all +none +\d{4}-\d\d-\d\d$/);
		expect(rest).toEqual([]);
		const shown = JSON.parse((await keys(folder, 'list', '--json')).stdout);
		expect(shown).toMatchObject([
			{
				name: 'the camera',
				group: 'cameras',
				scopes: ['upload', 'read'],
				recipes: ['web', 'avatar'],
				limits: { rate: { requests: 60, seconds: 60 }, concurrency: 4, perDay: 1_000 },
			},
			{ name: 'me', group: expect.stringMatching(/^key_/), scopes: ['admin'], limits: {} },
		]);
		const secret = camera.stdout.trim().slice(-43);
		for (const text of [list.output, JSON.stringify(shown)]) {
			expect(text).not.toContain(secret);
			expect(text).not.toMatch(/[0-9a-f]{64}/);
		}

		// A key is replaced by another one of its group, which is its id if it has no name.
		const [{ id }, me] = shown;
		const next = await keys(folder, 'add', '--name', 'me again', '--scope', 'admin', '--group', me.id);
		expect(next.output).toContain(`group    ${me.id}`);
		await keys(folder, 'revoke', 'me again');
		const all = JSON.parse((await keys(folder, 'list', '--json')).stdout);
		expect(all[2]).toMatchObject({ group: me.id });
		const byName = await keys(folder, 'revoke', 'the camera');
		expect(byName).toMatchObject({
			code: 0,
			stdout: expect.stringMatching(new RegExp(`^${id} "the camera" is revoked: within 10 s`)),
		});
		expect((await keys(folder, 'revoke', id)).stdout).toContain(`${id} "the camera" has been revoked since`);
		expect((await keys(folder, 'list')).stdout.split('\n')[1]).toMatch(/\d{4}-\d\d-\d\d {2}\d{4}-\d\d-\d\d$/);
		expect((await keys(folder, 'revoke', shown[1].id)).stdout).toContain('It was the last key');
		expect(await listed(openStorage(`file:${folder}`), 'keys/')).toEqual(
			all.map((key: { id: string }) => `keys/revoked/${key.id}`),
		);
		expect(await readdir(folder), 'nothing else was begun, no Redis above all').toEqual(['keys']);
	});

	test('reports every invalid flag at once, with exit code 2, and creates nothing', async () => {
		const folder = await temporaryFolder();
		const wrong = await keys(
			folder,
			'add',
			'--name',
			'',
			'--scope',
			'upload,write',
			'--rate',
			'often',
			'--concurrency',
			'0',
			'--per-day',
			'x',
			'--recipe',
			'../web',
			'--group',
			'watch',
		);
		expect(wrong.code).toBe(2);
		for (const part of [
			'--name: expected',
			'--scope: expected some of upload, read, admin but received "write"',
			'--rate: expected',
			'--concurrency: expected',
			'--per-day: expected',
			'--recipe: expected',
			'--group: expected 1 to 63 characters a to z, 0 to 9, _ and -, and none of local, settings, watch',
		]) {
			expect(wrong.output).toContain(part);
		}
		const mistyped = await keys(folder, 'add', '--name', 'a', '--scope', 'read', '--group', 'key_0');
		expect(mistyped.code).toBe(2);
		expect(mistyped.output).toContain('--group: expected the group of an existing key');
		const nobody = await keys(folder, 'revoke', 'nobody');
		expect(nobody.code).toBe(2);
		expect(nobody.output).toContain('expected the id or the name of a key but received "nobody"');
		expect(await readdir(folder)).toEqual([]);
		await keys(folder, 'add', '--name', 'twin', '--scope', 'read');
		await keys(folder, 'add', '--name', 'twin', '--scope', 'read');
		const twins = await keys(folder, 'revoke', 'twin');
		expect(twins.code).toBe(2);
		expect(twins.output).toMatch(/2 are named "twin": key_\w+, key_\w+/);
	});
});

describe('picpipe start', { timeout: 120_000 }, () => {
	test('beyond loopback requires a key, prints how to send it, and requires one in Arena too', async () => {
		const folder = await temporaryFolder();
		const environment = { PICPIPE_HOST: '0.0.0.0', PICPIPE_ARENA_HOST: '0.0.0.0' };
		const refused = new PicpipeProcess({ folder, environment: { PICPIPE_HOST: '0.0.0.0' } });
		expect((await refused.exited).code, refused.output).toBe(2);
		expect(refused.output).toMatch(
			/PICPIPE_HOST: expected an API key or PICPIPE_API_KEYS because 0\.0\.0\.0 is reachable from other machines/,
		);
		expect(refused.survivors()).toEqual([]);

		const reader = await keys(folder, 'add', '--name', 'reader', '--scope', 'read');
		const half = new PicpipeProcess({ folder, environment });
		expect((await half.exited).code, half.output).toBe(2);
		expect(half.output).toMatch(
			/PICPIPE_ARENA_HOST: expected an API key with the scope "admin" or PICPIPE_ARENA_PASSWORD/,
		);

		const admin = await keys(folder, 'add', '--name', 'me', '--scope', 'admin');
		const picpipe = new PicpipeProcess({ folder, environment });
		try {
			const { api, arena, curl } = await picpipe.ready();
			expect(curl).toContain('-H "Authorization: Bearer $PICPIPE_KEY"');
			const [one, other] = [reader, admin].map(({ stdout }) => stdout.trim());
			expect((await fetch(`${api}/v1/pictures`)).status).toBe(401);
			expect((await fetch(`${api}/v1/pictures`, { headers: bearer(one ?? '') })).status).toBe(200);
			expect(await json(await fetch(`${api}/v1/queues`, { headers: bearer(one ?? '') }))).toMatchObject({
				code: 'insufficient-scope',
			});
			expect((await fetch(`${api}/v1/queues`, { headers: bearer(other ?? '') })).status).toBe(200);
			const arenaWith = async (key: string) =>
				(
					await fetch(arena, {
						headers: { authorization: `Basic ${Buffer.from(`anybody:${key}`).toString('base64')}` },
					})
				).status;
			expect((await fetch(arena)).status).toBe(401);
			expect(await arenaWith(one ?? '')).toBe(401);
			expect(await arenaWith(other ?? '')).toBe(200);
			expect(await picpipe.stop()).toMatchObject({ code: 0 });
		} finally {
			await picpipe.destroy();
		}
	});
});

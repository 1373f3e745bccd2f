import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Scope } from '../../src/access/key-rights.ts';
import { openKeyRing } from '../../src/access/key-ring.ts';
import { addKey, revokeKey } from '../../src/access/key-store.ts';
import { ConfigError } from '../../src/config/index.ts';
import { createLogger } from '../../src/observe/log.ts';
import { arenaJobPath } from '../../src/queue/jobs.ts';
import { openFileStorage } from '../../src/storage/fs.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { ask, jobIn, openTestArena, states, type TestArena } from './fixture.ts';

let arena: TestArena;

beforeEach(async () => {
	arena = await openTestArena();
});
afterEach(() => arena.close());

const get = (path: string, headers = {}) => ask(arena.address, path, { headers });

describe.each([...states, 'paused', 'waiting-children'])('the list of jobs that are %s', (state) => {
	it('contains exactly those, as a page and as JSON', async () => {
		const ids = new Map<string, string>();
		for (const one of states) ids.set(one, await jobIn(one, arena));
		const page = await get(`/picpipe/pictures/${state}`);
		expect(page.status).toBe(200);
		const dump = await get(`/picpipe/pictures/${state}.json`);
		expect(dump.status).toBe(200);
		const jobs = JSON.parse(dump.body) as { id: string }[];
		for (const [one, id] of ids) {
			expect(page.body.includes(id)).toBe(one === state);
			expect(jobs.some((job) => job.id === id)).toBe(one === state);
		}
	});
});

describe('a job', () => {
	it('is available as JSON without internals of BullMQ', async () => {
		const jobId = await jobIn('failed', arena, 'photo.jpg');
		const { status, body } = await get(`${arenaJobPath('pictures', jobId)}?json=true`);
		expect(status).toBe(200);
		const job = JSON.parse(body);
		expect(job).toMatchObject({ id: jobId, name: 'process', failedReason: 'corrupt at decode' });
		expect(job.data.source.filename).toBe('photo.jpg');
		expect(job.data).not.toHaveProperty('arenaName');
		expect(job.opts).toMatchObject({ attempts: 5, backoff: { type: 'exponential', delay: 60_000 } });
		expect(job).not.toHaveProperty('backend');
		expect(job).not.toHaveProperty('queue');
	});

	it.each([
		['an unknown id', 'nope'],
		['a number', '1'],
		['another key of the queue', 'meta'],
		['a stream of the queue', 'events'],
		['a list of the queue', 'wait'],
		['a NUL', '%00'],
		['much', 'a'.repeat(5_000)],
	])('that does not exist (%s) has a page that says so', async (_what, id) => {
		await jobIn('completed', arena);
		await jobIn('waiting', arena);
		const { status, body } = await get(`/picpipe/pictures/${id}`);
		expect(status).toBe(404);
		expect(body).toContain('not found');
	});

	it('that is gone cannot be changed, nor can keys that are not jobs', async () => {
		const jobId = await jobIn('failed', arena);
		await arena.pictures.remove(jobId);
		await jobIn('waiting', arena);
		const keys = (await arena.redis.keys(`${arena.prefix}:*`)).sort();
		for (const id of [jobId, 'nope', 'meta', 'events', 'wait']) {
			for (const [method, path] of [
				['DELETE', `/job/${id}`],
				['PATCH', `/job/${id}`],
				['PATCH', `/delayed/job/${id}`],
				['PUT', `/job/${id}/data`],
			] as const) {
				const { status } = await ask(arena.address, `/api/queue/picpipe/pictures${path}`, { method });
				expect([method, path, status]).toEqual([method, path, 404]);
			}
		}
		expect((await arena.redis.keys(`${arena.prefix}:*`)).sort()).toEqual(keys);
	});
});

describe.each(states)('jobs that are %s', (state) => {
	const headers = { 'content-type': 'application/json' };
	const isHeld = state === 'active';

	it('can be removed, unless a worker holds them', async () => {
		const jobId = await jobIn(state, arena);
		const path = `/api/queue/picpipe/pictures/job/${jobId}`;
		expect((await ask(arena.address, path, { method: 'DELETE' })).status).toBe(isHeld ? 500 : 200);
		expect(await arena.pictures.getJobState(jobId)).toBe(isHeld ? 'active' : 'unknown');
	});

	it('can be cleaned, unless a worker holds them, while others stay', async () => {
		const jobId = await jobIn(state, arena);
		const other = await jobIn(state === 'delayed' ? 'waiting' : 'delayed', arena);
		const path = '/api/queue/picpipe/pictures/jobs/bulk';
		const body = JSON.stringify({ queueState: state, jobs: [] });
		expect((await ask(arena.address, path, { method: 'DELETE', headers, body })).status).toBe(200);
		expect(await arena.pictures.getJobState(jobId)).toBe(isHeld ? 'active' : 'unknown');
		expect(await arena.pictures.getJobState(other)).not.toBe('unknown');
	});
});

describe('URLs', () => {
	it.each(['/nope', '/picpipe', '/%E0%A4%A', '/api/queue/picpipe/pictures'])('%s does not exist', async (path) => {
		const { status, headers, body } = await get(path);
		expect(status).toBe(404);
		expect(headers['content-type']).toMatch(/^text\/plain/);
		expect(body).toBe('Nothing exists at this URL.\n');
	});

	it.each(['/picpipe/nope', '/other/pictures', '/picpipe/nope/failed', '/flows/a'])(
		'%s is not a queue',
		async (path) => {
			const { status, body } = await get(path);
			expect(status).toBe(404);
			expect(body).toContain('not found');
		},
	);

	it.each([
		['a body that is no JSON', '{', 400],
		['a body that is too large', JSON.stringify({ data: 'x'.repeat(200_000) }), 413],
	])('refuse %s', async (_what, body, expected) => {
		const headers = { 'content-type': 'application/json' };
		const answer = await ask(arena.address, '/api/queue/picpipe/pictures/job', { method: 'POST', headers, body });
		expect(answer.status).toBe(expected);
		expect(answer.body).not.toMatch(/\bat .*\.js/);
	});

	it('have headers that keep out other sites, caches and scripts', async () => {
		const { headers } = await get('/picpipe/pictures');
		const policy = String(headers['content-security-policy']);
		expect(policy).toContain("default-src 'none'");
		expect(policy).toContain("frame-ancestors 'none'");
		expect(policy).toMatch(/script-src 'self' 'nonce-[A-Za-z0-9+/]{22}=='(;|$)/);
		expect(headers).toMatchObject({
			'x-frame-options': 'DENY',
			'x-content-type-options': 'nosniff',
			'referrer-policy': 'no-referrer',
			'cache-control': 'no-store',
		});
		expect(headers).not.toHaveProperty('x-powered-by');
		expect((await get('/picpipe/pictures')).headers['content-security-policy']).not.toBe(policy);
	});
});

describe('other websites', () => {
	const unsafe = [
		['DELETE', '/api/queue/picpipe/pictures/jobs/bulk'],
		['POST', '/api/queue/picpipe/pictures/job'],
		['PATCH', '/api/queue/picpipe/pictures/job/x'],
		['PUT', '/api/queue/picpipe/pictures/pause'],
	] as const;

	it.each(unsafe)('cannot send %s %s', async (method, path) => {
		for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'https://evil.example' }]) {
			const { status, body } = await ask(arena.address, path, { method, headers });
			expect(status).toBe(403);
			expect(body).toContain('Requests from other websites are refused.');
		}
		expect(await arena.pictures.isPaused()).toBe(false);
	});

	it('cannot reach it by a name that resolves to loopback', async () => {
		const { status } = await get('/', { host: 'evil.example:9000' });
		expect(status).toBe(403);
		for (const host of ['localhost:9000', '127.0.0.1', '[::1]:9000', 'arena.localhost']) {
			expect((await get('/', { host })).status).toBe(200);
		}
	});

	it('do not affect curl', async () => {
		const { status } = await ask(arena.address, '/api/queue/picpipe/pictures/pause', { method: 'PUT' });
		expect(status).toBe(200);
		expect(await arena.pictures.isPaused()).toBe(true);
	});
});

describe('login', () => {
	const password = 'pass:wörd-123';
	const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });
	let locked: TestArena;

	beforeEach(async () => {
		locked = await openTestArena({ password });
	});
	afterEach(() => locked.close());

	it('is required with a configured password, on every page, style and button', async () => {
		for (const path of ['/', '/picpipe/pictures', '/dashboard.js', '/nope']) {
			const { status, headers } = await ask(locked.address, path);
			expect(status).toBe(401);
			expect(headers['www-authenticate']).toMatch(/^Basic realm=/);
		}
		const button = await ask(locked.address, '/api/queue/picpipe/pictures/pause', { method: 'PUT' });
		expect(button.status).toBe(401);
		expect(await locked.pictures.isPaused()).toBe(false);
	});

	it.each([
		['another password', basic('admin:wrong-password')],
		['a password that begins the same', basic('admin:pass:wörd-12')],
		['another name', basic(`root:${password}`)],
		['nothing', basic(':')],
		['no colon', basic('admin')],
		['no Basic', { authorization: `Bearer ${password}` }],
		['no base64', { authorization: 'Basic ???' }],
	])('is refused with %s', async (_what, headers) => {
		expect((await ask(locked.address, '/', { headers })).status).toBe(401);
	});

	it('accepts name and password, whatever the host name', async () => {
		for (const host of ['localhost', 'arena.example.org']) {
			const { status } = await ask(locked.address, '/', { headers: { ...basic(`admin:${password}`), host } });
			expect(status).toBe(200);
		}
	});

	it('is not required for the probe, which reveals nothing else', async () => {
		const { status, body } = await ask(locked.address, '/healthz', { headers: { host: '10.0.0.7' } });
		expect({ status, body: JSON.parse(body) }).toEqual({ status: 200, body: { status: 'ok' } });
	});
});

describe('a used port', () => {
	let other: Server;
	afterEach(() => other.close());

	it('is reported with its setting', async () => {
		other = createServer().listen(0, '127.0.0.1');
		await new Promise((resolve) => other.once('listening', resolve));
		const { port } = other.address() as AddressInfo;
		const error = await openTestArena({ port }).catch((thrown) => thrown);
		expect(error).toBeInstanceOf(ConfigError);
		expect(error.problems).toEqual([expect.stringMatching(new RegExp(`^PICPIPE_ARENA_PORT: .*${port}`))]);
	});
});

describe('with API keys', () => {
	const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

	async function openKeyed(password?: string) {
		const storage = openFileStorage(await temporaryFolder());
		const make = (scope: Scope) => addKey(storage, { name: scope, scopes: [scope], limits: {} });
		const [admin, read] = [await make('admin'), await make('read')];
		const keys = openKeyRing(storage, {
			settingKeys: ['a-key-of-the-setting'],
			seconds: 1,
			log: createLogger('arena', 'silent'),
		});
		const opened = await openTestArena({ keys, ...(password !== undefined && { password }) });
		onTestFinished(() => opened.close());
		const status = async (headers = {}) => (await ask(opened.address, '/', { headers })).status;
		return { storage, admin, read, status, opened };
	}

	it('one with the scope admin is the password, whatever the name, on loopback too', async () => {
		const { storage, admin, read, status, opened } = await openKeyed();
		const asked = await ask(opened.address, '/');
		expect(asked.status).toBe(401);
		expect(asked.headers['www-authenticate']).toMatch(/^Basic realm=/);
		expect(asked.body).toContain('scope "admin"');
		expect(await status(basic(`anybody:${admin.text}`))).toBe(200);
		expect(await status(basic(`:${admin.text}`))).toBe(200);
		expect(await status({ authorization: `Bearer ${admin.text}` })).toBe(200);
		expect(await status(basic('admin:a-key-of-the-setting'))).toBe(200);
		for (const wrong of [read.text, `${admin.text}x`, admin.record.id, admin.record.sha256, '']) {
			expect(await status(basic(`admin:${wrong}`)), wrong).toBe(401);
		}
		const button = { method: 'DELETE', headers: basic(`x:${read.text}`) };
		expect((await ask(opened.address, '/api/queue/picpipe/pictures/job/1', button)).status).toBe(401);
		await revokeKey(storage, admin.record.id);
		await expect.poll(() => status(basic(`anybody:${admin.text}`)), { timeout: 3_000, interval: 50 }).toBe(401);
	});

	it("Arena's own password works beside them", async () => {
		const { admin, status } = await openKeyed('pass-word-123');
		expect(await status(basic('admin:pass-word-123'))).toBe(200);
		expect(await status(basic('other:pass-word-123'))).toBe(401);
		expect(await status(basic(`other:${admin.text}`))).toBe(200);
	});

	it('without keys and password only this machine has access', async () => {
		const get = async (headers: Record<string, string>) => (await ask(arena.address, '/', { headers })).status;
		expect(await get({})).toBe(200);
		expect(await get({ 'x-forwarded-for': '127.0.0.1' })).toBe(401);
		expect(await get({ host: 'rebound.example' })).toBe(403);
	});
});

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { folderOf } from '../../src/catalog/manifest.ts';
import { openStorage } from '../../src/storage/index.ts';
import { manifestKey } from '../../src/storage/keys.ts';
import { readObject } from '../../src/storage/storage.ts';
import { json } from '../helpers/api.ts';
import { freePort, mixedPhotographs, quickRecipe, until } from '../helpers/faults.ts';
import { temporaryFolder } from '../helpers/folder.ts';
import { Ledger } from '../helpers/ledger.ts';
import { buildOldestVersion, hasOldestVersion } from '../helpers/older-version.ts';
import { PicpipeProcess, runPicpipe } from '../helpers/processes.ts';
import { startRedis } from '../helpers/redis.ts';
import { endWithTest, shared } from '../helpers/shared.ts';
import { startSink, webhooksToHere } from '../helpers/sink.ts';
import { isLong } from '../helpers/thoroughness.ts';

type Version = 'old' | 'new';

/** A process that can be killed, and then runs again at the same port. */
interface Role {
	readonly url: string;
	kill9AndStart(): Promise<void>;
}

/** One Redis, one storage and one receiver of webhooks, for processes of both versions. */
async function startInstallation(old: string) {
	const redis = await startRedis();
	endWithTest(() => redis.stop());
	const folder = await temporaryFolder();
	const sink = await startSink();
	const run = async (command: 'api' | 'worker', version: Version): Promise<Role> => {
		const port = await freePort();
		const environment = {
			...quickRecipe,
			...webhooksToHere,
			REDIS_URL: redis.url,
			PICPIPE_PORT: String(port),
			PICPIPE_SWEEP_SECONDS: '1',
			PICPIPE_RETRY_DELAY: '200',
			// What a killed api has begun goes while the test looks.
			PICPIPE_UPLOAD_SECONDS: '10',
			PICPIPE_ABANDONED_SECONDS: '11',
			PICPIPE_WEBHOOK_URL: `${sink.url}/hook`,
			PICPIPE_WEBHOOK_SECRETS: `whsec_${Buffer.alloc(32, 's').toString('base64')}`,
		};
		const cli = { program: process.execPath, arguments: ['dist/bin/cli.js', command], cwd: old };
		const start = async () => {
			const one = new PicpipeProcess({ folder, command, environment, ...(version === 'old' && { run: cli }) });
			endWithTest(() => one.destroy());
			await one.waitFor(({ msg }) => msg === `${command} is ready`);
			return one;
		};
		let running = await start();
		return {
			url: `http://127.0.0.1:${port}`,
			async kill9AndStart() {
				await running.destroy();
				running = await start();
			},
		};
	};
	return { folder, sink, run, redisUrl: redis.url };
}

/** What only the new version knows about a picture. */
const wishes = 'priority=urgent&tags=two%20words,zwei%20W%C3%B6rter&meta%5Border%5D=7';

/** Uploads with fields that the old version does not know. @returns the ids */
async function uploadWithNewFields(ledger: Ledger, url: string, files: readonly Buffer[]): Promise<string[]> {
	const ids: string[] = [];
	for (const bytes of files) {
		const before = new Set(ledger.accepted.keys());
		for (const end = Date.now() + 60_000; !(await ledger.upload(url, bytes, undefined, wishes)); await sleep(200)) {
			if (Date.now() > end) throw new Error(`Not accepted within a minute: ${ledger.refused.slice(-3)}`);
		}
		ids.push(...[...ledger.accepted.keys()].filter((id) => !before.has(id)));
	}
	return ids;
}

/** Ids of all pictures that are ready, by the index. */
async function listed(url: string): Promise<string[]> {
	const ids: string[] = [];
	for (let cursor: string | undefined = ''; cursor !== undefined; ) {
		const after = cursor && `&cursor=${encodeURIComponent(cursor)}`;
		const page = await json(await fetch(`${url}/v1/pictures?state=ready&limit=100${after}`));
		ids.push(...page.pictures.map(({ id }: { id: string }) => id));
		cursor = page.next ?? undefined;
	}
	return ids.sort();
}

/** They take minutes, and the build of the old version one more. */
const isTested = isLong && hasOldestVersion;
const why = hasOldestVersion
	? 'this is a short run (npm run test:long)'
	: 'the history of this copy lacks the older one';
const title = isTested ? 'two versions at once' : `two versions at once: NOT TESTED, because ${why}`;

describe.skipIf(!isTested)(title, () => {
	const old = shared(buildOldestVersion);

	it.each([
		['an old api and a new worker', ['old'], ['new']],
		['a new api and old workers', ['new'], ['old', 'old']],
		['both of both', ['old', 'new'], ['old', 'new']],
	] as const)(
		'%s: every picture is ready once, and nothing is lost, through kills',
		{
			timeout: 600_000,
		},
		async (_which, apiVersions, workerVersions) => {
			const { folder, sink, run, redisUrl } = await startInstallation(old());
			const apis = await Promise.all(apiVersions.map((version) => run('api', version)));
			const workers = await Promise.all(workerVersions.map((version) => run('worker', version)));
			await until('the apis see Redis', async () => {
				const probes = await Promise.all(apis.map(({ url }) => fetch(`${url}/readyz`)));
				return probes.every(({ status }) => status === 200);
			});
			const files = await mixedPhotographs();
			const [few, most] = [files.slice(0, 10), files.slice(10)];
			const share = Math.ceil(most.length / apis.length);
			const ledgers = apis.map(() => new Ledger());
			const loads = apis.map(({ url }, at) =>
				ledgers[at]?.uploadUntilAccepted(url, most.slice(at * share, (at + 1) * share), 8),
			);
			const newest = apis[apiVersions.indexOf('new' as never)];
			const withFields = new Ledger();
			const fields = newest ? uploadWithNewFields(withFields, newest.url, few) : Promise.resolve([]);
			// Each dies in the middle of its work, one after the other.
			for (const role of [...workers, ...apis]) {
				const accepted = () => ledgers.reduce((sum, { accepted: { size } }) => sum + size, 0);
				const before = accepted();
				await until('some more are accepted', () => accepted() > before + 5 || accepted() >= most.length, 60_000);
				await role.kill9AndStart();
			}
			await Promise.all(loads);
			const ids = await fields;

			const all = new Ledger();
			for (const { accepted } of [...ledgers, withFields]) for (const [id, one] of accepted) all.accepted.set(id, one);
			await all.untilFinished(`file:${folder}`, 240_000);
			await all.expectWhole(`file:${folder}`);
			// Told once: of each under one id, whichever version told it and however often. Their bodies may differ in fields.
			const idsOf = (id: string) =>
				new Set(sink.received.filter((one) => one.message.data.id === id).map((one) => one.id));
			await until('every end is told', () => [...all.accepted.keys()].every((id) => idsOf(id).size > 0), 60_000);
			for (const id of all.accepted.keys()) expect(idsOf(id).size, id).toBe(1);

			const storage = openStorage(`file:${folder}`);
			for (const id of ids) {
				expect(JSON.parse(String(await readObject(storage, manifestKey(folderOf(id)))))).toMatchObject({
					state: 'ready',
					owner: 'local',
					urgent: true,
					tags: ['two words', 'zwei Wörter'],
					meta: { order: '7' },
				});
			}
			// An old api goes by its own index, which newer workers do not write.
			for (const [at, { url }] of apis.entries()) {
				for (const id of all.accepted.keys()) {
					const picture = await json(await fetch(`${url}/v1/pictures/${id}`));
					expect(picture, id).toMatchObject({ id, ...(apiVersions[at] === 'new' && { state: 'ready' }) });
				}
				await until('nothing waits', async () => {
					const { queues } = await json(await fetch(`${url}/v1/queues`));
					const { waiting, prioritized = 0, active } = queues[0].counts;
					return waiting + prioritized + active === 0;
				});
			}
			// The index of the new version learns what the old one has changed.
			const { code } = await runPicpipe({ folder, command: 'reindex', environment: { REDIS_URL: redisUrl } });
			expect(code).toBe(0);
			if (newest) expect(await listed(newest.url)).toEqual([...all.accepted.keys()].sort());
		},
	);

	it('an endpoint keeps its key pair when the old version changes it', { timeout: 300_000 }, async () => {
		const { folder, sink, run } = await startInstallation(old());
		const [newApi, oldApi] = await Promise.all([run('api', 'new'), run('api', 'old')]);
		const send = async (url: string, path: string, body: object) =>
			json(
				await fetch(`${url}/v1/webhooks${path}`, {
					method: 'POST',
					body: JSON.stringify(body),
					headers: { 'content-type': 'application/json' },
				}),
			);
		const { id } = await send(newApi.url, '', { url: `${sink.url}/other` });
		const storage = openStorage(`file:${folder}`);
		const stored = async () => JSON.parse(String(await readObject(storage, `webhooks/endpoints/${id}`)));
		const before = await stored();
		expect(before.signingKeys).toHaveLength(1);
		await send(oldApi.url, `/${id}/rotate-secret`, {});
		const after = await stored();
		expect(after.secrets).toHaveLength(2);
		expect(after.signingKeys).toEqual(before.signingKeys);
	});
});

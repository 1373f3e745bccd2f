import { describe, expect, it } from 'vitest';
import { openCatalog } from '../../src/catalog/catalog.ts';
import { markPending, readManifest, writeManifest } from '../../src/catalog/manifest.ts';
import type { Picture } from '../../src/domain/picture.ts';
import { deliverJobId } from '../../src/queue/jobs.ts';
import { pendingKey } from '../../src/storage/keys.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { bodyOf, deletedEvent, pictureEvent } from '../../src/webhooks/event.ts';
import { findMessage, giveUpMessage } from '../../src/webhooks/outbox.ts';
import { openPublisher } from '../../src/webhooks/publish.ts';
import { forgetFailed, restoreLog, sweepOutbox } from '../../src/webhooks/sweep.ts';
import { type Records, record, settle } from '../../src/worker/record.ts';
import { makePicture } from '../helpers/manifest.ts';
import { freshPrefix } from '../helpers/redis.ts';
import { addEndpoint, type Opened, openForTest, readyEvent } from './open.ts';

interface Worked {
	readonly to: Opened & Records;
	readonly endpoint: string;
	readonly picture: Picture;
}

/** An accepted picture on which work is under way, and an endpoint that wants to know. */
async function worked(): Promise<Worked> {
	const opened = await openForTest();
	const to = { ...opened, catalog: openCatalog(opened.redis, freshPrefix()) };
	const endpoint = await addEndpoint(to, 'https://example.org/');
	const picture = makePicture();
	await markPending(to.storage, picture.id);
	await to.storage.put(picture.source.key, Buffer.from('jpg'));
	await writeManifest(to.storage, picture);
	return { to, endpoint, picture };
}

/** The same storage, in which one kind of change fails as if the process had been killed just before. */
function killedBefore(to: Opened & Records, change: RegExp): Opened & Records {
	const guard = (what: string, key: string) => {
		if (change.test(`${what} ${key}`)) throw new Error('killed');
	};
	const storage: Storage = {
		...to.storage,
		async put(key, body, options) {
			guard('put', key);
			await to.storage.put(key, body, options);
		},
		async delete(key) {
			guard('delete', key);
			await to.storage.delete(key);
		},
	};
	return { ...to, storage, publisher: openPublisher({ ...to, storage }) };
}

async function isMarked(to: Opened, { id }: Picture): Promise<boolean> {
	return (await to.storage.stat(pendingKey(id))) !== undefined;
}

describe('a recorded end', () => {
	it.each(['put webhooks/outbox', 'delete pending/'])(
		'is published although the process dies before `%s`: the marker exists, and the next process publishes it',
		async (change) => {
			const { to, endpoint, picture } = await worked();
			const killed = killedBefore(to, new RegExp(`^${change}`));
			await expect(record(killed, picture, { state: 'ready' })).rejects.toThrow('killed');
			const ended = await readManifest(to.storage, picture.id);
			expect(ended?.state).toBe('ready');
			expect(await isMarked(to, picture)).toBe(true);
			expect(ended && (await settle(to, ended))).toBeUndefined();
			expect(await to.messages()).toEqual([`outbox/${endpoint}/${ended && pictureEvent(ended).id}`]);
			expect(await isMarked(to, picture)).toBe(false);
		},
	);

	it('is published before the marker is deleted, and not again afterwards', async () => {
		const { to, picture } = await worked();
		await record(to, picture, { state: 'ready' });
		const [key] = await to.messages();
		await to.storage.delete(`webhooks/${key}`);
		const ended = await readManifest(to.storage, picture.id);
		expect(ended && (await settle(to, ended))).toBeUndefined();
		expect(await to.messages()).toEqual([]);
	});

	it('is published although the work was done twice and the other process deleted the marker', async () => {
		const { to, picture } = await worked();
		await to.storage.delete(pendingKey(picture.id));
		await record(to, picture, { state: 'ready' });
		expect(await to.messages()).toHaveLength(1);
	});
});

describe('a message', () => {
	it('has an id derived from the event, and so the same bytes', () => {
		const picture = makePicture({ state: 'ready', revision: 2 });
		// As it was made, and as it comes back from its manifest.
		const { id, tags, ...rest } = picture;
		const [one, other] = [pictureEvent(picture), pictureEvent({ ...rest, tags, id })];
		expect(one.id).toBe(other.id);
		expect(bodyOf(one)).toBe(bodyOf(other));
		const others = [
			pictureEvent({ ...picture, revision: 3 }),
			pictureEvent({ ...picture, state: 'failed' }),
			pictureEvent(makePicture({ state: 'ready', revision: 2 })),
			deletedEvent(picture, picture.createdAt),
		];
		expect(new Set([one, ...others].map(({ id }) => id)).size).toBe(5);
		const deleted = deletedEvent(picture, picture.createdAt);
		expect(deletedEvent({ ...picture, revision: 9 }, picture.createdAt).id).toBe(deleted.id);
		expect(deleted.data).toEqual({ id });
	});

	it('is in storage if Redis cannot take its job, and the sweep queues it', async () => {
		const to = await openForTest();
		const endpoint = await addEndpoint(to, 'https://example.org/');
		const event = readyEvent();
		const job = { endpoint, messageId: event.id };
		const deaf = {
			...to.queues,
			deliveries: {
				...to.queues.deliveries,
				offer: async () => {
					throw new Error('no Redis');
				},
			},
		};
		await openPublisher({ ...to, queues: deaf }).publish(event);
		expect(await to.queues.byName.webhooks.getJob(deliverJobId(job))).toBeUndefined();
		expect(await sweepOutbox(to)).toBe(1);
		const queued = await to.queues.byName.webhooks.getJob(deliverJobId(job));
		expect(queued?.data).toMatchObject({ ...job, type: 'picture.ready', attemptsBefore: 0 });
		expect(queued?.opts.attempts).toBe(10);
		expect(await sweepOutbox(to), 'its job is there').toBe(0);
	});

	it('whose job was lost resumes its schedule', async () => {
		const to = await openForTest({ PICPIPE_WEBHOOK_SCHEDULE: '1,3600,3600' });
		const endpoint = await addEndpoint(to, 'https://example.org/');
		const event = readyEvent();
		await to.publisher.publish(event);
		await to.queues.byName.webhooks.obliterate({ force: true });
		const message = await findMessage(to.storage, endpoint, event.id);
		const queuedAt = new Date(Date.now() - 2_000).toISOString();
		const key = `webhooks/outbox/${endpoint}/${event.id}`;
		await to.storage.put(key, Buffer.from(JSON.stringify({ ...message, queuedAt })));
		expect(await sweepOutbox(to)).toBe(1);
		const job = await to.queues.byName.webhooks.getJob(deliverJobId({ endpoint, messageId: event.id }));
		expect([job?.data.attemptsBefore, job?.opts.attempts]).toEqual([1, 3]);
	});

	it('that was given up is kept for the configured time, and visible again after Redis has lost the log', async () => {
		const to = { ...(await openForTest({ PICPIPE_WEBHOOK_KEEP_SECONDS: '3600' })), sweepSeconds: 3_600 };
		const endpoint = await addEndpoint(to, 'https://example.org/');
		const event = readyEvent();
		await to.publisher.publish(event);
		const message = await findMessage(to.storage, endpoint, event.id);
		if (message) await giveUpMessage(to.storage, message);
		await restoreLog(to);
		expect(await to.deliveries.list(endpoint, { state: 'failed', skip: 0, limit: 10 })).toMatchObject({
			deliveries: [{ message: { id: event.id }, state: 'failed', attempts: [] }],
		});
		const hours = (count: number) => Date.now() + count * 3_600_000;
		expect(await forgetFailed(to, hours(0.9))).toBe(0);
		expect(await to.messages()).toHaveLength(1);
		expect(await forgetFailed(to, hours(2))).toBe(1);
		expect(await to.messages()).toEqual([]);
	});
});

import { describe, expect, it } from 'vitest';
import { writeManifest } from '../../src/catalog/manifest.ts';
import type { PicpipeError } from '../../src/errors.ts';
import { deliver } from '../../src/webhooks/deliver.ts';
import { readDisabled, removeEndpoint } from '../../src/webhooks/endpoint-store.ts';
import { deletedEvent, type WebhookEvent } from '../../src/webhooks/event.ts';
import { makePicture } from '../helpers/manifest.ts';
import { says } from '../helpers/remote.ts';
import { isSignedWith, type Sink, secret, startSink } from '../helpers/sink.ts';
import { addEndpoint, type Opened, openForTest, readyEvent } from './open.ts';

interface Announced {
	readonly to: Opened;
	readonly sink: Sink;
	readonly endpoint: string;
	readonly event: WebhookEvent;
	readonly key: string;
}

/** A message that waits for an endpoint. */
async function announced(environment: Record<string, string> = {}, event = readyEvent()): Promise<Announced> {
	const [to, sink] = await Promise.all([openForTest(environment), startSink()]);
	const key = secret();
	const endpoint = await addEndpoint(to, `${sink.url}/hook?token=secret`, key);
	await publish(to, event);
	expect(await to.messages()).toEqual([`outbox/${endpoint}/${event.id}`]);
	return { to, sink, endpoint, event, key };
}

/** Publishes an event about a picture that exists, or was deleted. */
async function publish(to: Opened, event: WebhookEvent): Promise<void> {
	if (event.type !== 'picture.deleted') await writeManifest(to.storage, makePicture({ id: event.pictureId ?? '' }));
	await to.publisher.publish(event);
}

/** One attempt. @returns its result, or the error */
function attempt({ to, endpoint, event }: Announced, number = 1, of = 10) {
	return deliver(to, { endpoint, messageId: event.id }, number, of).catch((error: PicpipeError) => error);
}

describe('an attempt to deliver', () => {
	it('posts the message as specified by Standard Webhooks, and then only the log has it', async () => {
		const one = await announced();
		expect(await attempt(one)).toMatchObject({ outcome: 'delivered', status: 204 });
		const [got] = one.sink.received;
		expect(got).toMatchObject({ method: 'POST', path: '/hook?token=secret', id: one.event.id });
		expect(got?.headers['content-type']).toBe('application/json');
		expect(got?.message).toEqual({ type: 'picture.ready', timestamp: one.event.timestamp, data: expect.anything() });
		expect(got?.message.data).toMatchObject({ id: one.event.pictureId, state: 'ready', revision: 2 });
		expect(got?.body).not.toContain('original.jpg');
		expect(got && isSignedWith(one.key, got)).toBe(true);
		expect(await one.to.messages()).toEqual([]);
		expect(await one.to.deliveries.read(one.endpoint, one.event.id)).toMatchObject({
			state: 'delivered',
			attempts: [{ number: 1, status: 204, milliseconds: expect.any(Number) }],
		});
	});

	it('after delivery does nothing', async () => {
		const one = await announced();
		await attempt(one);
		expect(await attempt(one, 2)).toEqual({ outcome: 'unwanted' });
		expect(one.sink.received).toHaveLength(1);
	});

	it.each([
		[500, 'webhook-refused'],
		[404, 'webhook-refused'],
		[302, 'webhook-refused'],
	])('that gets %i keeps the message for the next attempt', async (status, code) => {
		const one = await announced();
		one.sink.answer(says(status, { location: `${one.sink.url}/elsewhere` }));
		expect(await attempt(one)).toMatchObject({ code, retryable: true });
		expect(one.sink.received.map(({ path }) => path)).toEqual(['/hook?token=secret']);
		expect(await one.to.messages()).toEqual([`outbox/${one.endpoint}/${one.event.id}`]);
		one.sink.answer(says(200));
		expect(await attempt(one, 2)).toMatchObject({ outcome: 'delivered' });
		const [first, second] = one.sink.received;
		expect([second?.id, second?.body]).toEqual([first?.id, first?.body]);
		const logged = await one.to.deliveries.read(one.endpoint, one.event.id);
		expect(logged?.attempts.map(({ status }) => status)).toEqual([status, 200]);
		expect(logged?.attempts[0]?.error?.code).toBe(code);
	});

	it('reports Retry-After of the receiver', async () => {
		const one = await announced();
		one.sink.answer(says(429, { 'retry-after': '120' }));
		expect(await attempt(one)).toMatchObject({ code: 'webhook-refused', retryAfter: 120 });
		one.sink.answer(says(503, { 'retry-after': new Date(Date.now() + 60_000).toUTCString() }));
		const error = (await attempt(one, 2)) as PicpipeError;
		expect(error.retryAfter).toBeGreaterThan(50);
	});

	it('does not wait for a silent receiver, nor for an endless response', async () => {
		const one = await announced({ PICPIPE_WEBHOOK_SECONDS: '1' });
		one.sink.answer(() => {});
		const started = performance.now();
		expect(await attempt(one)).toMatchObject({ code: 'remote-timeout', retryable: true });
		one.sink.answer((_request, response) => {
			response.writeHead(500);
			const drip = setInterval(() => response.write('no'), 50);
			response.once('close', () => clearInterval(drip));
		});
		expect(await attempt(one, 2)).toMatchObject({ code: 'webhook-refused' });
		expect(performance.now() - started).toBeLessThan(4_000);
	});

	it('reads only the beginning of a response, and keeps what people can use', async () => {
		const one = await announced();
		let written = 0;
		one.sink.answer((_request, response) => {
			response.writeHead(500);
			const more = () => {
				while (response.writable && written < 2 ** 28) {
					written += 65_536;
					if (!response.write('ö'.repeat(32_768))) return void response.once('drain', more);
				}
				response.end();
			};
			response.write('no such table: orders\u0007\n');
			more();
		});
		await attempt(one);
		expect(written).toBeLessThan(2 ** 26);
		const answer = (await one.to.deliveries.read(one.endpoint, one.event.id))?.attempts[0]?.answer;
		expect(answer).toMatch(/^no such table: orders ö/);
		expect(answer?.length).toBeLessThanOrEqual(300);
	});

	it('that fails is retried', async () => {
		const one = await announced();
		await one.sink.stop();
		expect(await attempt(one)).toMatchObject({ code: 'remote-unavailable', retryable: true });
	});

	it('never reaches a forbidden network, whatever a name resolves to', async () => {
		const one = await announced();
		const rules = { ...one.to.settings.rules, networks: [] };
		const to = { ...one.to, settings: { ...one.to.settings, rules } };
		expect(await attempt({ ...one, to })).toMatchObject({ code: 'address-not-allowed', retryable: false });
		expect(await one.to.messages()).toEqual([`failed/${one.endpoint}/${one.event.id}`]);

		const named = await openForTest({ PICPIPE_WEBHOOK_NETWORKS: '127.0.0.0/8' });
		const endpoint = await addEndpoint(named, `http://rebound.example:${one.sink.port}/`);
		await publish(named, one.event);
		const resolve = async () => [{ address: '10.0.0.1', family: 4 }];
		const refused = deliver({ ...named, resolve }, { endpoint, messageId: one.event.id }, 1, 10);
		await expect(refused).rejects.toMatchObject({ code: 'address-not-allowed' });
		expect(one.sink.received).toEqual([]);
	});

	it('that gets 410 is the last, and disables the endpoint', async () => {
		const one = await announced();
		one.sink.answer(says(410));
		expect(await attempt(one)).toMatchObject({ code: 'webhook-gone', retryable: false });
		expect(await readDisabled(one.to.storage, one.endpoint)).toMatchObject({ reason: 'gone' });
		expect(await one.to.messages()).toEqual([`failed/${one.endpoint}/${one.event.id}`]);
		// Tried again by hand it stays where it is.
		expect(await attempt(one)).toEqual({ outcome: 'disabled' });
		expect(one.sink.received).toHaveLength(1);
	});

	it('of a deleted picture is not made, and removes the message', async () => {
		const one = await announced();
		await one.to.storage.deleteFolder('pictures/');
		expect(await attempt(one)).toEqual({ outcome: 'unwanted' });
		expect(await one.to.messages()).toEqual([]);
		expect(one.sink.received).toEqual([]);
	});

	it('during which the picture is deleted leaves nothing, whatever the receiver answers', async () => {
		for (const status of [200, 500]) {
			const one = await announced();
			const remove = async () => {
				await one.to.redis.set(`${one.to.prefix}:catalog:deleted:${one.event.pictureId}`, '1');
				await one.to.storage.deleteFolder('pictures/');
			};
			one.sink.answer((request, response) => {
				void remove().then(() => says(status)(request, response));
			});
			await attempt(one, 1, 1);
			expect(one.sink.received).toHaveLength(1);
			expect(await one.to.messages()).toEqual([]);
			expect(await one.to.deliveries.read(one.endpoint, one.event.id)).toBeUndefined();
		}
	});

	it('for a deleted endpoint removes the message', async () => {
		const one = await announced();
		await removeEndpoint(one.to.storage, one.endpoint);
		expect(await attempt(one)).toEqual({ outcome: 'unwanted' });
		expect(await one.to.messages()).toEqual([]);
		expect(one.sink.received).toEqual([]);
	});
});

describe('the last attempt', () => {
	it('sets the message aside; an endpoint without any delivery in that time is disabled', async () => {
		const one = await announced();
		one.sink.answer(says(500));
		await attempt(one, 1, 2);
		await attempt(one, 2, 2);
		expect(await one.to.messages()).toEqual([`failed/${one.endpoint}/${one.event.id}`]);
		expect(await one.to.deliveries.read(one.endpoint, one.event.id)).toMatchObject({ state: 'failed' });
		expect(await readDisabled(one.to.storage, one.endpoint)).toMatchObject({ reason: 'failing' });
	});

	it('leaves an endpoint enabled that accepted something else in the meantime', async () => {
		const one = await announced();
		const other = readyEvent();
		await publish(one.to, other);
		one.sink.answer(says(500));
		await attempt(one, 1, 2);
		one.sink.answer(says(200));
		await attempt({ ...one, event: other });
		one.sink.answer(says(500));
		await attempt(one, 2, 2);
		expect(await one.to.messages()).toEqual([`failed/${one.endpoint}/${one.event.id}`]);
		expect(await readDisabled(one.to.storage, one.endpoint)).toBeUndefined();
	});
});

describe('a deletion', () => {
	it('is announced once it has happened, and not before', async () => {
		const picture = makePicture({ state: 'ready' });
		const one = await announced({}, deletedEvent(picture, picture.createdAt));
		await writeManifest(one.to.storage, picture);
		expect(await attempt(one)).toMatchObject({ code: 'picture-still-there', retryable: true });
		expect(one.sink.received).toEqual([]);
		const { deleteFolder } = one.to.storage;
		await deleteFolder('pictures/');
		expect(await attempt(one, 2)).toMatchObject({ outcome: 'delivered' });
		expect(one.sink.received[0]?.message).toMatchObject({ type: 'picture.deleted', data: { id: picture.id } });
	});

	it('that never happens is not announced', async () => {
		const picture = makePicture({ state: 'ready' });
		const one = await announced({}, deletedEvent(picture, picture.createdAt));
		await writeManifest(one.to.storage, picture);
		expect(await attempt(one, 10, 10)).toEqual({ outcome: 'unwanted' });
		expect(await one.to.messages()).toEqual([]);
		expect(one.sink.received).toEqual([]);
	});
});

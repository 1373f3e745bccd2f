import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { expect } from 'vitest';
import { type Remote, says, startRemote } from './remote.ts';

/** Settings that let a picpipe send webhooks to servers of this machine, on any port. */
export const webhooksToHere = { PICPIPE_WEBHOOK_NETWORKS: '127.0.0.0/8', PICPIPE_WEBHOOK_PORTS: '*' };

/** A message as it came. */
export interface Received {
	readonly path: string;
	readonly method: string;
	readonly headers: IncomingHttpHeaders;
	readonly body: string;
	readonly id: string;
	// biome-ignore lint/suspicious/noExplicitAny: tests look into messages of every shape
	readonly message: any;
}

/** A server that takes webhooks, on this machine. */
export interface Sink extends Pick<Remote, 'url' | 'port' | 'stop'> {
	readonly received: readonly Received[];
	/** How it answers from now on. */
	answer(listener: (request: IncomingMessage, response: ServerResponse, at: number) => void): void;
	/** Those of a type about a picture, when there are so many. */
	expectMessages(type: string, pictureId: string, count?: number, milliseconds?: number): Promise<Received[]>;
}

/** Ended with the test. */
export async function startSink(): Promise<Sink> {
	const received: Received[] = [];
	let answer: Parameters<Sink['answer']>[0] = says(204);
	const take = async (request: IncomingMessage, response: ServerResponse) => {
		const body = (await buffer(request)).toString();
		received.push({
			path: request.url ?? '',
			method: request.method ?? '',
			headers: request.headers,
			body,
			id: String(request.headers['webhook-id']),
			message: JSON.parse(body),
		});
		answer(request, response, received.length);
	};
	const remote = await startRemote((request, response) => {
		take(request, response).catch(() => response.destroy());
	});
	return {
		url: remote.url,
		port: remote.port,
		stop: remote.stop,
		received,
		answer(next) {
			answer = next;
		},
		async expectMessages(type, pictureId, count = 1, milliseconds = 30_000) {
			const those = () => received.filter(({ message }) => message.type === type && message.data.id === pictureId);
			await expect.poll(() => those().length, { timeout: milliseconds, interval: 20 }).toBeGreaterThanOrEqual(count);
			return those();
		},
	};
}

/** A secret as Standard Webhooks writes it. */
export function secret(): string {
	return `whsec_${randomBytes(32).toString('base64')}`;
}

/** Does whoever has this secret take the message? Decided by the library that receivers use. */
export function isSignedWith(secretOfReceiver: string, { body, headers }: Pick<Received, 'body' | 'headers'>): boolean {
	try {
		new Webhook(secretOfReceiver).verify(body, headers as Record<string, string>);
		return true;
	} catch {
		return false;
	}
}

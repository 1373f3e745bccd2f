import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { endWithTest } from './shared.ts';

/** A connection on which a test says exactly what it wants, and sees exactly what comes back. */
export interface Wire {
	readonly socket: Socket;
	/** Everything that came. */
	readonly received: string;
	/** How the connection ended: `end` in order, or the code of an error such as `ECONNRESET`; undefined while it is open. */
	readonly ended: string | undefined;
	send(...parts: (string | Buffer)[]): void;
	/** Waits until something has come. @throws Error that shows what has */
	until(pattern: RegExp, milliseconds?: number): Promise<void>;
	/** Waits for the end of the connection. @throws Error when it lasts longer */
	untilEnded(milliseconds?: number): Promise<void>;
}

/** @param url such as `http://127.0.0.1:3000` */
export async function openWire(url: string): Promise<Wire> {
	const { hostname, port } = new URL(url);
	const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
	endWithTest(() => void socket.destroy());
	let received = '';
	let ended: string | undefined;
	socket.on('data', (chunk) => {
		received += chunk.toString('latin1');
	});
	socket.on('end', () => {
		ended ??= 'end';
	});
	socket.on('error', (error: NodeJS.ErrnoException) => {
		ended ??= error.code;
	});
	socket.on('close', () => {
		ended ??= 'close';
	});
	await once(socket, 'connect');
	const wait = async (what: string, holds: () => boolean, milliseconds: number) => {
		for (const end = Date.now() + milliseconds; !holds(); await sleep(5)) {
			if (Date.now() > end)
				throw new Error(`Not within ${milliseconds} ms: ${what}. Ended: ${ended}. Came:\n${received}`);
		}
	};
	return {
		socket,
		get received() {
			return received;
		},
		get ended() {
			return ended;
		},
		send: (...parts) => {
			for (const part of parts) socket.write(part);
		},
		until: (pattern, milliseconds = 10_000) => wait(String(pattern), () => pattern.test(received), milliseconds),
		untilEnded: (milliseconds = 10_000) => wait('the end', () => ended !== undefined, milliseconds),
	};
}

/** The head of a request, with its empty line. */
export function head(requestLine: string, headers: Readonly<Record<string, string | number>> = {}): string {
	const lines = Object.entries({ Host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
	return `${requestLine} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

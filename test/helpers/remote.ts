import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { endWithTest } from './shared.ts';

/** Settings that let a picpipe fetch from servers of this machine, on any port. */
export const fetchesFromHere = { PICPIPE_FETCH_NETWORKS: '127.0.0.0/8', PICPIPE_FETCH_PORTS: '*' };

/** Another server, on this machine. */
export interface Remote {
	/** Without a slash at the end. */
	readonly url: string;
	readonly port: number;
	/** Every request so far. */
	readonly requests: readonly { readonly url: string; readonly headers: IncomingMessage['headers'] }[];
	/** Requests that are under way. */
	readonly open: number;
	/** How it answers from now on. */
	answer(listener: (request: IncomingMessage, response: ServerResponse) => void): void;
	stop(): Promise<void>;
}

/** Ended with the test. @param tls serves https with this certificate */
export async function startRemote(
	listener: (request: IncomingMessage, response: ServerResponse) => void,
	tls?: { readonly cert: string; readonly key: string },
): Promise<Remote> {
	const requests: { url: string; headers: IncomingMessage['headers'] }[] = [];
	let answer = listener;
	let open = 0;
	const take: RequestListener = (request, response) => {
		requests.push({ url: request.url ?? '', headers: request.headers });
		open++;
		response.once('close', () => open--);
		answer(request, response);
	};
	const server: Server = tls ? createTlsServer(tls, take) : createServer(take);
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address() as AddressInfo;
	const stop = async () => {
		if (!server.listening) return;
		server.closeAllConnections();
		server.close();
		await once(server, 'close');
	};
	endWithTest(stop);
	return {
		url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
		port,
		requests,
		get open() {
			return open;
		},
		answer(next) {
			answer = next;
		},
		stop,
	};
}

/** Answers with these bytes. */
export function sends(bytes: Buffer, headers: Record<string, string> = {}) {
	return (_request: IncomingMessage, response: ServerResponse) => {
		response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': bytes.length, ...headers });
		response.end(bytes);
	};
}

/** Answers with a status and no body. */
export function says(status: number, headers: Record<string, string> = {}) {
	return (_request: IncomingMessage, response: ServerResponse) => {
		response.writeHead(status, headers);
		response.end();
	};
}

/** Sends half of what it has announced, and then nothing more until told. */
export function sendsHalf(bytes: Buffer, then: (response: ServerResponse) => void = () => {}) {
	return (_request: IncomingMessage, response: ServerResponse) => {
		response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': bytes.length });
		response.write(bytes.subarray(0, bytes.length / 2), () => then(response));
	};
}

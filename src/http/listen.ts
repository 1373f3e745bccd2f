import {
	createServer,
	type IncomingMessage,
	type RequestListener,
	type Server,
	type ServerOptions,
	type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { ConfigError } from '../config/index.ts';

export interface ListenOptions {
	readonly host: string;
	/** 0 for any free port. */
	readonly port: number;
	/** The setting of the port, such as `PICPIPE_PORT`. The setting of the host has the same prefix. */
	readonly variable: `${string}_PORT`;
}

/** Time limits of connections; Node's defaults if absent. */
export interface Patience {
	/** Until the headers of a request have arrived, seconds. */
	readonly headersSeconds: number;
	/** Until the whole request has arrived, seconds. */
	readonly uploadSeconds: number;
	/** How long a connection without a request is kept, seconds. */
	readonly keepAliveSeconds: number;
	/** How long a connection may be silent, seconds. */
	readonly idleSeconds: number;
	/** Whether the app itself answers `Expect: 100-continue`. */
	readonly asksForBodies: boolean;
}

/**
 * Most pieces of a body that wait to be read. A piece is what one read of the connection or one chunk of `Transfer-Encoding: chunked` brought.
 * Node limits the bytes that wait, but a piece of one byte takes two hundred bytes of memory.
 */
const mostPieces = 1_000;

/**
 * Ends the connection of a request whose body comes in a flood of tiny chunks, each of which costs memory and time. An own property and not a
 * subclass: Express replaces the prototype of requests.
 */
function limitPieces(request: IncomingMessage): void {
	const push = request.push;
	let pieces = 0;
	request.push = (chunk: unknown, encoding?: BufferEncoding) => {
		if (pieces > mostPieces) return false;
		pieces = request.readableLength === 0 ? 1 : pieces + 1;
		if (pieces <= mostPieces) return push.call(request, chunk, encoding);
		if (request.socket.writable) request.socket.write(tinyChunks, () => request.socket.destroy());
		return false;
	};
}

const tinyChunks = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

/** How often connections are checked against the limits, milliseconds. They can live that much longer. */
const lookEvery = 1_000;

export interface Listening {
	readonly server: Server;
	/** URL of the server, such as `http://127.0.0.1:3000`, without a trailing slash. */
	readonly address: string;
	/** Accepts no more connections and completes the requests in progress. Resolves when all connections are closed. */
	close(): Promise<void>;
}

/**
 * Starts an HTTP server.
 *
 * @throws ConfigError if the port is taken or not allowed, or the host is not one of this machine's
 */
export function listen(app: RequestListener, options: ListenOptions, patience?: Patience): Promise<Listening> {
	const bounded: RequestListener = (request, response) => {
		limitPieces(request);
		app(request, response);
	};
	const server = patience ? createServer(timeoutsOf(patience), bounded) : createServer(app);
	if (patience) server.timeout = patience.idleSeconds * 1_000;
	if (patience?.asksForBodies) server.on('checkContinue', bounded);
	const close = followConnections(server, ['request', ...(patience?.asksForBodies ? ['checkContinue'] : [])]);
	return new Promise((resolve, reject) => {
		const refuse = (error: NodeJS.ErrnoException) => {
			const problem = explain(error, options);
			reject(problem === undefined ? error : new ConfigError([problem]));
		};
		server.once('error', refuse);
		server.listen(options.port, options.host, () => {
			server.removeListener('error', refuse);
			resolve({ server, address: addressOf(server, options.host), close });
		});
	});
}

/**
 * Tracks the connections of a server, so that it can be closed without waiting for unused ones. Node does not close a connection without a
 * first request, as browsers and HTTP clients open in advance.
 */
function followConnections(server: Server, requestEvents: readonly string[]): () => Promise<void> {
	const underWay = new Map<Socket, number>();
	let isClosing = false;
	const change = (socket: Socket, by: 1 | -1) => {
		const requests = (underWay.get(socket) ?? 0) + by;
		if (underWay.has(socket)) underWay.set(socket, requests);
		if (isClosing && requests === 0) socket.destroySoon();
	};
	server.on('connection', (socket: Socket) => {
		underWay.set(socket, 0);
		socket.once('close', () => underWay.delete(socket));
	});
	for (const event of requestEvents) {
		server.on(event, ({ socket }: IncomingMessage, response: ServerResponse) => {
			change(socket, 1);
			response.once('close', () => change(socket, -1));
		});
	}
	return async () => {
		isClosing = true;
		const closed = new Promise<void>((resolve) => {
			server.close(() => resolve());
		});
		for (const [socket, requests] of underWay) if (requests === 0) socket.destroySoon();
		await closed;
	};
}

function timeoutsOf({ headersSeconds, uploadSeconds, keepAliveSeconds }: Patience): ServerOptions {
	return {
		// Node refuses a header limit longer than the request limit.
		headersTimeout: Math.min(headersSeconds, uploadSeconds) * 1_000,
		requestTimeout: uploadSeconds * 1_000,
		keepAliveTimeout: keepAliveSeconds * 1_000,
		connectionsCheckingInterval: lookEvery,
	};
}

function explain(error: NodeJS.ErrnoException, { host, port, variable }: ListenOptions): string | undefined {
	const hostVariable = variable.replace(/PORT$/, 'HOST');
	switch (error.code) {
		case 'EADDRINUSE':
			return `${variable}: expected a free port but ${port} on ${host} is taken by another program; stop that one or set ${variable} to another port`;
		case 'EACCES':
			return `${variable}: expected a port that this user may listen on but received ${port}; ports below 1024 are often reserved`;
		case 'EADDRNOTAVAIL':
		case 'ENOTFOUND':
		case 'EAI_AGAIN':
			return `${hostVariable}: expected an address of this machine but received ${JSON.stringify(host)}`;
		default:
			return undefined;
	}
}

function addressOf(server: Server, host: string): string {
	const { port } = server.address() as AddressInfo;
	return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigError } from '../config.ts';

export interface ListenOptions {
	readonly host: string;
	/** 0 takes a free one. */
	readonly port: number;
	/** The setting that the port comes from, such as `PICPIPE_PORT`; the host's is of the same name. */
	readonly variable: `${string}_PORT`;
}

export interface Listening {
	readonly server: Server;
	/** Where it can be reached, such as `http://127.0.0.1:3000`, without a slash at the end. */
	readonly address: string;
}

/**
 * Starts an HTTP server.
 *
 * @throws ConfigError when the port is taken or not allowed, or the host is not one of this machine's
 */
export function listen(app: RequestListener, options: ListenOptions): Promise<Listening> {
	const server = createServer(app);
	return new Promise((resolve, reject) => {
		const refuse = (error: NodeJS.ErrnoException) => {
			const problem = explain(error, options);
			reject(problem === undefined ? error : new ConfigError([problem]));
		};
		server.once('error', refuse);
		server.listen(options.port, options.host, () => {
			server.removeListener('error', refuse);
			resolve({ server, address: addressOf(server, options.host) });
		});
	});
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

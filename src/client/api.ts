import { noAnswer, Refusal, refusalOf } from './answer.ts';

/** A running api, as a client of it knows it. */
export interface Api {
	/** Without a slash at the end. */
	readonly url: string;
	/** With the key, if there is one. */
	readonly headers: Readonly<Record<string, string>>;
	/**
	 * Asks for something and reads the answer as JSON.
	 *
	 * @param path below the api's URL, or a whole URL
	 * @throws Refusal
	 */
	ask(path: string, signal: AbortSignal, request?: ApiRequest): Promise<Answer>;
	/** Largest file that it takes, bytes. @throws Refusal when there is no picpipe at the URL */
	largestFile(signal: AbortSignal): Promise<number>;
}

interface ApiRequest {
	readonly method?: string;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: Uint8Array<ArrayBuffer> | string;
}

interface Answer {
	readonly status: number;
	readonly headers: Headers;
	/** Of an answer in JSON; an empty object otherwise. */
	readonly body: Readonly<Record<string, unknown>>;
}

/** @param key an API key or an upload token */
export function connectApi(address: string, key: string | undefined): Api {
	const url = address.replace(/\/+$/, '');
	const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
	const ask: Api['ask'] = async (path, signal, request = {}) => {
		const target = path.startsWith('/') ? `${url}${path}` : path;
		const { response, text } = await fetch(target, {
			...request,
			headers: { ...headers, ...request.headers },
			signal,
		})
			.then(async (response) => ({ response, text: await response.text() }))
			.catch((error) => {
				signal.throwIfAborted();
				throw noAnswer(error);
			});
		if (!response.ok) throw refusalOf(response.status, text, response.headers.get('retry-after'));
		const isJson = response.headers.get('content-type')?.includes('json');
		return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : {} };
	};
	return {
		url,
		headers,
		ask,
		async largestFile(signal) {
			const { headers: offer } = await ask('/v1/uploads', signal, { method: 'OPTIONS' });
			const size = Number(offer.get('tus-max-size'));
			if (size > 0) return size;
			throw new Refusal(`Something else answers at ${url}.`, { status: 404, code: 'no-picpipe' });
		},
	};
}

import { noAnswer, Refusal, refusalOf } from './answer.ts';

/** A client's connection to an API. */
export interface Api {
	/** Without a trailing slash. */
	readonly url: string;
	/** Includes the key, if there is one. */
	readonly headers: Readonly<Record<string, string>>;
	/**
	 * Sends a request and reads the response as JSON.
	 *
	 * @param path relative to the API's URL, or a complete URL
	 * @throws Refusal
	 */
	ask(path: string, signal: AbortSignal, request?: ApiRequest): Promise<Answer>;
	/** Largest accepted file, bytes. @throws Refusal if the URL is not that of a picpipe */
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
	/** The JSON body; an empty object for any other response. */
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

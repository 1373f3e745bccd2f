/** @import { Picture, Settings } from '../types/api.d.ts' */

/** A refusal, or a missing response, as a sentence for a person. */
export class Problem extends Error {
	/**
	 * @param {number} status of the response; 0 if there was none
	 * @param {string} sentence
	 */
	constructor(status, sentence) {
		super(sentence);
		this.name = 'Problem';
		this.status = status;
	}

	/** Is a retry worthwhile? */
	get mayPass() {
		return this.status === 0 || this.status === 401 || this.status === 408 || this.status === 429 || this.status >= 500;
	}
}

/** Longest wait for a response, milliseconds. Uploads have no limit, because their progress is visible. */
const patience = 15_000;
/** The key is stored for this tab only, until it is closed. */
const keyItem = 'picpipe-key';

const noAnswer = () => new Problem(0, 'picpipe is not responding.');

/** The page's API calls, with the key if one is required. */
export class Api {
	/** Called if a key is missing or no longer accepted. */
	onKeyRefused = () => {};
	#key = sessionStorage.getItem(keyItem);

	get hasKey() {
		return this.#key !== null;
	}

	/** @param {string | undefined} key undefined to forget it */
	useKey(key) {
		this.#key = key ?? null;
		if (key === undefined) sessionStorage.removeItem(keyItem);
		else sessionStorage.setItem(keyItem, key);
	}

	/** @returns {Promise<Settings>} */
	settings() {
		return this.ask('/dashboard.json');
	}

	/**
	 * @param {string} path
	 * @param {string} [method]
	 * @returns {Promise<any>} the JSON of the response
	 * @throws {Problem}
	 */
	async ask(path, method = 'GET') {
		const response = await this.#send(path, method);
		return response.status === 204 ? undefined : response.json().catch(() => Promise.reject(noAnswer()));
	}

	/** The bytes at a URL that a plain link or image could not load, because they cannot send a key. @param {string} path */
	async blob(path) {
		return (await this.#send(path, 'GET')).blob();
	}

	/** @param {string} path @param {string} method */
	async #send(path, method) {
		const response = await fetch(path, {
			method,
			headers: this.#headers(),
			signal: AbortSignal.timeout(patience),
		}).catch(() => Promise.reject(noAnswer()));
		if (!response.ok) throw this.#problem(response.status, await response.text().catch(() => ''));
		return response;
	}

	/**
	 * Loads a picture into an element.
	 *
	 * @param {HTMLImageElement} image
	 * @param {string} url
	 */
	async show(image, url) {
		if (!this.hasKey) {
			image.src = url;
			return;
		}
		const address = URL.createObjectURL(await this.blob(url));
		const release = () => URL.revokeObjectURL(address);
		image.addEventListener('load', release, { once: true });
		image.addEventListener('error', release, { once: true });
		image.src = address;
	}

	/**
	 * Uploads a file unchanged. Uses XMLHttpRequest, because `fetch` does not report the progress of an upload.
	 *
	 * @param {File} file
	 * @param {{ onProgress: (fraction: number) => void, signal: AbortSignal }} options
	 * @returns {Promise<Picture>}
	 * @throws {Problem}
	 */
	upload(file, { onProgress, signal }) {
		return new Promise((resolve, reject) => {
			const request = new XMLHttpRequest();
			const query = new URLSearchParams({ filename: file.name });
			request.open('POST', `/v1/pictures?${query}`);
			// The bytes decide the type.
			request.setRequestHeader('Content-Type', 'application/octet-stream');
			for (const [name, value] of Object.entries(this.#headers())) request.setRequestHeader(name, value);
			request.upload.addEventListener('progress', ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 1));
			request.addEventListener('load', () => {
				if (request.status < 300) resolve(JSON.parse(request.responseText));
				else reject(this.#problem(request.status, request.responseText));
			});
			request.addEventListener('error', () => reject(new Problem(0, 'The upload was interrupted.')));
			request.addEventListener('abort', () => reject(new Problem(0, 'Cancelled.')));
			signal.addEventListener('abort', () => request.abort(), { once: true });
			request.send(file);
		});
	}

	/** @returns {Record<string, string>} */
	#headers() {
		return this.#key === null ? {} : { Authorization: `Bearer ${this.#key}` };
	}

	/** A problem document (RFC 9457) in sentences. @param {number} status @param {string} body */
	#problem(status, body) {
		if (status === 401) this.onKeyRefused();
		try {
			const { title, detail, next } = JSON.parse(body);
			const sentences = [title, detail !== title && detail, next].filter(Boolean);
			return new Problem(status, sentences.join(' '));
		} catch {
			// A proxy in between responds with pages of its own.
			return new Problem(status, `The server responded with ${status}.`);
		}
	}
}

/** @import { Picture, PicturePage } from '../types/api.d.ts' */
/** @import { Api, Problem } from './api.js' */
import { isFinished } from './format.js';

/** Pictures asked for at a time. */
const pageSize = 48;
/** Unfinished pictures beyond the newest page that are asked for one by one, at most, each time. */
const maximumStragglers = 10;

/** The newest pictures as far as the page shows them, kept like the API's own list. */
export class Gallery {
	/** Called after every change. */
	onChange = () => {};
	/** Are there older ones than those shown? */
	hasMore = false;
	#api;
	/** @type {Map<string, Picture>} */
	#pictures = new Map();
	/** Deleted here; an answer that was on its way must not bring them back. @type {Set<string>} */
	#deleted = new Set();
	#wanted = pageSize;

	/** @param {Api} api */
	constructor(api) {
		this.#api = api;
	}

	/** Newest first: ids sort by time. */
	get pictures() {
		return [...this.#pictures.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
	}

	get isEmpty() {
		return this.#pictures.size === 0;
	}

	get isBusy() {
		return this.pictures.some((picture) => !isFinished(picture));
	}

	/** @param {string} id */
	get(id) {
		return this.#pictures.get(id);
	}

	/** @param {Picture} picture */
	put(picture) {
		this.#take(picture);
		this.#trim();
		this.onChange();
	}

	/** @param {string} id */
	drop(id) {
		this.#deleted.add(id);
		this.#pictures.delete(id);
		this.onChange();
	}

	/** Takes in what has changed. @throws {Problem} */
	async refresh() {
		const known = [...this.#pictures.keys()];
		/** @type {PicturePage} */
		const { pictures, next } = await this.#api.ask(`/v1/pictures?limit=${pageSize}`);
		const listed = new Set(pictures.map(({ id }) => id));
		if (next !== undefined && known.length > 0 && !known.some((id) => listed.has(id))) {
			// So many new ones that there is a gap below them.
			this.#pictures.clear();
			this.hasMore = true;
		}
		// Gone are those that were here before the question, belong between the answers and are not among them.
		for (const id of known) if (!listed.has(id) && (next === undefined || id >= next)) this.#pictures.delete(id);
		for (const picture of pictures) this.#take(picture);
		if (next === undefined || known.length === 0) this.hasMore = next !== undefined;
		await this.#refreshStragglers(listed);
		this.#trim();
		this.onChange();
	}

	/** Shows a further page. @throws {Problem} */
	async more() {
		const last = this.pictures.at(-1);
		if (!last) return;
		/** @type {PicturePage} */
		const { pictures, next } = await this.#api.ask(`/v1/pictures?limit=${pageSize}&cursor=${last.id}`);
		this.#wanted += pageSize;
		for (const picture of pictures) this.#take(picture);
		this.hasMore = next !== undefined;
		this.onChange();
	}

	/** @param {Set<string>} listed */
	async #refreshStragglers(listed) {
		const stragglers = this.pictures.filter((picture) => !listed.has(picture.id) && !isFinished(picture));
		await Promise.all(
			stragglers.slice(-maximumStragglers).map(async ({ id }) => {
				try {
					this.#take(await this.#api.ask(`/v1/pictures/${id}`));
				} catch (error) {
					if (/** @type {Problem} */ (error).status !== 404) throw error;
					this.#pictures.delete(id);
				}
			}),
		);
	}

	/** Answers overtake each other; the newest revision stays. @param {Picture} picture */
	#take(picture) {
		const known = this.#pictures.get(picture.id);
		if (this.#deleted.has(picture.id) || (known && known.revision > picture.revision)) return;
		this.#pictures.set(picture.id, picture);
	}

	/** A page that is left open for days while thousands come in must not grow with them. */
	#trim() {
		const surplus = this.pictures.slice(this.#wanted);
		for (const { id } of surplus) this.#pictures.delete(id);
		if (surplus.length > 0) this.hasMore = true;
	}
}

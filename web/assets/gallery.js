/** @import { ListedPicture, PicturePage } from '../types/api.d.ts' */
/** @import { Api, Problem } from './api.js' */
import { isFinished } from './format.js';

/** Pictures to load at a time. */
const pageSize = 48;
/** Most unfinished pictures beyond the newest page to load one by one each time. */
const maximumStragglers = 10;

/** The newest pictures, as far as the page shows them, in the order of the API's list. */
export class Gallery {
	/** Called after every change. */
	onChange = () => {};
	/** Are there older pictures? */
	hasMore = false;
	#api;
	/** @type {Map<string, ListedPicture>} */
	#pictures = new Map();
	/** Ids deleted on this page; a late response must not bring them back. @type {Set<string>} */
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

	/** @param {ListedPicture} picture */
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

	/** Loads what has changed. @throws {Problem} */
	async refresh() {
		const known = [...this.#pictures.keys()];
		/** @type {PicturePage} */
		const { pictures, next } = await this.#api.ask(`/v1/pictures?limit=${pageSize}`);
		const listed = new Set(pictures.map(({ id }) => id));
		if (next !== undefined && known.length > 0 && !known.some((id) => listed.has(id))) {
			// There are so many new pictures that there is a gap below them.
			this.#pictures.clear();
			this.hasMore = true;
		}
		// Pictures that existed before the request, fall into its range and are missing from it were deleted.
		for (const id of known) if (!listed.has(id) && (next === undefined || id >= next)) this.#pictures.delete(id);
		for (const picture of pictures) this.#take(picture);
		if (next === undefined || known.length === 0) this.hasMore = next !== undefined;
		await this.#refreshStragglers(listed);
		this.#trim();
		this.onChange();
	}

	/** Loads another page. @throws {Problem} */
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

	/** Responses can overtake each other; the newest revision wins. @param {ListedPicture} picture */
	#take(picture) {
		const known = this.#pictures.get(picture.id);
		if (this.#deleted.has(picture.id) || (known && known.revision > picture.revision)) return;
		this.#pictures.set(picture.id, picture);
	}

	/** A page that is open for days while thousands of pictures arrive must not grow with them. */
	#trim() {
		const surplus = this.pictures.slice(this.#wanted);
		for (const { id } of surplus) this.#pictures.delete(id);
		if (surplus.length > 0) this.hasMore = true;
	}
}

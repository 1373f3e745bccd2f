/** @import { Failures, Index, Queue } from '../types/api.d.ts' */
/** @import { Api, Problem } from './api.js' */
import { byId, el } from './dom.js';

/** How long the state of the index is shown before it is asked for again, milliseconds. */
const indexKnownFor = 5_000;

/** The figures of the pictures queue in the header, and the link to Arena. */
export class Figures {
	/** Is there work in progress? */
	isBusy = false;
	#api;
	/** May the key read the queues? Checked once for each key. */
	#isAllowed = true;
	/** @type {Index | undefined} */
	#known;
	#knownAt = 0;
	#list = byId('figures', HTMLUListElement);
	#arena = byId('arena', HTMLSpanElement);

	/** @param {Api} api */
	constructor(api) {
		this.#api = api;
	}

	/** @throws {Problem} */
	async refresh() {
		if (!this.#isAllowed) return;
		const [queues, index, failures] = await Promise.all([
			this.#queues(),
			this.#index(),
			/** @type {Promise<Failures>} */ (this.#api.ask('/v1/failures')),
		]);
		const queue = queues.find(({ name }) => name === 'pictures');
		if (!queue) return;
		const { counts, paused, workers, links } = queue;
		// Jobs that wait for another attempt count as waiting.
		const waiting = counts.waiting + counts.prioritized + counts.delayed;
		this.isBusy = waiting + counts.active > 0;
		this.#list.hidden = false;
		this.#list.replaceChildren(
			figure(waiting, 'waiting'),
			figure(counts.active, 'active'),
			figure(failures.total, 'failed', failures.total > 0),
			...(index.complete ? [] : [warning(rebuildOf(index))]),
			...(paused ? [warning('Paused')] : []),
			...(workers === 0 && waiting > 0 ? [warning('No worker is running')] : []),
		);
		this.#arena.hidden = false;
		this.#arena.replaceChildren(el('a', { href: links.arena, target: '_blank', rel: 'noopener' }, 'Arena ↗'));
	}

	/** Empty for a read-only key. @returns {Promise<readonly Queue[]>} @throws {Problem} */
	async #queues() {
		try {
			return (await this.#api.ask('/v1/queues')).queues;
		} catch (error) {
			if (/** @type {Problem} */ (error).status !== 403) throw error;
			this.#isAllowed = false;
			this.hide();
			return [];
		}
	}

	/** Asked less often than the queues: it rarely changes. @returns {Promise<Index>} @throws {Problem} */
	async #index() {
		if (!this.#known || performance.now() - this.#knownAt > indexKnownFor) {
			this.#known = /** @type {Index} */ (await this.#api.ask('/v1/index'));
			this.#knownAt = performance.now();
		}
		return this.#known;
	}

	/** Starts again for another key. */
	reset() {
		this.#isAllowed = true;
	}

	hide() {
		this.#list.hidden = true;
		this.#arena.hidden = true;
	}
}

/** @param {Index} index */
function rebuildOf({ rebuild }) {
	if (!rebuild) return 'The list is incomplete until the index is rebuilt';
	return `Rebuilding the list: ${rebuild.pictures} pictures, ${rebuild.daysDone} of ${rebuild.days} days`;
}

/** @param {number} count @param {string} word */
function figure(count, word, isBad = false) {
	return el('li', { class: isBad ? 'bad' : '' }, el('b', {}, String(count)), ` ${word}`);
}

/** @param {string} text */
function warning(text) {
	return el('li', { class: 'warning' }, text);
}

/** @import { ListedPicture } from '../types/api.d.ts' */
/** @import { Api } from './api.js' */
import { el } from './dom.js';
import { addressOf, countOf, formatBytes, formatSize, lackedBy, nameOf, shownVariants, stateWords } from './format.js';
import { placePlaceholder } from './placeholder.js';

/** The tiles of the pictures. A tile keeps its element while its picture changes, so focus and scroll position are kept too. */
export class Grid {
	#list;
	#api;
	/** @type {Map<string, { element: HTMLLIElement, link: HTMLAnchorElement, shown: string }>} */
	#tiles = new Map();

	/** @param {HTMLElement} list @param {Api} api */
	constructor(list, api) {
		this.#list = list;
		this.#api = api;
	}

	/** @param {readonly ListedPicture[]} pictures in the order to show them */
	render(pictures) {
		const ids = new Set(pictures.map(({ id }) => id));
		for (const [id, { element }] of this.#tiles) {
			if (ids.has(id)) continue;
			element.remove();
			this.#tiles.delete(id);
		}
		let place = this.#list.firstElementChild;
		for (const picture of pictures) {
			const tile = this.#tileOf(picture);
			if (tile.element === place) place = place.nextElementSibling;
			else this.#list.insertBefore(tile.element, place);
			const shown = JSON.stringify([picture.state, picture.revision]);
			if (tile.shown === shown) continue;
			tile.shown = shown;
			this.#fill(tile.element, tile.link, picture);
		}
	}

	/** @param {ListedPicture} picture */
	#tileOf({ id }) {
		const known = this.#tiles.get(id);
		if (known) return known;
		const link = el('a', { href: `#${id}` });
		const tile = { element: el('li', { class: 'tile' }, link), link, shown: '' };
		this.#tiles.set(id, tile);
		return tile;
	}

	/** @param {HTMLLIElement} element @param {HTMLAnchorElement} link @param {ListedPicture} picture */
	#fill(element, link, picture) {
		element.dataset.state = picture.state;
		link.replaceChildren(
			this.#frame(picture),
			el('span', { class: 'name', title: nameOf(picture), dir: 'auto' }, nameOf(picture)),
			el('span', { class: 'facts' }, factsOf(picture)),
		);
	}

	/** @param {ListedPicture} picture */
	#frame(picture) {
		const isReady = picture.state === 'ready';
		const frame = el('span', { class: 'frame' });
		const variant = picture.variants.find(({ name }) => name === 'thumb') ?? shownVariants(picture)[0];
		if (variant) {
			const image = el('img', { alt: '', width: variant.width, height: variant.height, decoding: 'async' });
			// The placeholder is more useful than the icon of a broken image.
			image.addEventListener('error', () => image.remove());
			placePlaceholder(frame, image, picture.analysis.thumbhash);
			this.#api.show(image, addressOf(variant)).catch(() => image.remove());
			frame.append(image);
		}
		if (picture.failure) frame.append(el('span', { class: 'reason' }, picture.failure.message));
		const lacked = lackedBy(picture).length;
		frame.append(el('span', { class: isReady ? 'unseen' : 'badge' }, stateWords[picture.state]));
		if (lacked > 0) frame.append(el('span', { class: 'badge lacking' }, `${countOf(lacked, 'variant')} failed`));
		return frame;
	}
}

/** @param {ListedPicture} picture */
function factsOf(picture) {
	const { facts, source, state } = picture;
	const count = 'variantCount' in picture ? picture.variantCount : picture.variants.length;
	const bytes = source.bytes === undefined ? 'to be fetched' : formatBytes(source.bytes);
	const size = facts ? formatSize(facts) : bytes;
	return state === 'ready' ? `${size} · ${countOf(count, 'variant')}` : size;
}

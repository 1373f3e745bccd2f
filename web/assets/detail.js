/** @import { Picture } from '../types/api.d.ts' */
/** @import { Api, Problem } from './api.js' */
/** @import { Gallery } from './gallery.js' */
import { byId, el } from './dom.js';
import { factList, failureBox, failureList, heroOf, variantList } from './facts.js';
import { isFinished, lackedBy, nameOf, stateWords } from './format.js';

/** A picture with all its details, in a dialog. The URL contains its id, `#pic_...`, so that it can be linked. */
export class Detail {
	#api;
	#gallery;
	#dialog = byId('detail', HTMLDialogElement);
	#id = '';
	/** The whole picture; the gallery has a summary. @type {Picture | undefined} */
	#own;
	/** Is it being loaded? */
	#isAsking = false;
	/** The picture does not exist, and loading it again would not change that. */
	#isGone = false;
	/** What is displayed, to leave it alone until it changes. */
	#shown = '';

	/** @param {Api} api @param {Gallery} gallery */
	constructor(api, gallery) {
		this.#api = api;
		this.#gallery = gallery;
		window.addEventListener('hashchange', () => this.follow());
		this.#dialog.addEventListener('click', (event) => {
			// The content fills the dialog, so a click on the dialog itself is a click on the backdrop.
			if (event.target === this.#dialog) this.#dialog.close();
		});
		this.#dialog.addEventListener('close', () => {
			// The event is late; by then another picture may be open.
			if (this.#dialog.open) return;
			this.#id = '';
			if (location.hash !== '') history.pushState(null, '', location.pathname);
		});
	}

	/** Opens the picture in the URL, or closes. */
	follow() {
		const id = /^#(pic_[0-9a-z]{26})$/.exec(location.hash)?.[1] ?? '';
		if (id === this.#id) return;
		this.#id = id;
		this.#own = undefined;
		this.#isAsking = false;
		this.#isGone = false;
		this.#shown = '';
		if (id === '') return this.#dialog.close();
		const listed = this.#gallery.get(id);
		const head = listed ? this.#head(nameOf(listed), listed.state) : this.#head('Loading…');
		this.#dialog.replaceChildren(el('div', { class: 'page' }, head));
		if (!this.#dialog.open) this.#dialog.showModal();
		this.render();
		this.refresh().catch(() => {}); // The next refresh reports it.
	}

	close() {
		this.#dialog.close();
	}

	/** Does the dialog show a changing picture that the gallery does not load? */
	get isBusy() {
		return this.#own !== undefined && !isFinished(this.#own);
	}

	/** Is what was loaded the latest that is known? */
	get #isCurrent() {
		if (!this.#own) return false;
		const listed = this.#gallery.get(this.#id);
		if (!listed || listed.revision < this.#own.revision) return !this.isBusy;
		const { revision, state, waiting } = this.#own;
		return listed.revision === revision && listed.state === state && listed.waiting?.reason === waiting?.reason;
	}

	/** Loads the picture, unless it is loaded and has not changed. @throws {Problem} */
	async refresh() {
		const id = this.#id;
		if (id === '' || this.#isCurrent || this.#isGone || this.#isAsking) return;
		this.#isAsking = true;
		try {
			const picture = await this.#api.ask(`/v1/pictures/${id}`);
			if (id !== this.#id) return;
			this.#own = picture;
			this.render();
		} catch (error) {
			const { status, message } = /** @type {Problem} */ (error);
			if (status !== 400 && status !== 404) throw error;
			if (id !== this.#id) return;
			this.#isGone = true;
			this.#fill(this.#head(message));
		} finally {
			if (id === this.#id) this.#isAsking = false;
		}
	}

	/** Updates the dialog. */
	render() {
		const picture = this.#own;
		if (!picture) return;
		const shown = JSON.stringify(picture);
		if (shown === this.#shown) return;
		this.#shown = shown;
		const variants = variantList(picture, this.#api);
		this.#fill(
			this.#head(nameOf(picture), picture.state),
			picture.failure && failureBox(picture.failure, picture.next),
			failureList(picture),
			variants ? el('div', { class: 'results' }, heroOf(picture, this.#api), variants) : undefined,
			el('section', { class: 'facts', 'aria-label': 'Facts' }, factList(picture)),
			this.#actions(picture),
		);
	}

	/** @param {(HTMLElement | undefined)[]} parts */
	#fill(...parts) {
		const hadFocus = this.#dialog.contains(document.activeElement);
		this.#dialog.replaceChildren(el('div', { class: 'page' }, ...parts));
		if (hadFocus) byId('detail-title', HTMLHeadingElement).focus();
	}

	/** @param {string} title @param {Picture['state']} [state] */
	#head(title, state) {
		return el(
			'header',
			{},
			el('h2', { id: 'detail-title', tabindex: -1, dir: 'auto' }, title),
			state && el('span', { class: 'badge', 'data-state': state }, stateWords[state]),
			el('button', { type: 'button', class: 'plain close', 'aria-label': 'Close', onclick: () => this.close() }, '✕'),
		);
	}

	/** @param {Picture} picture */
	#actions(picture) {
		const { id, state, source, links, failure } = picture;
		const canRetry = state === 'failed' || lackedBy(picture).length > 0;
		const problem = el('p', { class: 'problem', role: 'alert', hidden: true });
		const bar = el('div', { class: 'actions' });
		/** @param {() => Promise<void>} work */
		const attempt = (work) => async () => {
			problem.hidden = true;
			await work().catch((error) => {
				problem.textContent = error.message;
				problem.hidden = false;
			});
		};
		const retry = attempt(async () => this.#put(await this.#api.ask(links.retry, 'POST')));
		const remove = attempt(async () => {
			await this.#api.ask(links.self, 'DELETE');
			this.close();
			this.#gallery.drop(id);
		});

		// The same bytes would fail again, so another file comes first.
		const isFileAtFault = canRetry && [...(failure ? [failure] : []), ...lackedBy(picture)].every(isOfFile);
		const another = () => {
			this.close();
			byId('files', HTMLInputElement).click();
		};
		/** @param {boolean} isFirst */
		const retryButton = (isFirst) =>
			el('button', { type: 'button', class: isFirst ? 'button' : 'plain', onclick: retry }, 'Retry');

		const offer = () =>
			bar.replaceChildren(
				...(isFileAtFault
					? [el('button', { type: 'button', class: 'button', onclick: another }, 'Upload another file')]
					: canRetry
						? [retryButton(true)]
						: []),
				...(links.original
					? [el('a', { href: links.original, 'data-save-as': source.filename ?? id }, 'Original')]
					: []),
				el('a', { href: links.self, target: '_blank', 'data-save-as': `${id}.json` }, 'JSON'),
				el('a', { href: links.job, target: '_blank', rel: 'noopener' }, 'Job in Arena ↗'),
				...(isFileAtFault ? [retryButton(false)] : []),
				el('button', { type: 'button', class: 'plain danger', onclick: confirm }, 'Delete'),
			);
		const confirm = () => {
			const keep = el('button', { type: 'button', class: 'button secondary', onclick: offer }, 'Keep it');
			bar.replaceChildren(
				el('p', {}, 'Delete the original and all its variants? This cannot be undone.'),
				el('button', { type: 'button', class: 'button danger', onclick: remove }, 'Delete permanently'),
				keep,
			);
			keep.focus();
		};
		offer();
		return el('footer', {}, problem, bar);
	}

	/** @param {Picture} picture */
	#put(picture) {
		this.#own = picture;
		if (this.#gallery.get(picture.id)) this.#gallery.put(picture);
		this.render();
	}
}

/** Unsupported here and now: a retry works once the recipe, a setting or the machine has been changed. */
const mendable = new Set(['asset-missing', 'no-fonts', 'url-not-allowed', 'invalid-job']);

/** Is the file itself at fault? @param {{ readonly class: string, readonly code: string }} failure */
function isOfFile(failure) {
	return (failure.class === 'corrupt' || failure.class === 'unsupported') && !mendable.has(failure.code);
}

/** @import { Picture } from '../types/api.d.ts' */
/** @import { Api } from './api.js' */
import { Problem } from './api.js';
import { byId, el } from './dom.js';
import { formatBytes } from './format.js';

/** Concurrent uploads: enough to fill a connection, few enough that the first pictures arrive soon. */
const inParallel = 3;
/** How long a row of a finished upload stays, milliseconds. */
const farewell = 1_500;

/**
 * @typedef {object} Upload
 * @property {File} file
 * @property {'waiting' | 'sending' | 'done' | 'refused'} state
 * @property {AbortController} control
 * @property {HTMLLIElement} row
 * @property {HTMLProgressElement} bar
 * @property {HTMLParagraphElement} note
 * @property {HTMLButtonElement} again
 * @property {HTMLButtonElement} close
 */

/** The panel of uploads: a row with a bar for each file, one request each, a few at a time. */
export class Uploads {
	/** Largest file that is accepted, bytes. */
	maxBytes = Number.POSITIVE_INFINITY;
	/** Called with each picture as it is accepted. @param {Picture} _picture */
	onPicture = (_picture) => {};
	#api;
	#panel = byId('uploads', HTMLElement);
	#summary = byId('uploads-summary', HTMLParagraphElement);
	#list = byId('uploads-list', HTMLUListElement);
	#clear = byId('uploads-clear', HTMLButtonElement);
	/** @type {Upload[]} */
	#uploads = [];

	/** @param {Api} api */
	constructor(api) {
		this.#api = api;
		this.#clear.addEventListener('click', () => {
			for (const upload of this.#in('refused')) this.#remove(upload);
		});
		window.addEventListener('beforeunload', (event) => {
			if (this.isBusy) event.preventDefault();
		});
	}

	get isBusy() {
		return this.#in('sending').length + this.#in('waiting').length > 0;
	}

	/** @param {readonly File[]} files */
	add(files) {
		for (const file of files) {
			const upload = this.#open(file);
			this.#uploads.push(upload);
			this.#list.append(upload.row);
			if (file.size > this.maxBytes) {
				const limit = formatBytes(this.maxBytes);
				this.#refuse(upload, new Problem(413, `The file is larger than allowed. Expected at most ${limit}.`));
			}
		}
		this.#next();
	}

	/** @param {File} file @returns {Upload} */
	#open(file) {
		/** @type {Upload} */
		const upload = {
			file,
			state: 'waiting',
			control: new AbortController(),
			row: el('li'),
			bar: el('progress', { max: 1, value: 0, 'aria-label': `Upload of ${file.name}` }),
			note: el('p', { class: 'quiet' }, `${formatBytes(file.size)}, waiting`),
			again: el('button', { type: 'button', class: 'plain', hidden: true }, 'Try again'),
			close: el('button', { type: 'button', class: 'plain', 'aria-label': `Cancel ${file.name}` }, 'Cancel'),
		};
		upload.again.addEventListener('click', () => this.#wait(upload));
		upload.close.addEventListener('click', () => {
			upload.control.abort();
			this.#remove(upload);
		});
		upload.row.append(
			el('p', { class: 'name', title: file.name, dir: 'auto' }, file.name),
			el('span', { class: 'actions' }, upload.again, upload.close),
			upload.bar,
			upload.note,
		);
		return upload;
	}

	#next() {
		while (this.#in('sending').length < inParallel) {
			const [upload] = this.#in('waiting');
			if (!upload) break;
			void this.#send(upload);
		}
		this.#summarise();
	}

	/** @param {Upload} upload */
	async #send(upload) {
		upload.state = 'sending';
		upload.note.textContent = formatBytes(upload.file.size);
		try {
			const picture = await this.#api.upload(upload.file, {
				signal: upload.control.signal,
				onProgress: (fraction) => {
					upload.bar.value = fraction;
					upload.note.textContent =
						fraction < 1
							? `${formatBytes(upload.file.size * fraction)} of ${formatBytes(upload.file.size)}`
							: 'Sent, storing';
				},
			});
			upload.state = 'done';
			upload.bar.value = 1;
			upload.note.textContent = 'Uploaded';
			upload.close.hidden = true;
			setTimeout(() => this.#remove(upload), farewell);
			this.onPicture(picture);
		} catch (error) {
			if (!upload.control.signal.aborted) this.#refuse(upload, /** @type {Problem} */ (error));
		}
		this.#next();
	}

	/** @param {Upload} upload @param {Problem} problem */
	#refuse(upload, problem) {
		upload.state = 'refused';
		upload.row.classList.add('refused');
		upload.bar.hidden = true;
		upload.note.className = 'problem';
		upload.note.setAttribute('role', 'alert');
		upload.note.textContent = problem.message;
		upload.again.hidden = !problem.mayPass;
		upload.close.textContent = 'Dismiss';
		upload.close.setAttribute('aria-label', `Dismiss ${upload.file.name}`);
	}

	/** Starts again. @param {Upload} refused */
	#wait(refused) {
		const upload = this.#open(refused.file);
		refused.row.replaceWith(upload.row);
		this.#uploads.splice(this.#uploads.indexOf(refused), 1, upload);
		upload.close.focus();
		this.#next();
	}

	/** @param {Upload} upload */
	#remove(upload) {
		const hadFocus = upload.row.contains(document.activeElement);
		upload.row.remove();
		this.#uploads = this.#uploads.filter((one) => one !== upload);
		this.#next();
		if (!hadFocus) return;
		const neighbour = this.#list.querySelector('button:not([hidden])') ?? byId('files', HTMLInputElement);
		/** @type {HTMLElement} */ (neighbour).focus();
	}

	#summarise() {
		const open = this.#in('sending').length + this.#in('waiting').length;
		const refused = this.#in('refused').length;
		this.#panel.hidden = this.#uploads.length === 0;
		this.#clear.hidden = refused < 2;
		const parts = [open > 0 && `${open} in progress`, refused > 0 && `${refused} not uploaded`].filter(Boolean);
		this.#summary.textContent = parts.join(', ') || 'done';
	}

	/** @param {Upload['state']} state */
	#in(state) {
		return this.#uploads.filter((upload) => upload.state === state);
	}
}

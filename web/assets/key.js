/** @import { Api } from './api.js' */
import { byId } from './dom.js';

/** Characters that an HTTP header allows and a key can contain. */
const keyPattern = /^[\x21-\x7e]+$/;

/**
 * The form that asks for an API key.
 *
 * @param {Api} api
 * @param {() => void} onAccepted
 * @returns {{ ask: (problem?: string) => void }}
 */
export function keyForm(api, onAccepted) {
	const form = byId('key-form', HTMLFormElement);
	const input = byId('key', HTMLInputElement);
	const problem = byId('key-problem', HTMLParagraphElement);

	/** @param {string} [sentence] */
	function ask(sentence) {
		problem.textContent = sentence ?? '';
		problem.hidden = sentence === undefined;
		form.hidden = false;
		input.value = '';
		input.focus();
	}

	form.addEventListener('submit', async (event) => {
		event.preventDefault();
		const key = input.value.trim();
		if (!keyPattern.test(key)) return ask('The key was not accepted.');
		api.useKey(key);
		try {
			await api.ask('/v1/pictures?limit=1');
		} catch (error) {
			const { status, message } = /** @type {import('./api.js').Problem} */ (error);
			// Without Redis there is no list, but the key was valid.
			if (status !== 503) {
				api.useKey(undefined);
				return ask(status === 401 ? 'The key was not accepted.' : message);
			}
		}
		form.hidden = true;
		onAccepted();
	});

	return { ask };
}

/** @import { Problem } from './api.js' */
import { Api } from './api.js';
import { Detail } from './detail.js';
import { byId } from './dom.js';
import { listenForFiles } from './drop.js';
import { Figures } from './figures.js';
import { Gallery } from './gallery.js';
import { Grid } from './grid.js';
import { keyForm } from './key.js';
import { repeat } from './poll.js';
import { Uploads } from './uploads.js';

/** Assembles the page. */

/** Milliseconds between two updates: while work is in progress, while none is, and at most while the API does not respond. */
const delays = { busy: 1_000, idle: 5_000, longest: 10_000 };

const api = new Api();
const gallery = new Gallery(api);
const grid = new Grid(byId('grid', HTMLUListElement), api);
const figures = new Figures(api);
const detail = new Detail(api, gallery);
const uploads = new Uploads(api);
const form = keyForm(api, () => {
	figures.reset();
	unlock();
	look();
});

const content = byId('content', HTMLDivElement);
const notice = byId('notice', HTMLParagraphElement);
const recipes = byId('recipes', HTMLAnchorElement);
const more = byId('more', HTMLButtonElement);
const forgetKey = byId('forget-key', HTMLButtonElement);

let failures = 0;
let hasSettings = false;
let isLocked = true;

const look = repeat(async () => {
	try {
		if (!hasSettings) await start();
		if (isLocked) return delays.longest;
		await Promise.all([gallery.refresh(), figures.refresh(), detail.refresh()]);
		failures = 0;
		tell('');
	} catch (error) {
		const problem = /** @type {Problem} */ (error);
		if (problem.status !== 401) tell(`${problem.message} Trying again…`);
		failures += 1;
		return Math.min(delays.busy * 2 ** (failures - 1), delays.longest);
	}
	const isBusy = gallery.isBusy || figures.isBusy || detail.isBusy || uploads.isBusy;
	return isBusy ? delays.busy : delays.idle;
});

async function start() {
	const settings = await api.settings();
	hasSettings = true;
	uploads.maxBytes = settings.maxBytes;
	if (!settings.needsKey) api.useKey(undefined);
	if (settings.needsKey && !api.hasKey) lock();
	else unlock();
}

/** Shows nothing until there is a key. @param {string} [problem] */
function lock(problem) {
	isLocked = true;
	content.hidden = true;
	forgetKey.hidden = true;
	recipes.hidden = true;
	figures.hide();
	detail.close();
	tell('');
	form.ask(problem);
}

function unlock() {
	isLocked = false;
	content.hidden = false;
	recipes.hidden = false;
	forgetKey.hidden = !api.hasKey;
	showCurl();
	detail.follow();
}

/** @param {string} sentence */
function tell(sentence) {
	// Set only if it changes: a screen reader reads it out each time.
	if (notice.textContent !== sentence) notice.textContent = sentence;
	notice.hidden = sentence === '';
}

function showCurl() {
	const key = api.hasKey ? '-H "Authorization: Bearer $PICPIPE_KEY" ' : '';
	const line = `curl ${key}-F file=@photo.jpg -H 'Prefer: wait=30' ${location.origin}/v1/pictures`;
	byId('curl-line', HTMLElement).textContent = line;
	const body = `-H 'content-type: application/json' -d '{"url":"https://example.org/photo.jpg"}'`;
	byId('curl-url-line', HTMLElement).textContent = `curl ${key}${body} ${location.origin}/v1/pictures`;
	const copy = byId('curl-copy', HTMLButtonElement);
	// Browsers allow the clipboard only to pages loaded over TLS or from this machine.
	copy.hidden = !navigator.clipboard;
	copy.onclick = async () => {
		await navigator.clipboard.writeText(line);
		copy.textContent = 'Copied';
	};
}

/** @param {File[]} files */
function take(files) {
	if (isLocked || files.length === 0) return;
	uploads.add(files);
	look();
}

api.onKeyRefused = () => {
	if (isLocked) return;
	const problem = api.hasKey ? 'The key is no longer accepted.' : undefined;
	api.useKey(undefined);
	lock(problem);
};
gallery.onChange = () => {
	grid.render(gallery.pictures);
	detail.refresh().catch(() => {}); // The next update reports it.
	more.hidden = !gallery.hasMore;
	content.classList.toggle('empty', gallery.isEmpty);
};
uploads.onPicture = (picture) => {
	gallery.put(picture);
	look();
};
forgetKey.addEventListener('click', () => {
	api.useKey(undefined);
	// Also removes what was shown with the key from memory.
	location.reload();
});
more.addEventListener('click', async () => {
	more.disabled = true;
	await gallery.more().catch((error) => tell(error.message));
	more.disabled = false;
});

const files = byId('files', HTMLInputElement);
files.addEventListener('change', () => {
	take([...(files.files ?? [])]);
	// So that the same file can be chosen again.
	files.value = '';
});
listenForFiles(byId('drop-hint', HTMLDivElement), take, () => tell('The dropped files could not be read.'));

// A plain link sends no key, so with a key its target is fetched and saved.
document.addEventListener('click', async (event) => {
	const link = event.target instanceof Element ? event.target.closest('a[data-save-as]') : null;
	if (!(link instanceof HTMLAnchorElement) || !api.hasKey) return;
	event.preventDefault();
	try {
		await save(link.href, link.dataset.saveAs ?? '');
	} catch (error) {
		tell(/** @type {Problem} */ (error).message);
	}
});

/** @param {string} url @param {string} name */
async function save(url, name) {
	const address = URL.createObjectURL(await api.blob(url));
	const link = document.createElement('a');
	link.href = address;
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

look();

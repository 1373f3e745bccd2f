/**
 * Takes files dropped anywhere on the page or pasted into it.
 *
 * @param {HTMLElement} hint shown while files are dragged over the page
 * @param {(files: File[]) => void} take
 * @param {() => void} complain when what was dropped can't be read
 */
export function listenForFiles(hint, take, complain) {
	// Entering a child counts as leaving its parent, so only the balance tells whether the page has been left.
	let depth = 0;
	/** @param {number} value */
	const setDepth = (value) => {
		depth = Math.max(0, value);
		hint.hidden = depth === 0;
	};
	window.addEventListener('dragenter', (event) => holdsFiles(event) && setDepth(depth + 1));
	window.addEventListener('dragleave', (event) => holdsFiles(event) && setDepth(depth - 1));
	// Without this a browser leaves the page to show the file.
	window.addEventListener('dragover', (event) => holdsFiles(event) && event.preventDefault());
	window.addEventListener('drop', (event) => {
		setDepth(0);
		if (!event.dataTransfer || !holdsFiles(event)) return;
		event.preventDefault();
		droppedFiles(event.dataTransfer).then(take, complain);
	});
	document.addEventListener('paste', (event) => {
		const files = [...(event.clipboardData?.files ?? [])];
		if (files.length === 0) return;
		event.preventDefault();
		take(files);
	});
}

/** Text and links are dragged too. @param {DragEvent} event */
function holdsFiles(event) {
	return event.dataTransfer?.types.includes('Files') ?? false;
}

/** What was dropped, the files in folders too. @param {DataTransfer} transfer */
async function droppedFiles(transfer) {
	// All of it is asked for at once: the transfer is empty when the event is over.
	const items = [...transfer.items]
		.filter(({ kind }) => kind === 'file')
		.map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
	const found = await Promise.all(
		items.map(({ entry, file }) => (entry?.isDirectory ? filesBelow(entry) : file ? [file] : [])),
	);
	return found.flat();
}

/** @param {FileSystemEntry} entry @returns {Promise<File[]>} */
async function filesBelow(entry) {
	// What systems keep in folders for themselves, such as `.DS_Store`.
	if (entry.name.startsWith('.')) return [];
	if (entry.isFile) {
		const { file } = /** @type {FileSystemFileEntry} */ (entry);
		return [await new Promise((resolve, reject) => file.call(entry, resolve, reject))];
	}
	const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
	/** @type {File[]} */
	const files = [];
	for (;;) {
		// Comes in portions; an empty one is the end.
		/** @type {FileSystemEntry[]} */
		const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
		if (entries.length === 0) return files;
		for (const one of entries) files.push(...(await filesBelow(one)));
	}
}

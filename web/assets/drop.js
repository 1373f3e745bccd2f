/**
 * Accepts files dropped anywhere on the page or pasted into it.
 *
 * @param {HTMLElement} hint shown while files are dragged over the page
 * @param {(files: File[]) => void} take
 * @param {() => void} complain called if the dropped files cannot be read
 */
export function listenForFiles(hint, take, complain) {
	// Entering a child counts as leaving its parent, so only the balance tells whether the pointer left the page.
	let depth = 0;
	/** @param {number} value */
	const setDepth = (value) => {
		depth = Math.max(0, value);
		hint.hidden = depth === 0;
	};
	window.addEventListener('dragenter', (event) => holdsFiles(event) && setDepth(depth + 1));
	window.addEventListener('dragleave', (event) => holdsFiles(event) && setDepth(depth - 1));
	// Otherwise a browser leaves the page to show the file.
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

/** Text and links can be dragged too. @param {DragEvent} event */
function holdsFiles(event) {
	return event.dataTransfer?.types.includes('Files') ?? false;
}

/** The dropped files, including those in folders. @param {DataTransfer} transfer */
async function droppedFiles(transfer) {
	// All of them are requested at once: the transfer is empty after the event.
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
	// Hidden files of the system, such as `.DS_Store`.
	if (entry.name.startsWith('.')) return [];
	if (entry.isFile) {
		const { file } = /** @type {FileSystemFileEntry} */ (entry);
		return [await new Promise((resolve, reject) => file.call(entry, resolve, reject))];
	}
	const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
	/** @type {File[]} */
	const files = [];
	for (;;) {
		// Entries come in batches; an empty one is the end.
		/** @type {FileSystemEntry[]} */
		const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
		if (entries.length === 0) return files;
		for (const one of entries) files.push(...(await filesBelow(one)));
	}
}

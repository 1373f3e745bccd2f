/**
 * Repeats work, one run at a time, and not while the page is hidden.
 *
 * @param {() => Promise<number>} work never rejects; resolves to the milliseconds until the next time
 * @returns {() => void} runs it now
 */
export function repeat(work) {
	/** @type {number | undefined} */
	let timer;
	let isRunning = false;
	let wantedAgain = false;

	async function run() {
		window.clearTimeout(timer);
		wantedAgain = isRunning;
		if (isRunning) return;
		isRunning = true;
		const delay = await work();
		isRunning = false;
		if (!document.hidden) timer = window.setTimeout(run, wantedAgain ? 0 : delay);
	}

	document.addEventListener('visibilitychange', () => {
		if (document.hidden) window.clearTimeout(timer);
		else void run();
	});
	return () => void run();
}

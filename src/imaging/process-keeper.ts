import type { Logger } from '../observe/log.ts';
import { type ImagingChild, startImagingChild } from './child-handle.ts';
import type { ImagingSettings } from './protocol.ts';

export interface ImagingProcessesOptions {
	/** Most processes at a time. */
	readonly count: number;
	/** Resident memory at which a process is replaced, million bytes. */
	readonly imagingMegabytes: number;
	/** Pictures after which a process is replaced. */
	readonly imagingPictures: number;
	readonly settings: ImagingSettings;
	readonly log: Logger;
	/** A process is free, for the first time or again. */
	onFree(): void;
	/** No process is left, and several starts in a row have failed. Starting is still retried. */
	onHopeless(how: string): void;
}

/**
 * Keeps as many imaging processes running as were needed at the same time so far: a dead one is restarted, and a worn one is replaced between
 * two pictures.
 */
export interface ImagingProcesses {
	/** Processes without a picture; the one that has waited longest comes first. */
	readonly free: readonly ImagingChild[];
	/** All living processes. */
	readonly alive: ReadonlySet<ImagingChild>;
	/** Processes with a picture. */
	readonly working: ReadonlySet<ImagingChild>;
	/**
	 * Starts a further process if the pictures that wait are more than the processes that are about to be ready.
	 *
	 * @param waiting pictures that wait for a process
	 */
	growFor(waiting: number): void;
	/** Marks a process as working. */
	take(child: ImagingChild): void;
	/** Marks a process as free. */
	giveBack(child: ImagingChild): void;
	/** Starts no further process and reports none as free. */
	close(): void;
}

/** Delay before a process that died while idle is restarted, milliseconds; doubles up to the maximum. */
const firstRestartDelay = 100;
const maximumRestartDelay = 10_000;
/** This many deaths in a row, without any working process, are not a coincidence. */
const deathsBeforeGivingUp = 3;

/** Starts one process at once, so that the first picture finds it warm. */
export function keepImagingProcesses(options: ImagingProcessesOptions): ImagingProcesses {
	const { count, imagingMegabytes, imagingPictures, settings, log, onFree, onHopeless } = options;
	const alive = new Set<ImagingChild>();
	const working = new Set<ImagingChild>();
	const free: ImagingChild[] = [];
	/** Processes that are still starting, with the processes that they replace. */
	const successors = new Map<ImagingChild, ImagingChild>();
	/** Processes that end after their picture, because their successors are ready. */
	const leaving = new Set<ImagingChild>();
	const restarts = new Set<NodeJS.Timeout>();
	/** Processes that were needed at the same time so far. */
	let wanted = 0;
	let deathsInARow = 0;
	let isClosed = false;

	const start = (predecessor?: ImagingChild) => {
		const child = startImagingChild(settings, log);
		alive.add(child);
		if (predecessor) successors.set(child, predecessor);
		void child.ready.then(() => {
			log.debug({ imagingPid: child.pid }, 'imaging process ready');
			takeOver(child);
			release(child);
		});
		void child.exited.then((how) => replace(child, how));
	};

	/** Is a process missing that is neither running nor about to be restarted? */
	const isOneMissing = () => alive.size - successors.size + restarts.size < wanted;

	const release = (child: ImagingChild) => {
		if (isClosed || !alive.has(child)) return;
		if (leaving.has(child)) return end(child);
		if (child.residentBytes > imagingMegabytes * 1e6) {
			log.info(
				{ imagingPid: child.pid, residentBytes: child.residentBytes },
				'replacing an imaging process that uses too much memory',
			);
			end(child);
			if (isOneMissing()) start();
			return;
		}
		if (isWorn(child)) start(child);
		free.push(child);
		onFree();
	};

	/**
	 * Due once every `imagingPictures` pictures: if a successor dies before it is ready, the next one does not follow at the next picture.
	 */
	const isWorn = (child: ImagingChild) =>
		child.pictures > 0 && child.pictures % imagingPictures === 0 && ![...successors.values()].includes(child);

	/** The predecessor works until now, so that no picture waits for the start of a process. */
	const takeOver = (child: ImagingChild) => {
		const predecessor = successors.get(child);
		successors.delete(child);
		if (!predecessor) return;
		const { pid: imagingPid, pictures } = predecessor;
		log.info({ imagingPid, pictures }, 'replacing an imaging process after its maximum number of pictures');
		leaving.add(predecessor);
		if (removeFrom(free, predecessor)) end(predecessor);
	};

	const end = (child: ImagingChild) => {
		forget(child);
		child.kill();
	};

	const forget = (child: ImagingChild): boolean => {
		removeFrom(free, child);
		leaving.delete(child);
		successors.delete(child);
		// A successor of this process no longer replaces anything.
		for (const [successor, predecessor] of successors) if (predecessor === child) successors.delete(successor);
		return alive.delete(child);
	};

	/** Starts a new process: at once if a picture caused the death, otherwise with a delay. */
	const replace = (child: ImagingChild, how: string) => {
		if (!forget(child) || isClosed) return;
		const isOwnFault = !working.has(child);
		log.warn({ imagingPid: child.pid, how, isOwnFault }, 'imaging process died');
		if (!isOneMissing()) return;
		if (!isOwnFault) return start();
		deathsInARow++;
		if (deathsInARow >= deathsBeforeGivingUp && working.size === 0 && free.length === 0) onHopeless(how);
		const delay = Math.min(firstRestartDelay * 2 ** (deathsInARow - 1), maximumRestartDelay);
		const timer = setTimeout(() => {
			restarts.delete(timer);
			start();
		}, delay);
		restarts.add(timer);
	};

	const grow = () => {
		wanted++;
		start();
	};

	grow();

	return {
		free,
		alive,
		working,
		growFor(waiting) {
			const arriving = wanted - working.size - free.length;
			if (!isClosed && wanted < count && waiting > arriving) grow();
		},
		take(child) {
			removeFrom(free, child);
			working.add(child);
		},
		giveBack(child) {
			if (alive.has(child)) deathsInARow = 0;
			working.delete(child);
			release(child);
		},
		close() {
			isClosed = true;
			for (const timer of restarts) clearTimeout(timer);
		},
	};
}

function removeFrom<T>(list: T[], item: T): boolean {
	const at = list.indexOf(item);
	if (at >= 0) list.splice(at, 1);
	return at >= 0;
}

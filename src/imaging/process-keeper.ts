import type { Logger } from '../observe/log.ts';
import { type ImagingChild, startImagingChild } from './child-handle.ts';
import type { ImagingSettings } from './protocol.ts';

export interface ImagingProcessesOptions {
	readonly count: number;
	/** Resident memory at which a process is replaced, million bytes. */
	readonly imagingMegabytes: number;
	/** Pictures after which a process is replaced. */
	readonly imagingPictures: number;
	readonly settings: ImagingSettings;
	readonly log: Logger;
	/** One is free, by itself or again. */
	onFree(): void;
	/** None is left, and none could be started for several times in a row. They are started again all the same. */
	onHopeless(how: string): void;
}

/** Keeps so many imaging processes running: who dies is started again, who is worn is replaced between two pictures. */
export interface ImagingProcesses {
	/** Those without a picture; the one that has waited the longest comes first. */
	readonly free: readonly ImagingChild[];
	/** Those that are alive. */
	readonly alive: ReadonlySet<ImagingChild>;
	/** Those that have a picture. */
	readonly working: ReadonlySet<ImagingChild>;
	/** It has a picture now. */
	take(child: ImagingChild): void;
	/** Its picture is done. */
	giveBack(child: ImagingChild): void;
	/** No other is started, nor told to be free. */
	close(): void;
}

/** Milliseconds before a process that died without working on a picture is started again; doubles up to the maximum. */
const firstRestartDelay = 100;
const maximumRestartDelay = 10_000;
/** So many deaths in a row, without any process that works, are no accident. */
const deathsBeforeGivingUp = 3;

/** Starts them at once, so that the first picture finds them warm. */
export function keepImagingProcesses(options: ImagingProcessesOptions): ImagingProcesses {
	const { count, imagingMegabytes, imagingPictures, settings, log, onFree, onHopeless } = options;
	const alive = new Set<ImagingChild>();
	const working = new Set<ImagingChild>();
	const free: ImagingChild[] = [];
	/** Those that are still starting, and whose place they take. */
	const successors = new Map<ImagingChild, ImagingChild>();
	/** Those that end after their picture, because their successors are ready. */
	const leaving = new Set<ImagingChild>();
	const restarts = new Set<NodeJS.Timeout>();
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

	/** A process that is to be, but is not there nor about to be. */
	const isOneMissing = () => alive.size - successors.size + restarts.size < count;

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

	/** Each so many pictures anew: where a successor dies before it is ready, the next picture is too soon for another one. */
	const isWorn = (child: ImagingChild) =>
		child.pictures > 0 && child.pictures % imagingPictures === 0 && ![...successors.values()].includes(child);

	/** Whose place it takes goes on until now, so that nothing waits for the start of a process. */
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
		// Who was to follow it takes the place of nobody any more.
		for (const [successor, predecessor] of successors) if (predecessor === child) successors.delete(successor);
		return alive.delete(child);
	};

	/** Its place is taken by a new one: at once when a picture was the reason, later when it can't be. */
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

	for (let started = 0; started < count; started++) start();

	return {
		free,
		alive,
		working,
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

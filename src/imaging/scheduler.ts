import { PicpipeError, toPicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { openBudget } from './budget.ts';
import { type ImagingChild, NoLongerCached } from './child-handle.ts';
import { keepImagingProcesses } from './process-keeper.ts';
import type { ImagingResult, ImagingSettings, ImagingTask, ProcessTask, TaskListener } from './protocol.ts';
import type { HeldFiles } from './scratch.ts';
import { localFiles, type SourceFiles } from './source-files.ts';

export type { VariantFailure } from '../pipeline/plan/plan-chain.ts';
export type { StepEvent, VariantOutput } from '../pipeline/render/run.ts';
export type { ImagingResult, ImagingTask } from './protocol.ts';

export interface ImagingPoolOptions extends ImagingSettings {
	/** Most imaging processes. Each processes one picture at a time. */
	readonly processes: number;
	/** Most pixels in all processes together, in millions. A picture counts with its decoded pixels, or with those of its largest result. */
	readonly megapixelsInFlight: number;
	/** Resident memory at which a process is replaced between pictures, million bytes. */
	readonly imagingMegabytes: number;
	/** Pictures after which a process is replaced. */
	readonly imagingPictures: number;
	/** Longest time for one picture, seconds. */
	readonly pictureSeconds: number;
	/** Makes what tasks name by storage keys readable; if absent, tasks name files. */
	readonly files?: SourceFiles | undefined;
	readonly log: Logger;
}

interface RunOptions {
	/**
	 * A request waits for the picture. Urgent pictures go first, but if others wait too, they get every second turn. Among urgent pictures
	 * the lightest goes first; a picture counts as lighter for a process that has cached it.
	 */
	readonly isUrgent?: boolean;
}

/** Imaging processes that take pictures in order of arrival. */
export interface ImagingPool {
	/**
	 * Processes a picture. The listener gets each variant as soon as it is made and stores it at its own pace, while the process already
	 * takes the next picture.
	 *
	 * @throws PicpipeError; `imaging-process-died` if the picture killed its process
	 */
	run(task: ImagingTask, listener: TaskListener, options?: RunOptions): Promise<ImagingResult>;
	/** Has a process cached this original and an intermediate of it? */
	hasCached(original: Pick<ImagingTask, 'sha256'>): boolean;
	/** Pictures that processes work on, and pictures that wait for a process. */
	load(): { readonly working: number; readonly waiting: number };
	/** Ids of the living processes. */
	pids(): readonly number[];
	/** Ends all processes at once. Pictures in progress fail with `stopping`. */
	stop(): Promise<void>;
}

/** How many lighter pictures may pass the oldest urgent one before it takes its turn. */
const mostPassedBy = 2;
/**
 * Only pictures with less than this share of its bytes may pass: a picture that takes about as long would gain nothing and delay the other.
 */
const lightShare = 0.5;
/** A cached picture needs no decoding, which is more than half of the work, so it counts with this share of its bytes. */
const cachedShare = 0.25;

interface Submitted {
	readonly task: ImagingTask;
	readonly isUrgent: boolean;
	readonly listener: TaskListener;
	readonly resolve: (result: ImagingResult) => void;
	readonly reject: (error: PicpipeError) => void;
}

interface Waiting extends Submitted {
	passedBy: number;
	/** What the process reads. */
	readonly files: TaskFiles;
}

/** The files of a task: its assets, and its original unless it is in the memory of a process. */
interface TaskFiles extends HeldFiles {
	readonly hasOriginal: boolean;
}

/** Starts one process at once, and each further one when a picture would have to wait for it. */
export function startImagingPool(options: ImagingPoolOptions): ImagingPool {
	const { processes, pictureSeconds, files = localFiles } = options;
	const settings: ImagingSettings = {
		sharpThreads: options.sharpThreads,
		keptMegabytes: options.keptMegabytes,
		limits: options.limits,
	};
	const budget = openBudget(options.megapixelsInFlight);
	const waiting: Waiting[] = [];
	const urgent: Waiting[] = [];
	let wasUrgent = false;
	/** Work whose files are being copied. */
	const preparing = new Set<Submitted>();
	const endAllWaiting = (error: PicpipeError) => {
		for (const { files, reject } of [...urgent.splice(0), ...waiting.splice(0)]) {
			files.release();
			reject(error);
		}
	};
	let isStopping = false;

	/** Holds the files of a task before it waits for a process, so that copying overlaps with imaging. */
	const prepare = (work: Submitted, isInMemory: boolean): void => {
		const enter = (files: TaskFiles) => {
			(work.isUrgent ? urgent : waiting).push({ ...work, passedBy: 0, files });
			dispatch();
		};
		const held = holdFiles(files, work.task, isInMemory);
		if (!(held instanceof Promise)) {
			enter(held);
			return;
		}
		preparing.add(work);
		held
			.then(
				(brought) => {
					// The pool was stopped in the meantime, and the work has ended.
					if (preparing.delete(work)) enter(brought);
					else brought.release();
				},
				(error) => work.reject(toPicpipeError(error)),
			)
			.finally(() => preparing.delete(work));
	};

	const dispatch = () => {
		while (children.free.length > 0 && waiting.length + urgent.length > 0) {
			const isUrgentsTurn = urgent.length > 0 && (waiting.length === 0 || !wasUrgent);
			wasUrgent = isUrgentsTurn;
			const next = isUrgentsTurn ? takeLightest(urgent, children.free) : waiting.shift();
			const child = next && (children.free.find((one) => one.hasCached(next.task)) ?? children.free[0]);
			if (!child) return;
			if (next.files.hasOriginal || child.hasCached(next.task)) void work(child, next);
			// The process that has the original is busy.
			else prepareAnew(next);
		}
		children.growFor(waiting.length + urgent.length);
	};

	const prepareAnew = ({ files, ...work }: Waiting) => {
		files.release();
		prepare(work, false);
	};

	const work = async (child: ImagingChild, next: Waiting) => {
		const { task, files, listener, resolve, reject } = next;
		children.take(child);
		try {
			const result = await child.run(asSent(task, files), {
				seconds: pictureSeconds,
				async admit(megapixels) {
					const release = await budget.admit(megapixels);
					return { release, concurrency: freeConcurrency() };
				},
				onInspected: listener.onInspected,
				onStep: listener.onStep,
				onVariant: listener.onVariant,
			});
			files.release();
			resolve(result);
		} catch (error) {
			if (error instanceof NoLongerCached) return prepareAnew(next);
			if (/^(original|asset)-(missing|changed)$/.test((error as PicpipeError).code)) files.distrust();
			files.release();
			reject(error as PicpipeError);
		} finally {
			children.giveBack(child);
		}
	};

	/** A single picture may use the idle cores. */
	const freeConcurrency = () =>
		Math.max(1, Math.floor(processes / Math.max(1, children.working.size + waiting.length + urgent.length)));

	const children = keepImagingProcesses({
		...options,
		count: processes,
		settings,
		onFree: dispatch,
		onHopeless(how) {
			endAllWaiting(new PicpipeError('imaging-process-died', `Imaging processes do not start (${how}).`));
		},
	});

	return {
		run(task, listener, { isUrgent = false } = {}) {
			return new Promise((resolve, reject) => {
				if (isStopping) return reject(new PicpipeError('stopping'));
				const isInMemory = !files.has(task) && [...children.alive].some((child) => child.hasCached(task));
				prepare({ task, isUrgent, listener, resolve, reject }, isInMemory);
			});
		},
		hasCached: (original) => [...children.alive].some((child) => child.hasCached(original)),
		load: () => ({ working: children.working.size, waiting: waiting.length + urgent.length }),
		pids: () => [...children.alive].flatMap((child) => child.pid || []),
		async stop() {
			isStopping = true;
			children.close();
			endAllWaiting(new PicpipeError('stopping'));
			for (const { reject } of preparing) reject(new PicpipeError('stopping'));
			preparing.clear();
			const ending = [...children.alive].map((child) => child.exited);
			for (const child of children.alive) child.kill(new PicpipeError('stopping'));
			await Promise.all(ending);
		},
	};
}

/**
 * Small files take less time than large ones, so the total wait is shortest if they go first: a thumbnail made from a stored variant does
 * not have to wait for a page's hero image.
 */
function takeLightest(urgent: Waiting[], idle: readonly ImagingChild[]): Waiting | undefined {
	const [oldest] = urgent;
	if (!oldest || oldest.passedBy >= mostPassedBy) return urgent.shift();
	const weightOf = ({ task }: Waiting) =>
		idle.some((child) => child.hasCached(task)) ? task.bytes * cachedShare : task.bytes;
	const lightest = urgent.reduce((least, one) => (weightOf(one) < weightOf(least) ? one : least));
	if (weightOf(lightest) >= weightOf(oldest) * lightShare) return urgent.shift();
	oldest.passedBy++;
	urgent.splice(urgent.indexOf(lightest), 1);
	return lightest;
}

/** @param isInMemory whether a process is believed to have the original in memory */
function holdFiles(files: SourceFiles, task: ImagingTask, isInMemory: boolean): TaskFiles | Promise<TaskFiles> {
	const assets = [...(task.assets ?? new Map()).values()];
	const held = files.hold(isInMemory ? assets : [task, ...assets]);
	const asTaskFiles = (one: HeldFiles): TaskFiles => ({ ...one, hasOriginal: !isInMemory });
	return held instanceof Promise ? held.then(asTaskFiles) : asTaskFiles(held);
}

function asSent(task: ImagingTask, { paths, hasOriginal }: TaskFiles): ProcessTask {
	const { sha256, bytes, recipe, isCached = false, assets = new Map() } = task;
	const [path, ...others] = hasOriginal ? paths : [undefined, ...paths];
	const files = [...assets].map(
		([name, asset], at) => [name, { path: others[at] ?? '', sha256: asset.sha256 }] as const,
	);
	return { path, sha256, bytes, recipe, isCached, assets: new Map(files) };
}

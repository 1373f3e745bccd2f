import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { PipelineListener } from '../pipeline/render/run.ts';
import { openBudget } from './budget.ts';
import type { ImagingChild } from './child-handle.ts';
import { keepImagingProcesses } from './process-keeper.ts';
import type { ImagingResult, ImagingSettings, ImagingTask } from './protocol.ts';

export type { StepEvent, VariantOutput } from '../pipeline/render/run.ts';
export type { ImagingResult, ImagingTask } from './protocol.ts';

export interface ImagingPoolOptions extends ImagingSettings {
	/** Imaging processes, each of which works on one picture at a time. */
	readonly processes: number;
	/** Pixels that all processes may hold together, in millions: of each picture those that are decoded, or of the largest that is made. */
	readonly megapixelsInFlight: number;
	/** Resident memory at which a process is replaced between pictures, million bytes. */
	readonly imagingMegabytes: number;
	/** Pictures after which a process is replaced. */
	readonly imagingPictures: number;
	/** Longest time for one picture. */
	readonly pictureSeconds: number;
	readonly log: Logger;
}

interface RunOptions {
	/**
	 * Somebody waits for it. Urgent pictures go first, but where others wait too, every second turn is theirs. Among urgent ones the
	 * lightest goes first; a picture that a process has cached is lighter for that process.
	 */
	readonly isUrgent?: boolean;
}

/** Imaging processes that take pictures in the order they come. */
export interface ImagingPool {
	/**
	 * Works on a picture. The listener gets each variant as soon as it is made; it stores it at its own pace, while the
	 * process already takes the next picture.
	 *
	 * @throws PicpipeError; `imaging-process-died` when the picture took its process with it
	 */
	run(task: ImagingTask, listener: PipelineListener, options?: RunOptions): Promise<ImagingResult>;
	/** Has a process cached this original and an intermediate of it? */
	hasCached(original: Pick<ImagingTask, 'sha256'>): boolean;
	/** Ids of the processes that are alive. */
	pids(): readonly number[];
	/** Ends all processes at once; pictures still under way fail as `stopping`. */
	stop(): Promise<void>;
}

/** The oldest urgent picture lets lighter ones pass so often, then it is its turn. */
const mostPassedBy = 2;
/** And only those of less than this share of its bytes: to let pass what takes about as long makes one wait and saves the other nothing. */
const lightShare = 0.5;
/** A cached picture needs no decoding, which is more than half of the work, so it counts as this share of its bytes. */
const cachedShare = 0.25;

interface Waiting {
	readonly task: ImagingTask;
	passedBy: number;
	readonly listener: PipelineListener;
	readonly resolve: (result: ImagingResult) => void;
	readonly reject: (error: PicpipeError) => void;
}

/** Starts the processes at once. */
export function startImagingPool(options: ImagingPoolOptions): ImagingPool {
	const { processes, pictureSeconds } = options;
	const settings: ImagingSettings = {
		storage: options.storage,
		sharpThreads: options.sharpThreads,
		keptMegabytes: options.keptMegabytes,
		limits: options.limits,
	};
	const budget = openBudget(options.megapixelsInFlight);
	const waiting: Waiting[] = [];
	const urgent: Waiting[] = [];
	let wasUrgent = false;
	const allWaiting = () => [...urgent.splice(0), ...waiting.splice(0)];
	let isStopping = false;

	const dispatch = () => {
		while (children.free.length > 0 && waiting.length + urgent.length > 0) {
			const isUrgentsTurn = urgent.length > 0 && (waiting.length === 0 || !wasUrgent);
			wasUrgent = isUrgentsTurn;
			const next = isUrgentsTurn ? takeLightest(urgent, children.free) : waiting.shift();
			const child = next && (children.free.find((one) => one.hasCached(next.task)) ?? children.free[0]);
			if (!child) return;
			void work(child, next);
		}
	};

	const work = async (child: ImagingChild, { task, listener, resolve, reject }: Waiting) => {
		children.take(child);
		try {
			const result = await child.run(task, {
				seconds: pictureSeconds,
				async admit(megapixels) {
					const release = await budget.admit(megapixels);
					return { release, concurrency: freeConcurrency() };
				},
				onStep: listener.onStep,
				onVariant: listener.onVariant,
			});
			resolve(result);
		} catch (error) {
			reject(error as PicpipeError);
		} finally {
			children.giveBack(child);
		}
	};

	/** A lone picture may use the cores that have nothing else to do. */
	const freeConcurrency = () =>
		Math.max(1, Math.floor(processes / Math.max(1, children.working.size + waiting.length + urgent.length)));

	const children = keepImagingProcesses({
		...options,
		count: processes,
		settings,
		onFree: dispatch,
		onHopeless(how) {
			for (const { reject } of allWaiting()) {
				reject(new PicpipeError('imaging-process-died', `Imaging processes do not start (${how}).`));
			}
		},
	});

	return {
		run(task, listener, { isUrgent = false } = {}) {
			return new Promise((resolve, reject) => {
				if (isStopping) return reject(new PicpipeError('stopping'));
				(isUrgent ? urgent : waiting).push({ task, passedBy: 0, listener, resolve, reject });
				dispatch();
			});
		},
		hasCached: (original) => [...children.alive].some((child) => child.hasCached(original)),
		pids: () => [...children.alive].flatMap((child) => child.pid || []),
		async stop() {
			isStopping = true;
			children.close();
			for (const { reject } of allWaiting()) reject(new PicpipeError('stopping'));
			const ending = [...children.alive].map((child) => child.exited);
			for (const child of children.alive) child.kill(new PicpipeError('stopping'));
			await Promise.all(ending);
		},
	};
}

/**
 * What is made of a small file takes less time than what is made of a large one, so that all together wait the least when it comes first: a thumb
 * made of a stored variant need not wait for the hero of a page.
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

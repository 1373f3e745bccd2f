import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { PipelineListener } from '../pipeline/run.ts';
import { openBudget } from './budget.ts';
import { type ImagingChild, startImagingChild } from './imaging-child.ts';
import type { ImagingResult, ImagingSettings, ImagingTask } from './imaging-protocol.ts';

export type { StepEvent, VariantOutput } from '../pipeline/run.ts';
export type { ImagingResult, ImagingTask } from './imaging-protocol.ts';

export interface ImagingPoolOptions extends ImagingSettings {
	/** Imaging processes, each of which works on one picture at a time. */
	readonly processes: number;
	/** Pixels that all processes may hold together, in millions: of each picture those that are decoded, or of the largest that is made. */
	readonly megapixelsInFlight: number;
	/** Resident memory at which a process is replaced between pictures, million bytes. */
	readonly imagingMegabytes: number;
	/** Longest time for one picture. */
	readonly pictureSeconds: number;
	readonly log: Logger;
}

export interface RunOptions {
	/**
	 * Somebody waits for it. Urgent pictures go first, but where others wait too, every second turn is theirs. Among urgent ones the
	 * lightest goes first; one that a process has kept is lighter for that one.
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
	/** Has a process kept this original, and a copy of it? */
	hasKept(original: Pick<ImagingTask, 'sha256'>): boolean;
	/** Ids of the processes that are alive. */
	pids(): readonly number[];
	/** Ends all processes at once; pictures still under way fail as `stopping`. */
	stop(): Promise<void>;
}

/** Milliseconds before a process that died without working on a picture is started again; doubles up to the maximum. */
const firstRestartDelay = 100;
const maximumRestartDelay = 10_000;
/** So many deaths in a row, without any process that works, are no accident: waiting pictures are told. */
const deathsBeforeGivingUp = 3;

/** The oldest urgent picture lets lighter ones pass so often, then it is its turn. */
const mostPassedBy = 2;
/** And only those of less than this share of its bytes: to let pass what takes about as long makes one wait and saves the other nothing. */
const lightShare = 0.5;
/** What a process has kept it needn't decode, which is more than half of the work, as if it had this share of its bytes. */
const keptShare = 0.25;

interface Waiting {
	readonly task: ImagingTask;
	passedBy: number;
	readonly listener: PipelineListener;
	readonly resolve: (result: ImagingResult) => void;
	readonly reject: (error: PicpipeError) => void;
}

/** Starts the processes at once, so that the first picture finds them warm. */
export function startImagingPool(options: ImagingPoolOptions): ImagingPool {
	const { processes, imagingMegabytes, pictureSeconds, log } = options;
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
	const idle: ImagingChild[] = [];
	const alive = new Set<ImagingChild>();
	const restarts = new Set<NodeJS.Timeout>();
	const allWaiting = () => [...urgent.splice(0), ...waiting.splice(0)];
	let busy = 0;
	let deathsInARow = 0;
	let isStopping = false;

	const start = () => {
		const child = startImagingChild(settings, log);
		alive.add(child);
		void child.ready.then(() => release(child));
		void child.exited.then((how) => replace(child, how));
	};

	const release = (child: ImagingChild) => {
		if (isStopping || !alive.has(child)) return;
		if (child.residentBytes > imagingMegabytes * 1e6) {
			log.info({ imagingPid: child.pid, residentBytes: child.residentBytes }, 'a fat imaging process is replaced');
			alive.delete(child);
			child.kill();
			start();
			return;
		}
		idle.push(child);
		dispatch();
	};

	/** Its place is taken by a new one: at once when a picture was the reason, later when it can't be. */
	const replace = (child: ImagingChild, how: string) => {
		const wasIdle = removeFrom(idle, child);
		if (!alive.delete(child) || isStopping) return;
		const isOwnFault = wasIdle || !working.has(child);
		log.warn({ imagingPid: child.pid, how, isOwnFault }, 'an imaging process died');
		if (!isOwnFault) return start();
		deathsInARow++;
		if (deathsInARow >= deathsBeforeGivingUp && busy === 0 && idle.length === 0) {
			for (const { reject } of allWaiting()) {
				reject(new PicpipeError('imaging-process-died', `Imaging processes do not start (${how}).`));
			}
		}
		const delay = Math.min(firstRestartDelay * 2 ** (deathsInARow - 1), maximumRestartDelay);
		const timer = setTimeout(() => {
			restarts.delete(timer);
			start();
		}, delay);
		restarts.add(timer);
	};

	const working = new Set<ImagingChild>();
	const dispatch = () => {
		while (idle.length > 0 && waiting.length + urgent.length > 0) {
			const isUrgentsTurn = urgent.length > 0 && (waiting.length === 0 || !wasUrgent);
			wasUrgent = isUrgentsTurn;
			const next = isUrgentsTurn ? takeLightest(urgent, idle) : waiting.shift();
			const child = next && (idle.find((one) => one.isAheadWith(next.task)) ?? idle[0]);
			if (!child) return;
			removeFrom(idle, child);
			void work(child, next);
		}
	};

	const work = async (child: ImagingChild, { task, listener, resolve, reject }: Waiting) => {
		working.add(child);
		busy++;
		try {
			const result = await child.run(task, {
				seconds: pictureSeconds,
				async admit(megapixels) {
					const release = await budget.admit(megapixels);
					return { release, lanes: freeLanes() };
				},
				onStep: listener.onStep,
				onVariant: listener.onVariant,
			});
			resolve(result);
		} catch (error) {
			reject(error as PicpipeError);
		} finally {
			if (alive.has(child)) deathsInARow = 0;
			busy--;
			working.delete(child);
			release(child);
		}
	};

	/** A lone picture may use the cores that have nothing else to do. */
	const freeLanes = () => Math.max(1, Math.floor(processes / Math.max(1, busy + waiting.length + urgent.length)));

	for (let count = 0; count < processes; count++) start();

	return {
		run(task, listener, { isUrgent = false } = {}) {
			return new Promise((resolve, reject) => {
				if (isStopping) return reject(new PicpipeError('stopping'));
				(isUrgent ? urgent : waiting).push({ task, passedBy: 0, listener, resolve, reject });
				dispatch();
			});
		},
		hasKept: (original) => [...alive].some((child) => child.isAheadWith(original)),
		pids: () => [...alive].flatMap((child) => child.pid || []),
		async stop() {
			isStopping = true;
			for (const timer of restarts) clearTimeout(timer);
			for (const { reject } of allWaiting()) reject(new PicpipeError('stopping'));
			const ending = [...alive].map((child) => child.exited);
			for (const child of alive) child.kill(new PicpipeError('stopping'));
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
		idle.some((child) => child.isAheadWith(task)) ? task.bytes * keptShare : task.bytes;
	const lightest = urgent.reduce((least, one) => (weightOf(one) < weightOf(least) ? one : least));
	if (weightOf(lightest) >= weightOf(oldest) * lightShare) return urgent.shift();
	oldest.passedBy++;
	removeFrom(urgent, lightest);
	return lightest;
}

function removeFrom<T>(list: T[], item: T): boolean {
	const at = list.indexOf(item);
	if (at >= 0) list.splice(at, 1);
	return at >= 0;
}

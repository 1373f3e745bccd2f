import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Leases } from '../../access/leases.ts';
import { PicpipeError } from '../../errors.ts';

/** How long a request waits for another one to let go of an upload, milliseconds. */
const patience = 10_000;
/** Who waited in line before us may only now have begun to read its body, so it is asked again, milliseconds. */
const askAgain = 1_000;
/** Seconds after which a client may try again. */
const retryAfter = 1;

/** What a request may say while it holds an upload. */
export interface Hold {
	/** As long as this work goes on, whoever wants the upload gets it: the connection is cut, and what has come is stored. */
	interruptible<T>(work: () => Promise<T>): Promise<T>;
}

/** Sees to it that one request at a time works on an upload. */
export interface UploadLocks {
	/** @throws PicpipeError `upload-locked` when another request does not let go in time, or another api has it */
	hold<T>(id: string, request: IncomingMessage, work: (hold: Hold) => Promise<T>): Promise<T>;
	/** Cuts off whatever is coming in, and waits until it is stored: before the process ends. */
	interruptAll(): Promise<void>;
	close(): void;
}

interface Holder {
	readonly done: Promise<unknown>;
	interrupt?: (() => void) | undefined;
}

/**
 * A client whose connection was lost comes back before we have noticed, so within a process the newer request wins. Other apis are told by a
 * lease in Redis, and theirs is not cut off. While Redis is away two apis may work on an upload at once, and it does no harm: parts are named by
 * their offsets, and what becomes of the upload is decided by who creates its record (see `upload/idempotency.ts`).
 */
export function openUploadLocks(leases: Leases): UploadLocks {
	const holders = new Map<string, Holder>();

	const waitFor = async (id: string) => {
		const end = performance.now() + patience;
		for (let holder = holders.get(id); holder; holder = holders.get(id)) {
			holder.interrupt?.();
			const left = end - performance.now();
			if (left <= 0) throw locked();
			const timer = new AbortController();
			const { signal } = timer;
			await Promise.race([holder.done, sleep(Math.min(left, askAgain), undefined, { signal }).catch(() => {})]);
			timer.abort();
		}
	};

	return {
		async hold(id, request, work) {
			await waitFor(id);
			let letGo = () => {};
			const done = new Promise<void>((resolve) => {
				letGo = resolve;
			});
			const holder: Holder = { done };
			holders.set(id, holder);
			try {
				const { release } = await leases.take(id, 1);
				if (!release) throw locked();
				try {
					return await work({
						async interruptible(part) {
							holder.interrupt = () => request.destroy();
							try {
								return await part();
							} finally {
								holder.interrupt = undefined;
							}
						},
					});
				} finally {
					release();
				}
			} finally {
				holders.delete(id);
				letGo();
			}
		},

		async interruptAll() {
			const underWay = [...holders.values()].filter(({ interrupt }) => interrupt);
			for (const { interrupt } of underWay) interrupt?.();
			await Promise.all(underWay.map(({ done }) => done));
		},

		close: () => leases.close(),
	};
}

function locked(): PicpipeError {
	return new PicpipeError('upload-locked', undefined, { retryAfter });
}

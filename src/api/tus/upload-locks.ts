import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Leases } from '../../access/leases.ts';
import { PicpipeError } from '../../errors.ts';

/** How long a request waits for another request to release an upload, milliseconds. */
const patience = 10_000;
/** How often the holder is interrupted again, milliseconds: an earlier waiter may only now have begun to read its body. */
const askAgain = 1_000;
/** Seconds after which a client may retry. */
const retryAfter = 1;

/** A request's lock on an upload. */
export interface Hold {
	/** While this work runs, another request may take over the upload: the connection is closed, and the received bytes are stored. */
	interruptible<T>(work: () => Promise<T>): Promise<T>;
}

/** Ensures that one request at a time works on an upload. */
export interface UploadLocks {
	/** @throws PicpipeError `upload-locked` if another request does not release it in time, or another API process holds it */
	hold<T>(id: string, request: IncomingMessage, work: (hold: Hold) => Promise<T>): Promise<T>;
	/** Interrupts all uploads and waits until their bytes are stored, before the process ends. */
	interruptAll(): Promise<void>;
	close(): void;
}

interface Holder {
	readonly done: Promise<unknown>;
	interrupt?: (() => void) | undefined;
}

/**
 * A client may reconnect before the API notices the lost connection, so within a process the newer request wins. A lease in Redis keeps
 * other API processes away without interrupting them. While Redis is away, two processes may work on an upload at once. That is harmless:
 * parts are named by their offsets, and the first to create the record decides the outcome (see `upload/idempotency.ts`).
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

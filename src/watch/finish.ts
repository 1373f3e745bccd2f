import { join } from 'node:path';
import { readManifest } from '../catalog/manifest.ts';
import { type Failure, isFinished, type Picture } from '../domain/picture.ts';
import type { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { Storage } from '../storage/storage.ts';
import { moveAside, noteOf } from './aside.ts';
import { asideFolder, stateAt, type WatchedFile } from './files.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';

export interface FinishContext {
	readonly storage: Storage;
	/** The watched folder. */
	readonly folder: string;
	readonly ledger: Ledger;
	/** Whether files stay where they are once their pictures are accepted. */
	readonly isKept: boolean;
	readonly log: Logger;
}

/** Pictures looked at each time. */
const looksPerRound = 100;

/** Where a file is now: moved away, still there and done with, or another one has taken its place, which is to be looked at. */
export type Whereabouts = 'away' | 'there' | 'replaced';

/** Sees to files whose pictures were accepted: moves them, and sets those aside whose pictures turn out to be broken. */
export interface Finisher {
	/** Moves the file of a picture that was just accepted, unless files are kept. */
	accepted(entry: LedgerEntry): Promise<Whereabouts>;
	/** Sets a file aside that is no picture. */
	refused(file: WatchedFile, error: PicpipeError): Promise<Whereabouts>;
	/** Goes on with what an earlier process has left. */
	resume(): Promise<void>;
	/** Looks which pictures have ended. @param most how many are looked at */
	follow(most?: number): Promise<void>;
	/** Pictures that have not ended yet. */
	readonly waiting: number;
}

export function openFinisher(context: FinishContext): Finisher {
	const { storage, folder, ledger, isKept, log } = context;
	/** Pictures that have not ended, those that were looked at longest ago first. */
	const open: LedgerEntry[] = [];

	/** Where the file may not be moved it stays, and the ledger alone knows what became of it. */
	const tryToMove = async (path: string, move: () => Promise<string | undefined>): Promise<string | undefined> => {
		try {
			return await move();
		} catch (err) {
			log.warn({ err, file: path }, 'a file could not be moved and stays where it is');
			return path;
		}
	};

	const over = async (entry: LedgerEntry): Promise<void> => {
		const now = await ledger.read(entry.path);
		// By now the path may be another file's.
		if (now?.picture.id !== entry.picture.id) return;
		if (entry.origin !== undefined || !(await stateAt(join(folder, entry.path)))) await ledger.forget(entry.path);
		else await ledger.replace({ ...now, isOver: true });
	};

	const setAside = async (entry: LedgerEntry, failure: Failure): Promise<void> => {
		const { path, state, origin = path, picture } = entry;
		const file = { folder, path, state, origin };
		const to = await tryToMove(path, () => moveAside(file, 'refused', noteOf(failure, picture.id)));
		if (to !== undefined) {
			const line = { file: origin, pictureId: picture.id, code: failure.code };
			log.warn(line, `${origin} turned out to be broken: ${failure.message}`);
		}
	};

	const end = async (entry: LedgerEntry, picture: Picture | undefined): Promise<void> => {
		const failure = picture?.state === 'failed' ? picture.failure : undefined;
		if (failure && /^(corrupt|unsupported|limit)$/.test(failure.class)) await setAside(entry, failure);
		await over(entry);
	};

	return {
		get waiting() {
			return open.length;
		},

		async accepted(entry) {
			if (isKept) {
				if (!entry.isOver) open.push(entry);
				return 'there';
			}
			const { path, state } = entry;
			const to = await tryToMove(path, () => moveAside({ folder, path, state, origin: path }, 'done'));
			if (to === undefined) return 'replaced';
			if (to === path) {
				open.push(entry);
				return 'there';
			}
			const moved = { ...entry, path: to, origin: path };
			await ledger.replace(moved);
			await ledger.forget(path);
			open.push(moved);
			return 'away';
		},

		async refused({ path, state }, error) {
			const file = { folder, path, state, origin: path };
			const to = await tryToMove(path, () => moveAside(file, 'refused', noteOf(error)));
			if (to === undefined) return 'replaced';
			await ledger.forget(path);
			return to === path ? 'there' : 'away';
		},

		async resume() {
			for await (const entry of ledger.entries()) {
				if (entry.isOver) continue;
				// The rest is met when the folder is looked through.
				const isMoved = entry.path.startsWith(`${asideFolder}/`) || !(await stateAt(join(folder, entry.path)));
				if (isMoved) open.push(entry);
			}
		},

		async follow(most = looksPerRound) {
			for (const entry of open.splice(0, most)) {
				try {
					const picture = await readManifest(storage, entry.picture.id);
					if (picture && !isFinished(picture.state)) open.push(entry);
					else await end(entry, picture);
				} catch (err) {
					log.warn({ err, file: entry.path, pictureId: entry.picture.id }, 'a file could not be seen to; trying again');
					open.push(entry);
				}
			}
		},
	};
}

import { join } from 'node:path';
import { readManifest } from '../catalog/manifest.ts';
import { type Failure, isFinished, type Picture } from '../domain/picture.ts';
import type { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { Storage } from '../storage/storage.ts';
import { movedFolder, stateAt, type WatchedFile } from './files.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';
import { moveAway, noteOf } from './move.ts';

export interface FollowUpContext {
	readonly storage: Storage;
	/** The watched folder. */
	readonly folder: string;
	readonly ledger: Ledger;
	/** Whether files stay where they are once their pictures are accepted. */
	readonly isKept: boolean;
	readonly log: Logger;
}

/** Pictures checked per round. */
const picturesPerRound = 100;

/** Where the file is now: moved away, still there and finished, or replaced by another file that needs its own import. */
export type FileOutcome = 'away' | 'there' | 'replaced';

/** Follows up on imported files: moves them away, and moves those to `refused` whose pictures turn out to be broken. */
export interface FollowUp {
	/** Moves the file of an accepted picture, unless files are kept. */
	accepted(entry: LedgerEntry): Promise<FileOutcome>;
	/** Moves a refused file away. */
	refused(file: WatchedFile, error: PicpipeError): Promise<FileOutcome>;
	/** Resumes what an earlier process left unfinished. */
	resume(): Promise<void>;
	/** Checks which pictures have finished. @param most maximum number to check */
	follow(most?: number): Promise<void>;
	/** Number of unfinished pictures. */
	readonly waiting: number;
}

export function openFollowUp(context: FollowUpContext): FollowUp {
	const { storage, folder, ledger, isKept, log } = context;
	/** Unfinished pictures, the one checked longest ago first. */
	const open: LedgerEntry[] = [];

	/** A file that cannot be moved stays where it is; the ledger records its outcome. */
	const tryToMove = async (path: string, move: () => Promise<string | undefined>): Promise<string | undefined> => {
		try {
			return await move();
		} catch (err) {
			log.warn({ err, file: path }, 'a file could not be moved');
			return path;
		}
	};

	const markOver = async (entry: LedgerEntry, isDeleted: boolean): Promise<void> => {
		if (entry.origin !== undefined) return ledger.forgetMoved(entry);
		const now = await ledger.read(entry.path);
		// The path may belong to another file by now.
		if (now?.picture.id !== entry.picture.id) return;
		if (!(await stateAt(join(folder, entry.path)))) await ledger.forget(entry.path);
		else if (isDeleted) await ledger.empty(now);
		else await ledger.replace({ ...now, isOver: true });
	};

	const refuse = async (entry: LedgerEntry, failure: Failure): Promise<void> => {
		const { path, state, origin = path, picture } = entry;
		const file = { folder, path, state, origin };
		const to = await tryToMove(path, () => moveAway(file, 'refused', noteOf(failure, picture.id)));
		if (to !== undefined) {
			const line = { file: origin, pictureId: picture.id, code: failure.code };
			log.warn(line, `${origin} could not be processed: ${failure.message}`);
		}
	};

	const finish = async (entry: LedgerEntry, picture: Picture | undefined): Promise<void> => {
		const failure = picture?.state === 'failed' ? picture.failure : undefined;
		if (failure && /^(corrupt|unsupported|limit)$/.test(failure.class)) await refuse(entry, failure);
		await markOver(entry, picture === undefined);
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
			const to = await tryToMove(path, () => moveAway({ folder, path, state, origin: path }, 'done'));
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
			const to = await tryToMove(path, () => moveAway(file, 'refused', noteOf(error)));
			if (to === undefined) return 'replaced';
			await ledger.forget(path);
			return to === path ? 'there' : 'away';
		},

		async resume() {
			for await (const entry of ledger.entries()) {
				if (entry.isOver) continue;
				// The next scan finds the rest.
				const isMoved = entry.path.startsWith(`${movedFolder}/`) || !(await stateAt(join(folder, entry.path)));
				if (isMoved) open.push(entry);
			}
		},

		async follow(most = picturesPerRound) {
			for (const entry of open.splice(0, most)) {
				try {
					const picture = await readManifest(storage, entry.picture.id);
					if (picture && !isFinished(picture.state)) open.push(entry);
					else await finish(entry, picture);
				} catch (err) {
					log.warn(
						{ err, file: entry.path, pictureId: entry.picture.id },
						'the follow-up of a file failed; trying again',
					);
					open.push(entry);
				}
			}
		},
	};
}

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { mention } from '../catalog/deletion.ts';
import { builtInOwners, type Picture } from '../domain/picture.ts';
import type { NamedRecipe } from '../domain/recipe.ts';
import type { PicpipeError } from '../errors.ts';
import type { Admission } from '../intake/admit.ts';
import { admitUnlessThere, type DuplicatePolicy } from '../intake/duplicates.ts';
import { discard, type Received, type ReceiveLimits, receive, tooLarge } from '../intake/receive.ts';
import { findReservation } from '../intake/reservation.ts';
import type { Logger } from '../observe/log.ts';
import { isMissing, isSameState, stateAt, stateOf, tagsOf, type WatchedFile } from './files.ts';
import { isOfBytes, type Ledger, type LedgerEntry } from './ledger.ts';

export interface ImportContext extends Admission {
	/** The watched folder. */
	readonly folder: string;
	readonly ledger: Ledger;
	/** The current version of the recipe. */
	readonly recipe: () => NamedRecipe;
	readonly duplicates: DuplicatePolicy;
	readonly limits: ReceiveLimits;
	/** Age at which the sweep deletes originals that were received but not accepted, seconds. */
	readonly abandonedSeconds: number;
	/** Whether files stay in the folder, so that the same bytes at the same path are the same picture. */
	readonly isKept: boolean;
	readonly log: Logger;
}

/** An imported file. */
export interface Imported {
	readonly entry: LedgerEntry;
	/** False if the picture already existed, or an earlier attempt created it. */
	readonly isNew: boolean;
}

/**
 * Imports a file exactly once: when this returns, the picture is accepted and the ledger names it. After a crash at any point the call can
 * be repeated, and finishes the import.
 *
 * @returns undefined when the file changed during the import
 * @throws PicpipeError for a bad file (see its class), or for anything else that prevents the import
 */
export async function importFile(context: ImportContext, file: WatchedFile): Promise<Imported | undefined> {
	const { ledger, storage } = context;
	const earlier = await ledger.read(file.path);
	if (earlier && isSameState(earlier.state, file.state)) {
		// The entry of a deleted picture has no path.
		if (earlier.isOver) return { entry: { ...earlier, path: file.path }, isNew: false };
		const found = await findReservation(storage, earlier.picture, context.abandonedSeconds);
		if (found?.picture) return { entry: earlier, isNew: false };
		if (found?.source) return accept(context, earlier, { ...found, source: found.source });
	}
	const received = await receiveFile(context, file);
	if (!received) return undefined;
	const { id, source } = received;
	if (
		context.isKept &&
		earlier &&
		isOfBytes(earlier, source.sha256) &&
		(earlier.isOver || (await isAccepted(context, earlier)))
	) {
		// The same bytes were copied, touched, or are on a file system that renumbers its files.
		await discard(storage, id);
		const entry = { ...earlier, state: file.state };
		await ledger.replace(entry, file.path);
		return { entry, isNew: false };
	}
	const entry: LedgerEntry = { version: 1, ...file, sha256: source.sha256, picture: { id, source } };
	if (earlier) await ledger.replace(entry);
	else if (!(await ledger.create(entry))) {
		// Another process watches the same folder.
		await discard(storage, id);
		return undefined;
	}
	return accept(context, entry, { ...received, isShared: true });
}

async function isAccepted(context: ImportContext, entry: LedgerEntry): Promise<boolean> {
	return (await findReservation(context.storage, entry.picture, context.abandonedSeconds))?.picture !== undefined;
}

async function accept(context: ImportContext, entry: LedgerEntry, received: Received): Promise<Imported> {
	const fields = {
		recipe: context.recipe(),
		tags: tagsOf(entry.path),
		priority: 0,
		owner: builtInOwners.watch,
		duplicates: context.duplicates,
		records: [context.ledger.keyOf(entry)],
	};
	const { picture, isNew } = await admitUnlessThere(context, received, fields, context.log);
	return { entry: await named(context, entry, picture), isNew };
}

/** The ledger entry, with the picture's id if the picture already existed. */
async function named({ ledger, storage }: ImportContext, entry: LedgerEntry, { id }: Picture): Promise<LedgerEntry> {
	if (entry.picture.id === id) return entry;
	const renamed = { ...entry, picture: { id } };
	await mention(storage, id, ledger.keyOf(entry));
	await ledger.replace(renamed);
	return renamed;
}

/** Copies a file into the storage. @returns undefined if the file changed before or during the copy */
async function receiveFile(context: ImportContext, { path, state }: WatchedFile): Promise<Received | undefined> {
	const { folder, storage, limits } = context;
	if (state.bytes > limits.maxBytes) throw tooLarge(limits.maxBytes);
	const absolute = join(folder, path);
	// A link that has just replaced the file is not followed. A link higher up in the path is noticed by the inode number.
	const handle = await open(absolute, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error) => {
		if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'ELOOP') return undefined;
		throw error;
	});
	if (!handle) return undefined;
	try {
		if (!isSameState(stateOf(await handle.stat()), state)) return undefined;
		const body = handle.createReadStream({ autoClose: false, highWaterMark: readBytes });
		const received = await receive(storage, body, basename(path), limits);
		const now = await stateAt(absolute);
		if (now && isSameState(now, state) && isSameState(stateOf(await handle.stat()), state)) return received;
		await discard(storage, received.id);
		return undefined;
	} finally {
		await handle.close();
	}
}

/** Bytes to read at a time. */
const readBytes = 512 * 1024;

/** Is the file itself at fault, not the storage or the queue? */
export function isFileError(error: PicpipeError): boolean {
	return /^(corrupt|unsupported|limit|request)$/.test(error.class);
}

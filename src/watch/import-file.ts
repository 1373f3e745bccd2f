import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Picture } from '../domain/picture.ts';
import type { NamedRecipe } from '../domain/recipe.ts';
import type { PicpipeError } from '../errors.ts';
import type { Admission } from '../intake/admit.ts';
import { admitUnlessThere, type DuplicatePolicy } from '../intake/duplicates.ts';
import { discard, type Received, type ReceiveLimits, receive, tooLarge } from '../intake/receive.ts';
import { findReservation } from '../intake/reservation.ts';
import type { Logger } from '../observe/log.ts';
import { isMissing, isSameState, stateAt, stateOf, tagsOf, type WatchedFile } from './files.ts';
import type { Ledger, LedgerEntry } from './ledger.ts';

export interface ImportContext extends Admission {
	/** The watched folder. */
	readonly folder: string;
	readonly ledger: Ledger;
	/** The recipe as it is now. */
	readonly recipe: () => NamedRecipe;
	readonly duplicates: DuplicatePolicy;
	readonly limits: ReceiveLimits;
	/** Age at which the sweep deletes what was received and not accepted. */
	readonly abandonedSeconds: number;
	/** Whether files stay where they are, so that one of the same bytes at the same path is the same picture. */
	readonly isKept: boolean;
	readonly log: Logger;
}

/** An imported file. */
export interface Imported {
	readonly entry: LedgerEntry;
	/** False when the picture existed already, or an earlier attempt created it. */
	readonly isNew: boolean;
}

/**
 * Imports a file exactly once: when this returns, the picture is accepted and the ledger names it. After a kill at any point the call can be
 * repeated, and finishes what it began.
 *
 * @returns undefined when the file changed during the import
 * @throws PicpipeError for a bad file (its class says so), or for whatever prevents the import
 */
export async function importFile(context: ImportContext, file: WatchedFile): Promise<Imported | undefined> {
	const { ledger, storage } = context;
	const earlier = await ledger.read(file.path);
	if (earlier && isSameState(earlier.state, file.state)) {
		if (earlier.isOver) return { entry: earlier, isNew: false };
		const found = await findReservation(storage, earlier.picture, context.abandonedSeconds);
		if (found?.picture) return { entry: earlier, isNew: false };
		if (found?.source) return accept(context, earlier, { ...found, source: found.source });
	}
	const received = await receiveFile(context, file);
	if (!received) return undefined;
	const { id, source } = received;
	if (context.isKept && earlier?.sha256 === source.sha256 && (earlier.isOver || (await isAccepted(context, earlier)))) {
		// Copied, touched, or on a file system that numbers its files anew.
		await discard(storage, id);
		const entry = { ...earlier, state: file.state };
		await ledger.replace(entry);
		return { entry, isNew: false };
	}
	const entry: LedgerEntry = { version: 1, ...file, sha256: source.sha256, picture: { id, source } };
	if (earlier) await ledger.replace(entry);
	else if (!(await ledger.create(entry))) {
		// Somebody else watches the same folder.
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
		duplicates: context.duplicates,
	};
	const { picture, isNew } = await admitUnlessThere(context, received, fields, context.log);
	return { entry: await named(context, entry, picture), isNew };
}

/** The entry, with the picture that was there already if it is that one. */
async function named({ ledger }: ImportContext, entry: LedgerEntry, { id }: Picture): Promise<LedgerEntry> {
	if (entry.picture.id === id) return entry;
	const renamed = { ...entry, picture: { id } };
	await ledger.replace(renamed);
	return renamed;
}

/** Copies a file into the storage. @returns undefined when it isn't the one it was, before or after */
async function receiveFile(context: ImportContext, { path, state }: WatchedFile): Promise<Received | undefined> {
	const { folder, storage, limits } = context;
	if (state.bytes > limits.maxBytes) throw tooLarge(limits.maxBytes);
	const absolute = join(folder, path);
	// A link that has just taken its place is not followed; one further up shows by the number of the file.
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

/** Bytes read at a time. */
const readBytes = 512 * 1024;

/** Whether the file itself is at fault, not the storage or queue. */
export function isFileError(error: PicpipeError): boolean {
	return /^(corrupt|unsupported|limit|request)$/.test(error.class);
}

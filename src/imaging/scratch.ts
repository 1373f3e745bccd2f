import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import type { Storage } from '../storage/storage.ts';
import { download, unwritable } from './download.ts';
import { ownScratchFolder } from './scratch-folder.ts';

/** An object to copy. */
interface RemotePlace {
	readonly key: string;
	readonly bytes: number;
	readonly sha256: string;
}

/** Files that stay where they are until they are released. */
export interface HeldFiles {
	/** In the order of the places. What the storage does not have has a path without a file. */
	readonly paths: readonly string[];
	release(): void;
	/** The bytes of a file were not the expected ones: a copy of it is not used again. */
	distrust(): void;
}

/** Copies of objects on this machine, in a folder of bounded size. A copy stays as long as there is room: renders of a picture come in series. */
export interface Scratch {
	/** Copies objects, unless they are there, and holds the copies. Waits for room. @throws as `SourceFiles.hold` */
	hold(places: readonly RemotePlace[]): Promise<HeldFiles>;
	/** Is there a copy? */
	has(place: RemotePlace): boolean;
	/** Deletes the copies of a deleted picture. */
	forget(pictureId: string): void;
	/** Can it be written to? @throws PicpipeError `scratch-unavailable` */
	check(): Promise<void>;
	/** Deletes everything. Work that waits for room fails with `stopping`. */
	close(): Promise<void>;
}

export interface ScratchOptions {
	/** Shared by any number of processes; each uses a folder of its own in it. */
	readonly folder: string;
	/** Most space for copies, million bytes. */
	readonly megabytes: number;
	readonly log: Logger;
}

interface Copy {
	readonly id: string;
	readonly key: string;
	readonly path: string;
	readonly bytes: number;
	/** Resolves when the copy is complete. */
	readonly ready: Promise<void>;
	isComplete: boolean;
	holders: number;
	/** When it was last used, by the clock of `performance`. */
	usedAt: number;
	/** Deleted as soon as nobody holds it. */
	isUnwanted: boolean;
	isRemoved: boolean;
}

/** How long an unused copy is kept, milliseconds: longer than a series of renders, and not much longer. */
const keptFor = 15 * 60_000;
/** How often copies are checked for that, milliseconds. */
const checkEvery = 60_000;
/** What has to fit for the folder to count as writable, bytes. */
const checkedBytes = 1_000_000;

/** @throws an error of the file system if the folder cannot be created */
export async function openScratch(storage: Storage, options: ScratchOptions): Promise<Scratch> {
	const { log } = options;
	const room = options.megabytes * 1e6;
	const own = await ownScratchFolder(options.folder, log);
	/** Those that can be used, by id; the one that was unused for longest comes first. */
	const copies = new Map<string, Copy>();
	const waiting: { readonly attempt: () => boolean; readonly reject: (error: Error) => void }[] = [];
	let used = 0;
	/** Bytes of copies that are being deleted. They count as used until they are gone. */
	let freeing = 0;
	let count = 0;
	let isClosed = false;

	/** Work that came first gets room first, so that a large picture is not passed for ever. */
	const serve = () => {
		while (waiting[0]?.attempt()) waiting.shift();
	};

	const remove = async (copy: Copy) => {
		if (copy.isRemoved) return;
		copy.isRemoved = true;
		freeing += copy.bytes;
		// The download may still be writing.
		await copy.ready.catch(() => {});
		await rm(copy.path, { force: true }).catch((err) =>
			log.warn({ err }, 'a file in the scratch folder was not deleted'),
		);
		used -= copy.bytes;
		freeing -= copy.bytes;
		serve();
	};

	/** Nobody gets the copy any more. It is deleted once nobody holds it. */
	const discard = async (copy: Copy) => {
		if (copies.get(copy.id) === copy) copies.delete(copy.id);
		copy.isUnwanted = true;
		if (copy.holders === 0) await remove(copy);
	};

	/** Deletes unused copies until so many bytes are free, the least recently used first. */
	const evict = async (bytes: number) => {
		const removals: Promise<void>[] = [];
		for (const copy of copies.values()) {
			if (used - freeing + bytes <= room) break;
			if (copy.holders === 0 && copy.isComplete) removals.push(discard(copy));
		}
		await Promise.all(removals);
	};

	const release = (copy: Copy) => {
		copy.holders--;
		copy.usedAt = performance.now();
		if (copy.holders > 0) return;
		if (copy.isUnwanted) return void remove(copy);
		copies.delete(copy.id);
		copies.set(copy.id, copy);
		serve();
	};

	const start = ({ key, bytes, sha256 }: RemotePlace): Copy => {
		const path = join(own.path, String(++count));
		used += bytes;
		const copy: Copy = {
			id: idOf({ key, sha256 }),
			key,
			path,
			bytes,
			ready: download(storage, { key, bytes, path }, () => evict(room)),
			holders: 0,
			usedAt: performance.now(),
			isComplete: false,
			isUnwanted: false,
			isRemoved: false,
		};
		copies.set(copy.id, copy);
		copy.ready.then(
			() => {
				copy.isComplete = true;
				serve();
			},
			// Whoever holds it gets the error; the next one tries again.
			() => discard(copy),
		);
		return copy;
	};

	/**
	 * All files of a task at once: if tasks held some and waited for others, they could wait for each other.
	 *
	 * @returns undefined if there is no room yet
	 */
	const reserve = (places: readonly RemotePlace[]): Copy[] | undefined => {
		const known = places.flatMap((place) => copies.get(idOf(place)) ?? []);
		const missing = new Map(places.map((place) => [idOf(place), place]));
		for (const copy of known) {
			copy.holders++;
			missing.delete(copy.id);
		}
		const bytes = [...missing.values()].reduce((sum, place) => sum + place.bytes, 0);
		if (used + bytes > room) {
			void evict(bytes);
			for (const copy of known) copy.holders--;
			return undefined;
		}
		for (const copy of known) copy.holders--;
		for (const place of missing.values()) start(place);
		return places.flatMap((place) => {
			const copy = copies.get(idOf(place));
			if (copy) copy.holders++;
			return copy ?? [];
		});
	};

	const reserved = (places: readonly RemotePlace[]): Promise<Copy[]> =>
		new Promise((resolve, reject) => {
			if (isClosed) return reject(new PicpipeError('stopping'));
			const attempt = () => {
				const found = reserve(places);
				if (found) resolve(found);
				return found !== undefined;
			};
			const isKnown = places.every((place) => copies.has(idOf(place)));
			if ((isKnown || waiting.length === 0) && attempt()) return;
			waiting.push({ attempt, reject });
		});

	const tidying = setInterval(() => {
		const earliest = performance.now() - keptFor;
		for (const copy of copies.values()) if (copy.holders === 0 && copy.usedAt < earliest) void discard(copy);
	}, checkEvery);
	tidying.unref();

	return {
		async hold(places) {
			const total = places.reduce((sum, { bytes }) => sum + bytes, 0);
			if (total > room) {
				throw new PicpipeError(
					'scratch-too-small',
					`Expected at most ${room} bytes for a picture with the pictures that its recipe uses (PICPIPE_SCRATCH_MEGABYTES) but it has ${total}.`,
					{ step: 'read' },
				);
			}
			const held = await reserved(places);
			const releaseAll = () => {
				for (const copy of held.splice(0)) release(copy);
			};
			try {
				await Promise.all(held.map(({ ready }) => ready));
			} catch (error) {
				releaseAll();
				throw error;
			}
			return {
				paths: held.map(({ path }) => path),
				release: releaseAll,
				distrust: () => {
					for (const copy of held) void discard(copy);
				},
			};
		},
		has: (place) => copies.has(idOf(place)),
		forget(pictureId) {
			for (const copy of copies.values()) if (copy.key.includes(`/${pictureId}/`)) void discard(copy);
		},
		async check() {
			const path = join(own.path, 'check');
			try {
				const file = await open(path, 'w', 0o600);
				try {
					await file.writeFile(Buffer.alloc(checkedBytes));
				} finally {
					await file.close();
					await rm(path, { force: true });
				}
			} catch (error) {
				throw unwritable(error);
			}
		},
		async close() {
			isClosed = true;
			clearInterval(tidying);
			for (const { reject } of waiting.splice(0)) reject(new PicpipeError('stopping'));
			await own.close();
		},
	};
}

/** The same bytes of two pictures are two copies, so that nothing of a deleted picture stays. */
function idOf({ key, sha256 }: Pick<RemotePlace, 'key' | 'sha256'>): string {
	return `${sha256} ${key}`;
}

import { setImmediate } from 'node:timers/promises';
import { firstPictureIdAt, isPictureId, type Picture, parsePicture } from '../domain/picture.ts';
import { dayFolder, manifestKey, picturesFolder } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import type { Catalog } from './catalog.ts';
import { readManifest } from './manifest.ts';

/** A walk over the pictures in storage, oldest first, that brings the index in line with them: whole for a rebuild, bit by bit for a check. */

/** Manifests to read at the same time. */
const parallelReads = 16;

/** A part of the walk: pictures that follow one another. */
export interface Stretch {
	/** `2026/01/31` */
	readonly day: string;
	/** Sorted ids of the pictures that have a folder. */
	readonly ids: readonly string[];
	/** The stretch begins after this id and ends with `last`. Together the stretches leave no gap between two ids. */
	readonly first: string;
	readonly last: string;
	/** Is it the last stretch of its day? */
	readonly endsDay: boolean;
}

/** Days that have pictures, such as `2026/01/31`, oldest first. Reads only the folders of years, months and days. */
export async function daysOf(storage: Storage, from = ''): Promise<string[]> {
	const days: string[] = [];
	const below = async (folder: string) => (await storage.folders(picturesFolder + folder)).sort();
	for (const year of await below('')) {
		for (const month of year < from.slice(0, 4) ? [] : await below(`${year}/`)) {
			for (const day of await below(`${year}/${month}/`)) days.push(`${year}/${month}/${day}`);
		}
	}
	return days.filter((day) => day >= from && !Number.isNaN(startOf(day)));
}

/** Cuts a day's pictures into stretches. @param after where the first one begins: the end of the day before it in the walk */
export async function* stretchesOf(
	storage: Storage,
	day: string,
	after: string,
	size: () => number,
): AsyncGenerator<Stretch> {
	// 60 bytes of memory for each picture of the day.
	// A manifest is found by its picture's id, so a copy in the folder of another day does not count.
	const [begin, end] = [beginOf(day), endOf(day)];
	const isOfDay = (id: string) => isPictureId(id) && id >= begin && id < end;
	const ids = (await storage.folders(dayFolder(day))).filter(isOfDay).sort();
	let first = after;
	for (let at = 0; at < ids.length || at === 0; ) {
		const part = ids.slice(at, at + Math.max(1, size()));
		at += Math.max(1, part.length);
		const endsDay = at >= ids.length;
		const last = endsDay ? end : (part.at(-1) as string);
		yield { day, ids: part, first, last, endsDay };
		first = last;
	}
}

/** Milliseconds since 1970; NaN for a folder that is no day. */
function startOf(day: string): number {
	return /^\d{4}\/\d\d\/\d\d$/.test(day) ? Date.parse(`${day.replaceAll('/', '-')}T00:00:00Z`) : Number.NaN;
}

const dayLength = 24 * 60 * 60 * 1_000;

/** A bound below all ids of a day, and one above them. @param day such as `2026/01/31` */
export const beginOf = (day: string): string => firstPictureIdAt(startOf(day));
export const endOf = (day: string): string => firstPictureIdAt(startOf(day) + dayLength);

/** The manifests of a stretch, each read once. */
export interface ReadStretch {
	readonly stretch: Stretch;
	readonly pictures: readonly Picture[];
	/** Ids of unreadable manifests, which a newer version may have written. */
	readonly unreadable: readonly string[];
}

/** Reads after which other work has a turn, and the longest turn, milliseconds. If it takes longer, the disk is slow, and the rest is read beside other work. */
const readsPerTurn = 32;
const longestTurn = 50;

export async function readStretch(storage: Storage, stretch: Stretch): Promise<ReadStretch> {
	const pictures: Picture[] = [];
	const unreadable: string[] = [];
	const folder = dayFolder(stretch.day);
	const ids = stretch.ids.values();
	const take = (id: string, bytes: Buffer | undefined) => {
		try {
			if (bytes) pictures.push(parsePicture(bytes.toString()));
		} catch {
			unreadable.push(id);
		}
	};
	const key = (id: string) => manifestKey(`${folder}${id}/`);
	if (storage.readSync) {
		let reads = 0;
		let turnBegan = performance.now();
		for (const id of ids) {
			take(id, storage.readSync(key(id)));
			if (performance.now() - turnBegan > longestTurn) break;
			if (++reads % readsPerTurn !== 0) continue;
			await setImmediate();
			turnBegan = performance.now();
		}
	}
	const readOn = async () => {
		for (const id of ids) take(id, await readObject(storage, key(id)));
	};
	await Promise.all(Array.from({ length: parallelReads }, readOn));
	return { stretch, pictures, unreadable };
}

/**
 * Indexes what was read, and removes entries of the same stretch that have no manifest. Safe while pictures are uploaded and processed: an
 * entry is replaced only by a newer revision, and only an entry that is about to be removed costs a second look at its manifest.
 *
 * @returns how many were removed
 */
export async function indexStretch(
	storage: Storage,
	catalog: Catalog,
	{ stretch, pictures, unreadable }: ReadStretch,
): Promise<number> {
	const known = new Set([...pictures.map(({ id }) => id), ...unreadable]);
	const listed = catalog.idsBetween(stretch.first, stretch.last);
	const surplus: string[] = [];
	for await (const id of listed) if (!known.has(id)) surplus.push(id);
	await catalog.putAll(pictures);
	return removeGone(storage, catalog, surplus);
}

/** Removes entries whose picture has no manifest. @returns how many */
export async function removeGone(storage: Storage, catalog: Catalog, ids: readonly string[]): Promise<number> {
	let removed = 0;
	for (const id of ids) {
		const isThere = await readManifest(storage, id).then(Boolean, () => true);
		if (isThere) continue;
		await catalog.remove(id);
		removed++;
	}
	return removed;
}

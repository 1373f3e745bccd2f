import type { Redis } from 'ioredis';
import type { CatalogScripts } from './scripts.ts';

/**
 * Changes of the last seconds before a connection was lost are sent once more when it is back. A Redis that was killed may have lost the
 * last second of its append-only file, although it acknowledged the changes. Repeating is safe: of two revisions the higher one wins.
 */

/** Age up to which a change is sent again, milliseconds: the second between two syncs of the file, and as much again for a slow disk. */
const repeatedAge = 3_000;
/** Most changes to remember. A busy worker makes some hundreds in that time. */
const mostRepeated = 2_000;

export function repeatAfterLoss(redis: Redis, scripts: CatalogScripts): CatalogScripts {
	let recent: { readonly at: number; readonly change: () => Promise<void> }[] = [];
	let lost: typeof recent = [];
	const remember = async (change: () => Promise<void>) => {
		const at = performance.now();
		const oldest = recent[0];
		if (oldest && (oldest.at < at - repeatedAge * 2 || recent.length > mostRepeated))
			recent = recent.filter((one) => one.at > at - repeatedAge).slice(-mostRepeated / 2);
		recent.push({ at, change });
		await change();
	};
	redis.on('close', () => {
		const now = performance.now();
		// The pause before a reconnect that fails ends with another `close`.
		lost = [...lost, ...recent.filter((one) => one.at > now - repeatedAge)].slice(-mostRepeated);
		recent = [];
	});
	redis.on('ready', () => {
		const changes = lost;
		lost = [];
		const repeat = async () => {
			for (const { change } of changes) await change();
		};
		// If the connection is lost again, the check of the index finds what is missing.
		repeat().catch(() => {});
	});
	return {
		...scripts,
		put: (picture) => remember(() => scripts.put(picture)),
		remove: (id) => remember(() => scripts.remove(id)),
	};
}

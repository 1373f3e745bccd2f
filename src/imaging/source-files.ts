import type { Storage } from '../storage/storage.ts';
import type { HeldFiles, Scratch } from './scratch.ts';

/** Bytes that an imaging process reads: a storage key, or a file on this machine. */
type SourcePlace = { readonly bytes: number; readonly sha256: string } & (
	| { readonly key: string }
	| { readonly path: string }
);

/** Makes what is in the storage readable for imaging processes, which have no access to it. */
export interface SourceFiles {
	/**
	 * Holds the files of a task. At once if all of them are files of this machine.
	 *
	 * @throws PicpipeError `storage-unavailable`, `scratch-unavailable`, `scratch-too-small`
	 */
	hold(places: readonly SourcePlace[]): HeldFiles | Promise<HeldFiles>;
	/** Is it on this machine already? */
	has(place: SourcePlace): boolean;
}

/** A storage of files is read in place; objects of any other are copied to the scratch folder. */
export function openSourceFiles(storage: Storage, scratch: Scratch | undefined): SourceFiles {
	const pathOf = (place: SourcePlace) => ('path' in place ? place.path : storage.localPath?.(place.key));
	return {
		hold(places) {
			const paths = places.map(pathOf);
			if (paths.every((path) => path !== undefined)) return inPlace(paths);
			return holdCopies(places, paths, scratch);
		},
		has: (place) => pathOf(place) !== undefined || ('key' in place && scratch?.has(place) === true),
	};
}

/** Files of this machine alone, for work without a storage. */
export const localFiles: SourceFiles = {
	hold: (places) => inPlace(places.map((place) => ('path' in place ? place.path : noStorage(place.key)))),
	has: () => true,
};

function noStorage(key: string): never {
	throw new TypeError(`Expected a file of this machine but received the storage key ${key}.`);
}

function inPlace(paths: readonly string[]): HeldFiles {
	return { paths, release() {}, distrust() {} };
}

async function holdCopies(
	places: readonly SourcePlace[],
	paths: readonly (string | undefined)[],
	scratch: Scratch | undefined,
): Promise<HeldFiles> {
	if (!scratch) throw new TypeError('Expected a scratch folder for a storage that has no files on this machine.');
	const remote = places.flatMap((place, at) => ('key' in place && paths[at] === undefined ? [place] : []));
	const copies = await scratch.hold(remote);
	const left = copies.paths.values();
	return { ...copies, paths: paths.map((path) => path ?? left.next().value ?? '') };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { readManifest } from '../catalog/manifest.ts';
import type { Picture } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { type Admission, type AdmitFields, admit } from './admit.ts';
import { discard, type Received } from './receive.ts';

/** What becomes of an upload whose bytes are there already. */
export const duplicatePolicies = ['accept', 'refuse', 'link', 'dedupe'] as const;
export type DuplicatePolicy = (typeof duplicatePolicies)[number];

/** How long an upload waits for another one of the same bytes that is just being admitted, milliseconds. */
const patience = 10_000;
const lookAgain = 25;

export interface Admitted {
	readonly picture: Picture;
	/** False for a picture that was there already. */
	readonly isNew: boolean;
}

/**
 * Admits a received original, or finds the picture that has its bytes. Of any number of equal uploads at once that don't accept
 * duplicates one is admitted: the others see its claim and wait until its manifest is there. What was received in vain is discarded.
 *
 * @throws PicpipeError `duplicate-picture`; `queue-unavailable` and `duplicate-undecided`, because without a whole index nobody can
 * say whether the bytes are there
 */
export async function admitUnlessThere(
	deps: Admission,
	received: Received,
	fields: AdmitFields & { readonly duplicates: DuplicatePolicy },
	log: Logger,
): Promise<Admitted> {
	if (fields.duplicates === 'accept') return { picture: await admit(deps, received, fields, log), isNew: true };
	const there = await claimBytes(deps, received, fields.duplicates === 'dedupe' ? fields.recipe.digest : undefined);
	if (there?.id === received.id) return { picture: there, isNew: true };
	if (there) {
		// Whoever shares it is told the same, or has made a picture of it before the other one came.
		if (!(received.isShared && (await readManifest(deps.storage, received.id))))
			await discard(deps.storage, received.id);
		if (fields.duplicates !== 'refuse') return { picture: there, isNew: false };
		throw new PicpipeError('duplicate-picture', `The same bytes are there already, as ${there.id}.`, {
			pictureId: there.id,
		});
	}
	try {
		return { picture: await admit(deps, received, fields, log), isNew: true };
	} catch (error) {
		await deps.catalog
			.release(received.source.sha256, received.id)
			.catch((err) => log.debug({ err }, 'a duplicate claim could not be released; it expires'));
		throw error;
	}
}

/**
 * @param recipeDigest only a picture made with this recipe will do; any when undefined
 * @returns the picture that has the bytes, or undefined when they are now claimed for this upload
 */
async function claimBytes(
	deps: Admission,
	{ id, source }: Received,
	recipeDigest: string | undefined,
): Promise<Picture | undefined> {
	if (!(await deps.catalog.isComplete())) {
		throw new PicpipeError(
			'duplicate-undecided',
			'The index of pictures is not complete; a worker brings it up to date. Try again, or accept duplicates.',
		);
	}
	for (const end = performance.now() + patience; ; await sleep(lookAgain)) {
		const claim = await deps.catalog.claim(source.sha256, id, recipeDigest);
		if (claim.outcome === 'claimed') return undefined;
		const picture = await readManifest(deps.storage, claim.id);
		if (picture && (recipeDigest === undefined || picture.recipe.digest === recipeDigest)) return picture;
		if (claim.outcome === 'there') {
			// The index was not told: it was purged, or made again with another recipe.
			if (picture) await deps.catalog.put(picture);
			else await deps.catalog.remove(claim.id);
		}
		// With another recipe it is waited for too: when it is in the index the bytes can be claimed again.
		if (performance.now() > end) throw new PicpipeError('duplicate-undecided');
	}
}

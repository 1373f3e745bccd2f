import { setTimeout as sleep } from 'node:timers/promises';
import type { Among } from '../catalog/lists/scripts.ts';
import { readManifest } from '../catalog/manifest.ts';
import type { Picture } from '../domain/picture.ts';
import { PicpipeError } from '../errors.ts';
import type { Logger } from '../observe/log.ts';
import { type Admission, type AdmitFields, admit } from './admit.ts';
import { discard, type Received } from './receive.ts';

/** What happens to an upload whose bytes are already stored. */
export const duplicatePolicies = ['accept', 'refuse', 'link', 'dedupe'] as const;
export type DuplicatePolicy = (typeof duplicatePolicies)[number];

/** How long an upload waits while another upload of the same bytes is being admitted, milliseconds. */
const patience = 10_000;
const lookAgain = 25;

export interface Admitted {
	readonly picture: Picture;
	/** False for a picture that already existed. */
	readonly isNew: boolean;
}

interface DuplicateFields extends AdmitFields {
	readonly duplicates: DuplicatePolicy;
	/** The owner whose pictures count as duplicates; all pictures if absent. */
	readonly among?: string | undefined;
}

/**
 * Admits a received original, or finds the picture that already has its bytes. Of any number of equal uploads at the same time that do not
 * accept duplicates, one is admitted. The others see its claim and wait for its manifest. Their own bytes are discarded.
 *
 * @throws PicpipeError `duplicate-picture`; `queue-unavailable` and `duplicate-undecided`, because only a complete index can tell whether
 * the bytes are stored
 */
export async function admitUnlessThere(
	deps: Admission,
	received: Received,
	fields: DuplicateFields,
	log: Logger,
): Promise<Admitted> {
	if (fields.duplicates === 'accept') return { picture: await admit(deps, received, fields, log), isNew: true };
	const among = { owner: fields.among, ...(fields.duplicates === 'dedupe' && { recipeDigest: fields.recipe.digest }) };
	const there = await claimBytes(deps, received, among);
	if (there?.id === received.id) return { picture: there, isNew: true };
	if (there) {
		// Attempts that share the original either reach the same result or have already made a picture of it.
		if (!(received.isShared && (await readManifest(deps.storage, received.id))))
			await discard(deps.storage, received.id);
		if (fields.duplicates !== 'refuse') return { picture: there, isNew: false };
		throw new PicpipeError(
			'duplicate-picture',
			`Expected a picture that is not stored yet but ${there.id} has the same bytes.`,
			{
				pictureId: there.id,
			},
		);
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
 * @param among the pictures that count
 * @returns the picture that has the bytes, or undefined if this upload now has the claim on them
 */
async function claimBytes(deps: Admission, { id, source }: Received, among: Among): Promise<Picture | undefined> {
	if (!(await deps.catalog.isComplete())) {
		throw new PicpipeError(
			'duplicate-undecided',
			'The index of pictures is incomplete until a worker has rebuilt it. Try again later, or accept duplicates.',
		);
	}
	for (const end = performance.now() + patience; ; await sleep(lookAgain)) {
		const claim = await deps.catalog.claim(source.sha256, id, among);
		if (claim.outcome === 'claimed') return undefined;
		const picture = await readManifest(deps.storage, claim.id);
		if (picture && counts(picture, among)) return picture;
		if (claim.outcome === 'there') {
			// The index missed an update: the picture was purged, or made again with another recipe.
			if (picture) await deps.catalog.put(picture);
			else await deps.catalog.remove(claim.id);
		}
		// A picture that does not count is waited for too. Once it is in the index, the bytes can be claimed again.
		if (performance.now() > end) throw new PicpipeError('duplicate-undecided');
	}
}

function counts({ recipe, owner }: Picture, among: Among): boolean {
	return (
		(among.recipeDigest === undefined || recipe.digest === among.recipeDigest) &&
		(among.owner === undefined || owner === among.owner)
	);
}

import * as z from 'zod';
import { readManifest } from '../catalog/manifest.ts';
import { type Picture, pictureIdTime, sourceSchema } from '../domain/picture.ts';
import { stored } from '../domain/stored.ts';
import type { Storage } from '../storage/storage.ts';

/** A picture that is to be accepted: its id, and its original if that has come. It is written down before, so that nobody accepts it twice. */
export const candidateSchema = stored({ id: z.string(), source: sourceSchema.optional() });
export type Candidate = z.infer<typeof candidateSchema>;

/** What is left of an earlier attempt to accept a candidate. */
export interface FoundCandidate extends Candidate {
	/** Others may be at it too. */
	readonly isShared: true;
	/** What it has become already. */
	readonly picture?: Picture;
}

/**
 * Finds the picture that a candidate has become, or all that is needed to make it; undefined when nothing is left of it.
 *
 * @param abandonedSeconds age at which the sweep deletes what was received and not accepted
 */
export async function findCandidate(
	storage: Storage,
	candidate: Candidate,
	abandonedSeconds: number,
): Promise<FoundCandidate | undefined> {
	const picture = await readManifest(storage, candidate.id);
	if (picture) return { ...candidate, isShared: true, picture };
	// Long before the sweep might take it away.
	const isOld = Date.now() - pictureIdTime(candidate.id) > (abandonedSeconds / 2) * 1_000;
	if (isOld || (candidate.source && !(await storage.stat(candidate.source.key)))) return undefined;
	return { ...candidate, isShared: true };
}

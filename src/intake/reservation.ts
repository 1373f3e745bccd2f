import * as z from 'zod';
import { readManifest } from '../catalog/manifest.ts';
import { type Picture, pictureIdTime, sourceSchema } from '../domain/picture.ts';
import { stored } from '../domain/stored.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * The id of a picture that is about to be accepted, and its original once that is in storage. It is recorded before the picture is accepted,
 * so that a repeated attempt accepts the same picture.
 */
export const reservationSchema = stored({ id: z.string(), source: sourceSchema.optional() });

/** A reservation as it is recorded, and its state now. */
export interface Reservation extends z.infer<typeof reservationSchema> {
	/** Other attempts may be accepting the same picture. */
	readonly isShared?: boolean;
	/** The picture, where an attempt has accepted it already. */
	readonly picture?: Picture | undefined;
}

/**
 * Finds the picture that was accepted under a reservation, or all that is needed to accept it; undefined when nothing is left of it.
 *
 * @param abandonedSeconds age at which the sweep deletes originals that were received and not accepted
 */
export async function findReservation(
	storage: Storage,
	reservation: z.infer<typeof reservationSchema>,
	abandonedSeconds: number,
): Promise<(Reservation & { readonly isShared: true }) | undefined> {
	const picture = await readManifest(storage, reservation.id);
	if (picture) return { ...reservation, isShared: true, picture };
	// Long before the sweep might delete the original.
	const isOld = Date.now() - pictureIdTime(reservation.id) > (abandonedSeconds / 2) * 1_000;
	if (isOld || (reservation.source && !(await storage.stat(reservation.source.key)))) return undefined;
	return { ...reservation, isShared: true };
}

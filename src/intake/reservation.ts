import * as z from 'zod';
import { readManifest } from '../catalog/manifest.ts';
import { type Picture, pictureIdTime, sourceSchema } from '../domain/picture.ts';
import { stored } from '../domain/stored.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * The id of a picture that is about to be accepted, and its original once that is in storage. It is recorded before the picture is accepted,
 * so that a repeated attempt accepts the same picture.
 */
export const reservationSchema = stored({
	id: z.string(),
	source: sourceSchema.optional(),
	/** The picture was accepted and deleted since; nothing else of it is known. */
	deleted: z.literal(true).optional(),
});

/** A reservation as recorded, and its current state. */
export interface Reservation extends z.infer<typeof reservationSchema> {
	/** Other attempts may be accepting the same picture. */
	readonly isShared?: boolean;
	/** The picture, if an attempt has already accepted it. */
	readonly picture?: Picture | undefined;
}

/**
 * Finds the picture that was accepted under a reservation, or the data to accept it; undefined when neither exists any more.
 *
 * @param abandonedSeconds age at which the sweep deletes originals that were received but not accepted
 */
export async function findReservation(
	storage: Storage,
	reservation: z.infer<typeof reservationSchema>,
	abandonedSeconds: number,
): Promise<(Reservation & { readonly isShared: true }) | undefined> {
	const picture = await readManifest(storage, reservation.id);
	if (picture) return { ...reservation, isShared: true, picture };
	// Well before the sweep might delete the original.
	const isOld = Date.now() - pictureIdTime(reservation.id) > (abandonedSeconds / 2) * 1_000;
	if (isOld || (reservation.source && !(await storage.stat(reservation.source.key)))) return undefined;
	return { ...reservation, isShared: true };
}

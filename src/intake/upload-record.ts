import * as z from 'zod';
import { storedRecipeSchema } from '../domain/recipe.ts';
import { stored, storedWord } from '../domain/stored.ts';
import { type ErrorCode, errorTable, PicpipeError } from '../errors.ts';
import { uploadFolder, uploadRecordKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import { duplicatePolicies } from './duplicates.ts';

/** The request that the upload began with: how to process the bytes once they are complete. */
const wishesSchema = stored({
	filename: z.string().optional(),
	recipe: stored({
		name: z.string(),
		digest: z.string(),
		definition: storedRecipeSchema,
	}),
	tags: z.array(z.string()),
	meta: z.record(z.string(), z.string()).optional(),
	priority: z.int(),
	urgent: z.literal(true).optional(),
	duplicates: z.enum(duplicatePolicies),
	/** The owner whose pictures count as duplicates, for a caller who saw no others; whoever sends the last byte. */
	among: z.string().optional(),
	webhook: z.string().optional(),
	batch: z.string().optional(),
});
export type UploadWishes = z.infer<typeof wishesSchema>;

/** The outcome of an upload: a picture, or the reason why there is none. */
const outcomeSchema = z.union([
	stored({
		picture: z.string(),
		/** False for a picture that already existed. */
		isNew: z.boolean(),
	}),
	stored({
		refused: stored({
			code: storedWord(Object.keys(errorTable) as ErrorCode[]),
			message: z.string(),
			pictureId: z.string().optional(),
		}),
	}),
]);
export type UploadOutcome = z.infer<typeof outcomeSchema>;

const uploadSchema = stored({
	version: z.literal(1),
	id: z.string(),
	createdAt: z.iso.datetime(),
	/** The owner: a key, or a client with an upload token of that key. The group is that of the key, and owns the picture. */
	owner: stored({ caller: z.string(), grant: z.string().optional(), group: z.string().optional() }),
	/** Total bytes; absent until the client has declared them. */
	length: z.int().min(0).optional(),
	/** `Upload-Metadata` as sent, to be returned unchanged. */
	metadata: z.string().optional(),
	/** `Upload-Concat` as sent, for a partial or a concatenated upload. */
	concat: z.string().optional(),
	/** The partial uploads that this upload concatenates, in order. */
	parts: z.array(z.string()).optional(),
	/** Absent for a partial upload, which does not become a picture by itself. */
	wishes: wishesSchema.optional(),
	outcome: outcomeSchema.optional(),
	/** When the outcome was recorded. */
	endedAt: z.iso.datetime().optional(),
});
/** A resumable upload, as stored in `upload.json`. The bytes are stored beside it, see `upload-parts.ts`. */
export type Upload = z.infer<typeof uploadSchema>;

/** The owner of the picture that an upload becomes. Records that are older than groups name only the key, which was a group of its own. */
export function ownerOfUpload({ owner: { group, caller } }: Pick<Upload, 'owner'>): string {
	return group ?? caller;
}

/** @returns whether it is new; an existing upload is left unchanged */
export async function createUpload(storage: Storage, upload: Upload): Promise<boolean> {
	return storage.create(uploadRecordKey(upload.id), toBytes(upload));
}

/** Undefined when there is no such upload. */
export async function readUpload(storage: Storage, id: string): Promise<Upload | undefined> {
	const bytes = await readObject(storage, uploadRecordKey(id));
	return bytes && uploadSchema.parse(JSON.parse(bytes.toString()));
}

export async function writeUpload(storage: Storage, upload: Upload): Promise<void> {
	await storage.put(uploadRecordKey(upload.id), toBytes(upload));
}

/** Deletes an upload with its bytes. A picture that was made from it stays. */
export async function removeUpload(storage: Storage, id: string): Promise<void> {
	await storage.delete(uploadRecordKey(id));
	await storage.deleteFolder(uploadFolder(id));
}

/** The reason why there is no picture, as an error to throw again; undefined if there is a picture or no outcome yet. */
export function storedRefusal({ outcome }: Upload): PicpipeError | undefined {
	if (!outcome || !('refused' in outcome)) return undefined;
	const { code, message, pictureId } = outcome.refused;
	return new PicpipeError(code, message, { pictureId });
}

function toBytes(upload: Upload): Buffer {
	return Buffer.from(`${JSON.stringify(upload, null, '\t')}\n`);
}

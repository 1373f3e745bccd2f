import * as z from 'zod';
import { storedRecipeSchema } from '../domain/recipe.ts';
import { stored, storedWord } from '../domain/stored.ts';
import { type ErrorCode, errorTable, PicpipeError } from '../errors.ts';
import { uploadFolder, uploadRecordKey } from '../storage/keys.ts';
import { readObject, type Storage } from '../storage/storage.ts';
import { duplicatePolicies } from './duplicates.ts';

/** What is to be made of the bytes when all are there, as it was accepted when the upload began. */
const wishesSchema = stored({
	filename: z.string().optional(),
	recipe: stored({
		name: z.string(),
		digest: z.string(),
		definition: storedRecipeSchema,
	}),
	tags: z.array(z.string()),
	priority: z.int(),
	duplicates: z.enum(duplicatePolicies),
	webhook: z.string().optional(),
	batch: z.string().optional(),
});
export type UploadWishes = z.infer<typeof wishesSchema>;

/** What became of an upload: a picture, or nothing and why. */
const outcomeSchema = z.union([
	stored({
		picture: z.string(),
		/** False for a picture that was there already. */
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
	/** Whose it is: a key, or what came with an upload token of that key. */
	owner: stored({ caller: z.string(), grant: z.string().optional() }),
	/** Bytes in all; absent while the client has not said. */
	length: z.int().min(0).optional(),
	/** `Upload-Metadata` as it was sent, to be told again. */
	metadata: z.string().optional(),
	/** `Upload-Concat` as it was sent: a partial upload, or one made of such. */
	concat: z.string().optional(),
	/** The partial uploads that this one is made of, in order. */
	parts: z.array(z.string()).optional(),
	/** Absent of a partial upload: it becomes no picture by itself. */
	wishes: wishesSchema.optional(),
	outcome: outcomeSchema.optional(),
	/** When the outcome was there. */
	endedAt: z.iso.datetime().optional(),
});
/** A resumable upload, as stored in `upload.json`. The bytes lie beside it, see `upload-parts.ts`. */
export type Upload = z.infer<typeof uploadSchema>;

/** @returns whether it is new; an upload that is there already stays as it is */
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

/** Deletes an upload with its bytes. A picture that was made of it stays. */
export async function removeUpload(storage: Storage, id: string): Promise<void> {
	await storage.delete(uploadRecordKey(id));
	await storage.deleteFolder(uploadFolder(id));
}

/** Why there is no picture, as an error to be thrown again; undefined where there is one, or not yet. */
export function storedRefusal({ outcome }: Upload): PicpipeError | undefined {
	if (!outcome || !('refused' in outcome)) return undefined;
	const { code, message, pictureId } = outcome.refused;
	return new PicpipeError(code, message, { pictureId });
}

function toBytes(upload: Upload): Buffer {
	return Buffer.from(`${JSON.stringify(upload, null, '\t')}\n`);
}

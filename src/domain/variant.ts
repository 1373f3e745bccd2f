import * as z from 'zod';
import { stored } from './stored.ts';

/** A quality that was looked for because the recipe has a target instead of a number. */
const foundQualitySchema = stored({
	value: z.int().min(1).max(100),
	/** Similarity of the variant to the pixels it was encoded from; `pipeline/pixels/similarity.ts` says how it is measured. */
	ssim: z.number(),
	/** Encodings that it took to find it. */
	tries: z.int().min(1),
});

/** One stored encoding of one variant. */
export const variantSchema = stored({
	name: z.string(),
	/** The storage key, `.../<name>-<digest12>.<ext>`. */
	key: z.string(),
	/** Encoder: `webp`, `jpeg`, ... */
	format: z.string(),
	/** Media type. */
	type: z.string(),
	width: z.int().min(1),
	height: z.int().min(1),
	bytes: z.int().min(1),
	quality: foundQualitySchema.optional(),
	/** Digest of source, steps, encoding and engine: the same picture always gets the same one. */
	digest: z.string(),
	/** SHA-256 of the stored bytes; also its ETag. */
	sha256: z.string(),
	/** Time spent on resizing and encoding it. */
	milliseconds: z.number().min(0),
});
export type Variant = z.infer<typeof variantSchema>;

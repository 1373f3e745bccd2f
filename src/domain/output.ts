import * as z from 'zod';

/** Metadata and colour space of a variant's files. Both are keys of a variant in a recipe. */

/** Longest text in a recipe, in characters. */
const maximumText = 500;
const textError = `expected 1 to ${maximumText} characters of a single line`;

const text = (what: string) =>
	z
		.string({ error: textError })
		.max(maximumText, { error: textError })
		.regex(/^(?=.*\S)[^\p{C}\p{Zl}\p{Zp}]*$/u, { error: textError })
		.optional()
		.describe(what);

/** How much of the original's metadata a variant keeps. */
const modes = ['strip', 'copyright', 'keep'] as const;

const longForm = z
	.strictObject({
		mode: z.enum(modes).default('strip').describe('Metadata of the original to keep, as in the short form.'),
		gps: z.boolean().default(false).describe('With `keep`: keep the location, too. It may be a private home.'),
		set: z
			.strictObject({
				artist: text('Creator of the picture.'),
				copyright: text('Copyright notice.'),
				description: text('Description of the picture.'),
			})
			.optional()
			.describe('Values for every variant, which replace those of the original.'),
	})
	.refine(({ mode, gps }) => !gps || mode === 'keep', { path: ['gps'], error: 'expected false unless mode is keep' });

/** Options in their shortest form, so that equal options are spelled alike. */
export const metadataSchema = z
	.union([z.enum(modes), longForm], {
		error: `expected ${modes.slice(0, -1).join(', ')} or ${modes.at(-1)}, or an object with mode, gps (with mode keep) and set (artist, copyright, description)`,
	})
	.overwrite((value) => {
		if (typeof value === 'string' || value.gps || Object.values(value.set ?? {}).some((one) => one !== undefined))
			return value;
		return value.mode;
	})
	.describe(
		'Metadata in the files. `strip`: none. `copyright`: artist and copyright of the original. `keep`: its EXIF and resolution without location, orientation, thumbnail and notes.',
	);
export type MetadataOption = z.infer<typeof metadataSchema>;

export const hdrSchema = z
	.enum(['drop', 'keep'])
	.describe(
		'`keep`: the JPEG keeps the gain map of an Ultra HDR original, which bright screens show. With crop, flip, flop, resize and rotate by quarters only.',
	);
export type HdrOption = z.infer<typeof hdrSchema>;

export const colourSchema = z
	.enum(['srgb', 'p3', 'keep'])
	.describe(
		'Colour space of the files and of colours in steps: `srgb`, `p3` (Display P3 if the original has an RGB profile) or `keep` (the RGB profile of the original).',
	);
export type ColourOption = z.infer<typeof colourSchema>;

import * as z from 'zod';

/** What a variant's file says about the picture beside its pixels, and in which colours: keys of a variant in a recipe. */

/** Longest text that a recipe sets, characters. */
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
		mode: z.enum(modes).default('strip').describe('How much of what the original says is kept, as in the short form.'),
		gps: z
			.boolean()
			.default(false)
			.describe('With `keep`: where the picture was taken, too. It can be somebody’s home.'),
		set: z
			.strictObject({
				artist: text('Who made the picture.'),
				copyright: text('Who holds which rights.'),
				description: text('What it shows.'),
			})
			.optional()
			.describe('What every variant says, whatever the original said.'),
	})
	.refine(({ mode, gps }) => !gps || mode === 'keep', { path: ['gps'], error: 'expected false unless mode is keep' });

/** Options in the form that has the fewest words, so that the same is always written the same. */
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
		'What the files say beside the pixels. `strip`: nothing. `copyright`: artist and copyright of the original. `keep`: what its EXIF says, but for the place, the orientation (it was applied), thumbnails and notes of the maker.',
	);
export type MetadataOption = z.infer<typeof metadataSchema>;

export const colourSchema = z
	.enum(['srgb', 'p3', 'keep'])
	.describe(
		'Colour space of the files. `srgb`: shown alike everywhere. `p3`: Display P3 where the original has an RGB profile of its own, sRGB where not. `keep`: the RGB profile of the original, if it has one. Colours that steps name are meant in it.',
	);
export type ColourOption = z.infer<typeof colourSchema>;

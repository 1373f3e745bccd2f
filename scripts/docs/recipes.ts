import { stringify } from 'yaml';
import { z } from 'zod';
import { maximumInlineRecipe } from '../../src/api/contract.ts';
import { settings } from '../../src/config/index.ts';
import { analysisKinds } from '../../src/domain/analysis.ts';
import { inlineRecipeName, maximumEncodings, type NamedRecipe } from '../../src/domain/recipe.ts';
import { findOperation } from '../../src/operations/index.ts';
import { encoders, findEncoder } from '../../src/pipeline/encoders/index.ts';
import { inputFormats } from '../../src/pipeline/inspect/sniff.ts';
import { parseRecipe } from '../../src/pipeline/recipe/parse-recipe.ts';
import { loadRecipes } from '../../src/pipeline/recipe/recipes.ts';
import { code, fence, page } from './markdown.ts';

export async function recipesPage(): Promise<string> {
	const recipes = [...(await loadRecipes(undefined)).values()];
	return page(
		'Recipes',
		'src/pipeline/recipe/built-in.ts and src/domain/recipe.ts',
		`A recipe defines the variants to make of a picture. \`PICPIPE_RECIPES\` names a YAML or JSON file with recipes. They are added to the
built-in ones below and replace those of the same name. Uploads that name no recipe use \`PICPIPE_DEFAULT_RECIPE\`.`,
		`## The file

The file contains \`recipes\` by name. The API watches it and applies a valid change about a second after the last write, without a restart.
If any part is invalid, the previous recipes stay in effect, and the problem is logged and reported as \`problem\` of
[\`GET /v1/recipes\`](http.md#get-v1recipes). A file that is invalid at the start ends the API with code 2. A picture keeps the recipe
that it was accepted with.`,
		`## Contents of a recipe

- \`variants\`: up to \`${settings.maxVariants.variable}\` (${settings.maxVariants.default}) variants by name. Names are 1 to 32 characters of
  \`a\`-\`z\`, \`0\`-\`9\` and \`_\`. Each variant has
  - \`from\`: the variant to begin with: the result of all its steps, before it is encoded. The original when absent,
  - \`page\`: the page of a TIFF to begin with, counted from 1; the first when absent. From 2 on it also selects a frame of an animation, as a still picture. A
    picture without this page fails as \`no-such-page\`,
  - \`steps\`: up to \`${settings.maxSteps.variable}\` (${settings.maxSteps.default}) [operations](operations.md#operations) in the order they are applied; without steps the pixels do not change,
  - \`metadata\`: metadata of its files ([below](#metadata)); none when absent,
  - \`colour\`: \`srgb\`, \`p3\` or \`keep\` ([below](#colours)); \`srgb\` when absent,
  - \`hdr\`: \`keep\` for the gain map of Ultra HDR ([below](#hdr)); dropped when absent,
  - \`encode\`: 1 to ${maximumEncodings} [encoders](operations.md#encoders), each format at most once, including those that \`auto\` may choose.
    \`GET /v1/pictures/{id}/variants/{name}\` returns the first one; \`{name}.{format}\` selects another.
- \`analyse\`: [kinds of analysis](operations.md#analysis) to run: ${analysisKinds.map(code).join(', ')}.
- \`doc\`: a one-line description.

The formats are ${encoders.map(({ name }) => code(name)).join(', ')}. Variants are upright, in sRGB and without metadata, unless a recipe says otherwise.`,
		`## Input formats

${inputFormats.map(code).join(', ')}, and \`svg\` if \`${settings.svg.variable}\` is \`true\`. The bytes decide the format, not the file name.

- Animated GIFs and WebPs stay animated in variants of these two formats, with as many runs. Counts and delays beyond what a format holds are cut: 65,536
  runs and 655 seconds a frame in a GIF, 65,535 runs and 16,777 seconds in a WebP. Of APNGs, animated AVIFs and collections in AVIF and HEIC the first
  picture is used. An AVIF or HEIC has at most 1,000 items, such as the tiles of a grid.
- An animation may have more pixels than \`${settings.maxMegapixels.variable}\`: it is read a few frames at a time. A variant whose own frames are still too
  many, and every variant of an animation that would take more than 4 readings, shows the first frame and says so in \`limited\`. With \`animated: required\`
  the encoding fails instead.
- A TIFF has \`facts.frames\` pages, each with its own size. \`page\` selects one; facts and analysis describe the first.
- A TIFF may have integers of 1 to 64 bits, signed or not, or floating-point numbers of 16, 32 or 64 bits. Integers are scaled over their whole range,
  floating-point numbers from 0 to 1. Old-style JPEG, JPEG of 12 bits, complex numbers, and numbers that are no picture on that scale are refused as
  \`unsupported-feature\`. So are raw files of cameras, as \`unsupported-type\`, and PNGs that Xcode has optimised for iPhones.
- An SVG is rasterised with the fonts of the machine. It may refer to its own parts and to embedded base64 PNGs and JPEGs. Other references that
  would be drawn, and entity declarations, are refused as \`unsupported-feature\`. Its size is its width and height, the view box for those that are
  missing, or else 300 × 150 as in browsers, reduced to the limits. If the first step is a \`resize\` that enlarges, the SVG is rasterised at that size. The original is
  served only as a download.`,
		`## Limits and failures

- A variant beyond the largest side of its format is scaled down to fit: ${sides}.
  It says so in \`limited\`, an object with a \`reason\` (\`format\` or
  \`animation\`) and a \`message\`.
- A size that the steps fix beyond the format, such as \`resize: { width: 16384 }\` with \`webp\`, is refused when the recipe is loaded.
- A variant that cannot be made fails alone, with the variants that build on it. The picture is \`ready\` if it has any other variant, and its \`failures\` name
  what is missing: variant, format (if the others were made), class, code and message.`,
		`## Metadata

\`\`\`yaml
metadata: copyright                 # strip, copyright or keep
metadata: { mode: keep, gps: true, set: { copyright: © 2026 Ann Example } }
\`\`\`

- \`strip\`: no metadata. The default.
- \`copyright\`: artist and copyright from the EXIF or XMP of the original.
- \`keep\`: also description, camera, lens, exposure and times from its EXIF. Orientation (it was applied), thumbnails (they would reveal cropped
  parts), maker notes, other XMP properties and IPTC are never kept. The resolution in pixels per inch stays as well; \`density\` of an encoder sets another.
- \`gps: true\`, only with \`keep\`: also the location. No other option writes a location to a variant.
- \`set\`: \`artist\`, \`copyright\` and \`description\` for every variant, which replace those of the original.

Texts are written as EXIF, which is ASCII (\`©\` becomes \`(C)\`, and characters without an equivalent are omitted), and as XMP, which supports every character. A TIFF gets XMP only, a GIF no metadata.`,
		`## Colours

- \`srgb\`: colours are converted to sRGB and look the same everywhere. The default.
- \`p3\`: Display P3 if the original has its own RGB profile, which preserves the vivid colours of phone photographs. The conversion uses 16 bits per
  channel. Other originals become sRGB, since P3 would add nothing.
- \`keep\`: the pixel values and the RGB profile of the original; sRGB if it has no profile or one for grey or CMYK.

Colours that a file describes without a profile (\`cICP\`, \`gAMA\` and \`cHRM\` of PNG, \`nclx\` of AVIF and HEIC) are read, too, and count as an RGB profile. Pictures of high
dynamic range (PQ, HLG) are always mapped to sRGB, and look as in Chromium on an ordinary screen
([decision 0060](../decisions/0060-colours-without-a-profile.md)).

The profile is part of the file. Colours in steps, watermarks and text are interpreted in this colour space. Animations are always sRGB. A variant that begins
with another one has its colour space.`,
		`## HDR

Ultra HDR is a JPEG with a gain map, which makes it brighter on bright screens. \`facts.gainMap\` of a picture says that its original has one.

- \`hdr: drop\`: variants have no gain map. The default.
- \`hdr: keep\`: the JPEG of the variant keeps the gain map, which is scaled, cropped and rotated along. The variant begins with the original, and its steps are
  \`crop\`, \`flip\`, \`flop\`, \`resize\`, and \`rotate\` by multiples of 90. Of the options of \`jpeg\` only \`quality\`, as a number, and \`density\` have an effect.

Every file without the gain map of its original lists \`gain-map\` in \`dropped\`, in the manifest and the API: other formats, other variants, and a JPEG whose gain map
could not be kept. The gain maps of Apple's own format are always dropped and not listed.`,
		`## Changing a recipe

The name of a variant's file contains a digest of the original, the steps and the encoding. So two recipes with the same steps share one file,
and a default is the same as its explicit value. The digest includes all steps from the original on, through every \`from\`.

Changing the file does not reprocess existing pictures. \`POST /v1/pictures/{id}/process\` reprocesses one picture, and
\`picpipe reprocess\` all of them or those of one recipe. Both render only variants whose digest has changed or whose file is missing, keep the
others, and delete variants that the recipe no longer has. Until then the old variants are served.`,
		`## A recipe in a request

If \`PICPIPE_INLINE_RECIPES\` is \`true\`, the field \`recipe\` of an upload and of \`POST /v1/pictures/{id}/process\` may hold a whole recipe as
JSON of at most ${maximumInlineRecipe} bytes. The same limits apply. Its name is \`${inlineRecipeName}\`.

\`\`\`sh
curl -F file=@photo.jpg -F 'recipe={"variants":{"icon":{"steps":[{"resize":{"width":64}}],"encode":[{"webp":{}}]}}}' http://127.0.0.1:3000/v1/pictures
\`\`\``,
		`## Built-in recipes`,
		...recipes.map(
			(recipe) =>
				`### ${recipe.name}\n\n${recipe.doc}\n\nDigest ${code(recipe.digest)}.\n\n${fence('yaml', yaml({ recipes: { [recipe.name]: brief(recipe) } }))}`,
		),
	);
}

/** Formats that end at a size that pictures reach. */
const sides = encoders
	.flatMap((one) => ('maximumSide' in one && one.maximumSide < 100_000 ? [one] : []))
	.map(({ name, maximumSide }) => `${maximumSide.toLocaleString('en')} for ${code(name)}`)
	.join(', ');

function yaml(value: unknown): string {
	return stringify(value, { lineWidth: 120 });
}

/** The recipe as a user would write it. @throws Error if it would mean something else */
function brief(recipe: NamedRecipe): unknown {
	const { analyse, variants } = recipe.definition;
	const written = {
		...(analyse.length > 0 && { analyse }),
		variants: Object.fromEntries(
			Object.entries(variants).map(([name, { from, steps, encode, ...rest }]) => [
				name,
				{
					...(from !== undefined && { from }),
					...rest,
					...(steps.length > 0 && { steps: steps.map((step) => withoutDefaults(step, findOperation)) }),
					encode: encode.map((encoding) => withoutDefaults(encoding, findEncoder)),
				},
			]),
		),
	};
	if (parseRecipe(recipe.name, written).digest !== recipe.digest) {
		throw new Error(`The short form of recipe ${recipe.name} is another recipe.`);
	}
	return written;
}

function withoutDefaults(
	written: Readonly<Record<string, unknown>>,
	find: (name: string) => { readonly schema: z.ZodType } | undefined,
): Record<string, unknown> {
	return Object.fromEntries(
		Object.entries(written).map(([name, options]) => {
			const schema = find(name)?.schema;
			if (!(schema instanceof z.ZodObject)) throw new Error(`Expected an operation or encoder but found ${name}.`);
			const isDefault = ([option, value]: [string, unknown]) =>
				schema.shape[option]?.safeParse(undefined).data === value;
			return [name, Object.fromEntries(Object.entries(options as object).filter((entry) => !isDefault(entry)))];
		}),
	);
}

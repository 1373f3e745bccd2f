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
		`A recipe names the variants that are made of a picture. \`PICPIPE_RECIPES\` is the name of a YAML or JSON file with recipes; they are
added to the built-in ones below and replace those of the same name. An upload that names no recipe gets \`PICPIPE_DEFAULT_RECIPE\`.`,
		`## The file

It holds \`recipes\`, by name. The API watches it: a change is taken over about a second after the last write, without a restart, when
all of it is valid. When it is not, the recipes stay as they were, the log says what is wrong, and so does \`problem\` in
[\`GET /v1/recipes\`](http.md#get-v1recipes). A file that is not valid at the start ends the API with code 2. A picture keeps the recipe
that it was accepted with.`,
		`## What a recipe holds

- \`variants\`: up to \`${settings.maxVariants.variable}\` (${settings.maxVariants.default}) of them by name; names are 1 to 32 of
  \`a\`-\`z\`, \`0\`-\`9\` and \`_\`. Each has
  - \`from\`: the variant whose pixels it begins with: the result of all its steps, before it is encoded. The original when absent,
  - \`page\`: the page of a TIFF that it begins with, counted from 1; the first when absent. Of an animation from 2 on that frame, as a still. A picture without it
    fails as \`no-such-page\`,
  - \`steps\`: up to \`${settings.maxSteps.variable}\` (${settings.maxSteps.default}) [operations](operations.md#operations), in their order; none at all keeps the pixels as they are,
  - \`metadata\`: what its files say beside the pixels ([below](#metadata)); nothing when absent,
  - \`colour\`: \`srgb\`, \`p3\` or \`keep\` ([below](#colours)); \`srgb\` when absent,
  - \`encode\`: 1 to ${maximumEncodings} [encoders](operations.md#encoders), each format at most once, also among those that \`auto\` may choose. The first is what
    \`GET /v1/pictures/{id}/variants/{name}\` answers with; \`{name}.{format}\` chooses.
- \`analyse\`: what else to find out, of ${analysisKinds.map(code).join(', ')}.
- \`doc\`: a line about it, for people.

The formats are ${encoders.map(({ name }) => code(name)).join(', ')}. Variants are always upright, and in sRGB and without metadata unless a recipe says otherwise.`,
		`## What comes in

${inputFormats.map(code).join(', ')}, and \`svg\` where \`${settings.svg.variable}\` is \`true\`. The bytes decide which it is.

- Animated GIF and WebP stay animated where a variant is written as one of the two; APNG, and collections in AVIF and HEIC, count as their first picture.
- A TIFF has \`facts.frames\` pages. Each has a size of its own; \`page\` chooses, and facts and analysis are about the first.
- An SVG is drawn with the fonts of the machine. It may refer to its own parts, and to PNGs and JPEGs that it holds as base64; anything else that would
  be drawn, and entities of its own, are refused as \`unsupported-feature\`. Its size is what browsers take (the view box where width and height are
  missing), or as much of it as the limits allow. A first step \`resize\` that enlarges gets a drawing of that size. The original is only served to be saved.`,
		`## Metadata

\`\`\`yaml
metadata: copyright                 # strip, copyright or keep
metadata: { mode: keep, gps: true, set: { copyright: © 2026 Ann Example } }
\`\`\`

- \`strip\`: nothing, which is the default.
- \`copyright\`: who made the picture and who holds which rights, as the EXIF or XMP of the original says it.
- \`keep\`: also the description, camera, lens, exposure and times of its EXIF. Never kept are the orientation (it was applied), thumbnails (they show what a
  crop was to hide), notes of the camera's maker, other properties of XMP, and IPTC.
- \`gps: true\`, with \`keep\` alone: also where it was taken. Nothing else brings a place into a variant.
- \`set\`: \`artist\`, \`copyright\` and \`description\` in every variant, whatever the original says.

Words are written as EXIF, which is ASCII (\`©\` becomes \`(C)\`, and what has no likeness is left out), and as XMP, which has every letter. A TIFF has XMP alone, a GIF nothing.`,
		`## Colours

- \`srgb\`: colours are converted, and look alike everywhere. The default.
- \`p3\`: Display P3 for an original with an RGB profile of its own, so that a phone's greens stay as green as they were; it is converted with 16 bits a
  channel. Others become sRGB, of which P3 would show nothing more.
- \`keep\`: the numbers and the RGB profile of the original; sRGB where it has none, or one of grey or of inks.

The profile is part of the file. Colours that steps name, and pictures and text that they lay over it, are taken as numbers in that space. Animations are always
sRGB. A variant that begins with another has its colours.`,
		`## Changing a recipe

A variant's file is named after a digest of the original, the steps and the encoding, so two recipes that ask for the same get the same
file, and defaults count as if they were written out. Steps count from the original, through every \`from\`.

Pictures are not made again by themselves when the file changes. \`POST /v1/pictures/{id}/process\` does it for one picture, and
\`picpipe reprocess\` for all of them or those of one recipe. Both make only the variants whose digest has changed or whose file is
gone, keep the others, and delete what is no longer named; until then the old variants are served.`,
		`## A recipe of a request

Where \`PICPIPE_INLINE_RECIPES\` is \`true\`, the field \`recipe\` of an upload, and of \`POST /v1/pictures/{id}/process\`, may hold a whole recipe as
JSON, at most ${maximumInlineRecipe} bytes, within the same limits. Its name is \`${inlineRecipeName}\`.

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

function yaml(value: unknown): string {
	return stringify(value, { lineWidth: 120 });
}

/** The recipe as a person would write it. @throws Error if it would mean something else */
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

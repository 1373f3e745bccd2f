import { integer, optional, plainText, setting, yesOrNo } from './kinds.ts';

/** Recipes and the limits on them. */
export const recipes = {
	title: 'Recipes',
	settings: {
		recipesFile: optional(
			'PICPIPE_RECIPES',
			plainText('a file'),
			'YAML or JSON file of recipes. They extend the built-in recipes and replace those of the same name.',
		),
		assetsFolder: optional(
			'PICPIPE_ASSETS',
			plainText('a folder'),
			'Folder of pictures that recipes use by file name, such as the logo of a `watermark`. API and workers read it.',
		),
		defaultRecipe: setting(
			'PICPIPE_DEFAULT_RECIPE',
			plainText('the name of a recipe'),
			'web',
			'Recipe of uploads that name none.',
		),
		inlineRecipes: setting(
			'PICPIPE_INLINE_RECIPES',
			yesOrNo,
			'false',
			'Accepts recipes in upload requests, as JSON in the field `recipe`. Clients then decide how much work a picture takes.',
		),
		maxVariants: setting(
			'PICPIPE_MAX_VARIANTS',
			integer(1, 1_000, 'variants'),
			50,
			'Maximum variants of a recipe, in the recipes file and in requests.',
		),
		maxSteps: setting(
			'PICPIPE_MAX_STEPS',
			integer(1, 1_000, 'steps'),
			50,
			'Maximum steps of a variant, in the recipes file and in requests.',
		),
		maxOutputDimension: setting(
			'PICPIPE_MAX_OUTPUT_DIMENSION',
			integer(1, 1_000_000, 'pixels'),
			30_000,
			'Maximum width or height of a variant. Formats have limits of their own, such as 16383 for WebP.',
		),
	},
	notes: [
		`picpipe watches the recipes file. A change takes effect once the whole file is valid; otherwise the previous recipes stay in effect and the log
gives the reason.`,
	],
} as const;

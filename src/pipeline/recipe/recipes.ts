import { readFile } from 'node:fs/promises';
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml';
import * as z from 'zod';
import { describeProblems } from '../../domain/problems.ts';
import { inlineRecipeName, type NamedRecipe, type RecipeLimits } from '../../domain/recipe.ts';
import { builtInRecipes } from './built-in.ts';
import { parseRecipe, RecipeError } from './parse-recipe.ts';

/** URL dialects that have presets. */
const dialects = ['imgproxy', 'ipx', 'cloudinary'] as const;
const presetsSchema = z.record(
	z.string().regex(/^[\w-]{1,64}$/, 'expected 1 to 64 letters, digits, _ and -'),
	z.string().max(2_000, 'expected at most 2000 characters'),
);
const fileSchema = z.strictObject({
	recipes: z.record(z.string(), z.unknown()).default({}),
	presets: z.partialRecord(z.enum(dialects), presetsSchema).default({}),
});

/** Presets of URLs by dialect: a name and the options that it stands for. */
export type DialectPresets = Readonly<Record<(typeof dialects)[number], ReadonlyMap<string, string>>>;

/** The content of a recipes file, and the built-in recipes. */
export interface LoadedRecipes {
	readonly recipes: ReadonlyMap<string, NamedRecipe>;
	readonly presets: DialectPresets;
}

/**
 * Loads the built-in recipes and those of a YAML or JSON file, which take precedence.
 *
 * @param limits limits on the recipes of the file
 * @throws RecipeError `invalid-recipe` if the file cannot be read or is invalid, with the file, line and column of every problem
 */
export async function loadRecipes(
	file: string | undefined,
	limits?: RecipeLimits,
): Promise<ReadonlyMap<string, NamedRecipe>> {
	return (await loadRecipesFile(file, limits)).recipes;
}

/** Returns the problems of presets, which only the dialects understand. */
export type CheckPresets = (presets: DialectPresets) => readonly string[];

/** Like `loadRecipes`, with the presets of URLs. @throws as `loadRecipes` */
export async function loadRecipesFile(
	file: string | undefined,
	limits?: RecipeLimits,
	checkPresets: CheckPresets = () => [],
): Promise<LoadedRecipes> {
	const own = new Map(Object.entries(builtInRecipes).map(([name, recipe]) => [name, parseRecipe(name, recipe)]));
	if (file === undefined) return { recipes: own, presets: presetsOf({}) };
	const written = await readRecipesFile(file);
	const problems: string[] = [];
	const recipes = new Map(own);
	for (const [name, recipe] of Object.entries(written.content.recipes)) {
		try {
			if (name === inlineRecipeName) throw new RecipeError('invalid-recipe', [reservedName]);
			recipes.set(name, parseRecipe(name, recipe, limits));
		} catch (error) {
			if (!(error instanceof RecipeError)) throw error;
			for (const text of error.problems) {
				problems.push(`${written.placeOf(`recipes.${name}.${text}`)}recipe ${JSON.stringify(name)}: ${text}`);
			}
		}
	}
	const presets = presetsOf(written.content.presets);
	problems.push(...checkPresets(presets).map((text) => written.placeOf(text) + text));
	if (problems.length > 0) throw new RecipeError('invalid-recipe', problems);
	return { recipes, presets };
}

function presetsOf(written: z.infer<typeof fileSchema>['presets']): DialectPresets {
	const of = (dialect: (typeof dialects)[number]) => new Map(Object.entries(written[dialect] ?? {}));
	return { imgproxy: of('imgproxy'), ipx: of('ipx'), cloudinary: of('cloudinary') };
}

const reservedName = `name: expected another one, because ${inlineRecipeName} is reserved for recipes that come with a request`;

/** A file as written, and the places of its values. */
interface WrittenFile {
	readonly content: z.infer<typeof fileSchema>;
	/** Where the value is that a problem begins with the path of, such as `recipes.yaml:3:7: `; its parent's if it is missing. */
	readonly placeOf: (problem: string) => string;
}

async function readRecipesFile(file: string): Promise<WrittenFile> {
	const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
		const problem = error.code === 'ENOENT' ? 'expected a recipes file but there is none' : error.message;
		throw new RecipeError('invalid-recipe', [`${file}: ${problem}`]);
	});
	const lines = new LineCounter();
	// JSON is YAML too.
	const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
	const place = (offset: number) => {
		const { line, col } = lines.linePos(offset);
		return `${file}:${line}:${col}: `;
	};
	if (document.errors.length > 0) {
		throw new RecipeError(
			'invalid-recipe',
			document.errors.map(({ message, pos }) => place(pos[0]) + message),
		);
	}
	const content: unknown = document.toJS();
	const placeOf = (problem: string) => place(offsetOf(document.contents, problem));
	const parsed = fileSchema.safeParse(content);
	if (parsed.success) return { content: parsed.data, placeOf };
	const problems = describeProblems(parsed.error, content, [], fileSchema);
	throw new RecipeError(
		'invalid-recipe',
		problems.map((text) => placeOf(text) + text),
	);
}

/** The offset of the deepest value in a document on the path that a text begins with, such as `recipes.shop.variants.a.steps[1].blur: …`. */
function offsetOf(contents: unknown, path: string): number {
	let [node, rest, offset] = [contents, path, 0];
	for (;;) {
		if (isMap(node)) {
			const pair = node.items.find(({ key }) => isScalar(key) && isNext(rest, String(key.value)));
			if (!pair || !isScalar(pair.key)) return offset;
			[node, rest] = [pair.value, rest.slice(String(pair.key.value).length).replace(/^\./, '')];
			offset = pair.key.range?.[0] ?? offset;
		} else if (isSeq(node)) {
			const [text = '', index] = /^\[(\d+)\]\.?/.exec(rest) ?? [];
			const item = index === undefined ? undefined : node.items[Number(index)];
			if (!isNode(item)) return offset;
			[node, rest] = [item, rest.slice(text.length)];
			offset = item.range?.[0] ?? offset;
		} else return offset;
	}
}

function isNext(path: string, key: string): boolean {
	return path.startsWith(key) && /^(?:[.[:]|$)/.test(path.slice(key.length));
}

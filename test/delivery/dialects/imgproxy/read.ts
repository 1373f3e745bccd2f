import type {
	DialectOptions,
	ImageRequest,
	RenderFormat,
	RenderPlan,
	SourceFacts,
} from '../../../../src/delivery/dialects/image-request.ts';
import { renderFormats } from '../../../../src/delivery/dialects/image-request.ts';
import { parseImgproxy } from '../../../../src/delivery/dialects/imgproxy.ts';
import { parseRecipe } from '../../../../src/pipeline/recipe/parse-recipe.ts';

export const id = 'pic_01jzkwp9nbe0tvahm2q4c8s6rd';
/** The pair of imgproxy's own examples. */
export const pair = {
	key: Buffer.from('943b421c9eb07c830af81030552c86009268de4e532ba2ee2eab8247c6da0881', 'hex'),
	salt: Buffer.from('520f986b998545b4785e0defbc4f3c1203f22de2374a3d53cb7a7fe9fea309c5', 'hex'),
};

export const photo: SourceFacts = { width: 4000, height: 3000, frames: 1, alpha: false, format: 'jpeg' };
export const drawing: SourceFacts = { width: 400, height: 300, frames: 1, alpha: true, format: 'png' };

export function dialect(presets: Readonly<Record<string, string>> = {}, presetsOnly = false): DialectOptions {
	return { presets: new Map(Object.entries(presets)), presetsOnly };
}

/** Options before a picture's id. */
export function parse(options: string, given = dialect()): ImageRequest {
	return parseImgproxy(`${options && '/'}${options}/plain/${id}`, given);
}

/** What is to be done to a picture, checked as the recipe that it becomes in every format. */
export function plan(options: string, source: SourceFacts = photo, given = dialect()): RenderPlan {
	return planOf(parse(options, given), source);
}

export function planOf({ target }: ImageRequest, source: SourceFacts): RenderPlan {
	if (target.kind !== 'render') throw new Error(`Expected a render but this is ${target.kind}.`);
	const made = target.plan(source);
	for (const format of renderFormats) parseRecipe('render', recipeOf(made, format));
	return made;
}

/** The recipe that delivery makes of a plan. */
export function recipeOf({ steps, page, orient, metadata, colour, encode }: RenderPlan, format: RenderFormat): unknown {
	const variant = {
		steps,
		...(page && { page }),
		...(orient === false && { orient }),
		...(metadata && { metadata }),
		...(colour && { colour }),
		encode: [{ [format]: encode?.(format) ?? {} }],
	};
	return { variants: { render: variant } };
}

import { parseCloudinary } from '../../../../src/delivery/dialects/cloudinary.ts';
import type {
	DialectOptions,
	RenderFormat,
	RenderPlan,
	SourceFacts,
} from '../../../../src/delivery/dialects/image-request.ts';
import { parseRecipe } from '../../../../src/pipeline/recipe/parse-recipe.ts';

/** Plans of the Cloudinary dialect, each of which has to be a recipe that is accepted. */

export const id = 'pic_01h455vb4pex5vsknk084sn02q';
export const plainOptions: DialectOptions = { presets: new Map() };
/** A photograph of 400 × 300. */
export const photographFacts: SourceFacts = { width: 400, height: 300, frames: 1, alpha: false, format: 'jpeg' };

export interface Asked {
	readonly facts?: Partial<SourceFacts>;
	readonly options?: DialectOptions;
	/** With its dot. */
	readonly extension?: string;
}

/** @param transformation as it stands in an address; may be empty */
export function planOf(
	transformation: string,
	{ facts, options = plainOptions, extension = '' }: Asked = {},
): RenderPlan {
	const path = `/demo/image/upload/${transformation}${transformation && '/'}${id}${extension}`;
	return planOfPath(path, { ...photographFacts, ...facts }, options);
}

export function planOfPath(path: string, facts: SourceFacts, options: DialectOptions): RenderPlan {
	const { target } = parseCloudinary(path, options).image;
	if (target.kind !== 'render') throw new Error('Expected a render.');
	const plan = target.plan(facts);
	for (const format of ['jpeg', 'png', 'webp', 'avif', 'gif', 'tiff'] as const) recipeOf(plan, format);
	return plan;
}

/** The recipe that a plan stands for. @throws when it is none that is accepted */
export function recipeOf({ steps, encode, page, metadata }: RenderPlan, format: RenderFormat) {
	return parseRecipe('render', {
		variants: {
			render: {
				steps,
				encode: [{ [format]: encode?.(format) ?? {} }],
				...(page !== undefined && { page }),
				...(metadata !== undefined && { metadata }),
			},
		},
	}).definition;
}

import type { Recipe } from '../../domain/recipe.ts';
import type { Asset } from '../../operations/operation.ts';
import { asStored, type Inspected } from '../inspect/inspect.ts';
import type { Pixels } from '../pixels/pixels.ts';
import type { Level } from '../plan/levels.ts';
import type { PipelineListener } from './events.ts';
import type { Lanes } from './lanes.ts';
import type { Report } from './report.ts';

/** A picture that steps use, and the digest of the file that it was read from. */
export interface KnownAsset extends Asset {
	readonly sha256: string;
}

export interface PipelineInput {
	/** The original. */
	readonly file: Buffer;
	/** SHA-256 of the original. */
	readonly sha256: string;
	/** What `openPages` said about it. */
	readonly picture: Inspected;
	/** Likewise about the other pages that the recipe takes, by number. */
	readonly further?: ReadonlyMap<number, Inspected>;
	/** A recipe that `parseRecipe` returned. */
	readonly recipe: Recipe;
	/** The work that `openPages` has planned for it. */
	readonly levels: readonly Level[];
	/** The other pictures that the recipe's steps name (`assetsOf`). */
	readonly assets?: ReadonlyMap<string, KnownAsset>;
	/** A copy of the picture is wanted, to make other sizes of it: one that is made, or the one that is there already. */
	readonly copying?: { readonly known?: Pixels | undefined };
	/** Steps that may run side by side; 1 is best when other pictures keep the cores busy. */
	readonly lanes: number;
}

/** What all variants of a picture share while they are made. */
export interface VariantWork {
	readonly input: PipelineInput;
	readonly report: Report;
	readonly listener: PipelineListener;
	readonly lanes: Lanes;
}

/** For recipes that name no other picture. */
export const noAssets: ReadonlyMap<string, KnownAsset> = new Map();

/** The page of the original that something is made of, as it shall lie. */
export function pageOf(
	{ picture, further }: PipelineInput,
	{ page, isUpright }: Pick<Level, 'page' | 'isUpright'>,
): Inspected {
	const found = page === picture.page ? picture : further?.get(page);
	if (!found) throw new TypeError(`Expected to know page ${page}.`);
	return isUpright ? found : asStored(found);
}

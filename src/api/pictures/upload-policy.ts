import type { z } from 'zod';
import { type Caller, requireRecipe } from '../../access/caller.ts';
import type { NamedRecipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { type Admitted, admitUnlessThere } from '../../intake/duplicates.ts';
import { discardUnlessShared, type Received } from '../../intake/receive.ts';
import type { Logger } from '../../observe/log.ts';
import { svgLimitsOf } from '../../pipeline/inspect/limits.ts';
import type { ApiContext } from '../context.ts';
import { parse, type UploadFields } from '../contract.ts';
import { chooseRecipe } from './choose-recipe.ts';
import type { UploadLimits } from './multipart.ts';
import { checkWebhook } from './webhook-field.ts';

/** What a caller may ask for when bringing pictures in: with a key what its list of recipes allows, with an upload token what stands in that. */

/**
 * The fields of an upload, with the recipe that they name.
 *
 * @throws PicpipeError as `parse`, `chooseRecipe` and `checkWebhook` do; `recipe-not-allowed`, `fixed-by-token`
 */
export function fieldsOf<T extends UploadFields>(
	context: ApiContext,
	caller: Caller,
	schema: z.ZodType<T>,
	{ token: _token, ...input }: Record<string, unknown>,
): Omit<T, 'recipe'> & { readonly recipe: NamedRecipe } {
	const fields = parse(schema, caller.grant ? fixedBy(caller.grant, input) : input);
	const recipe = chooseRecipe(context, fields.recipe);
	requireRecipe(caller, recipe.name);
	return { ...fields, recipe, webhook: checkWebhook(context, fields.webhook) };
}

/** Only the name of the file is left to whoever uploads: a priority would let strangers overtake, `duplicates` tell them what is there. */
function fixedBy(
	grant: NonNullable<Caller['grant']>,
	{ filename, ...rest }: Record<string, unknown>,
): Record<string, unknown> {
	const given = Object.entries(rest).find(([name, value]) => !(name === 'recipe' && value === grant.recipe));
	if (given) {
		const kept = given[0] === 'recipe' ? `"${grant.recipe}"` : 'nothing';
		throw new PicpipeError(
			'fixed-by-token',
			`Expected ${kept} for ${given[0]}, because the upload token decides it, but received a value.`,
		);
	}
	return {
		recipe: grant.recipe,
		tags: grant.tags,
		priority: String(grant.priority),
		...(grant.batch !== undefined && { batch: grant.batch }),
		...(filename !== undefined && { filename }),
	};
}

/** How large the caller's files may be, and how many in one upload. */
export function limitsOf({ config, metrics }: ApiContext, { grant }: Caller): UploadLimits {
	return {
		maxFiles: config.maxFiles,
		maxBytes: Math.min(config.maxBytes, grant?.maxBytes ?? config.maxBytes),
		svg: svgLimitsOf(config),
		onBytes: metrics.received,
	};
}

/**
 * Admits what was received if the caller may bring in another picture. What is not admitted is not counted, and discarded.
 *
 * @throws PicpipeError `quota-exceeded`, and what `admitUnlessThere` throws
 */
export async function admitFor(
	context: ApiContext,
	caller: Caller,
	received: Received,
	fields: Parameters<typeof admitUnlessThere>[2],
	log: Logger,
): Promise<Admitted> {
	const giveBack = await context.limiter.chargePicture(caller).catch(async (error) => {
		await discardUnlessShared(context.storage, received);
		throw error;
	});
	try {
		const admitted = await admitUnlessThere(context, received, fields, log);
		if (!admitted.isNew) await giveBack();
		return admitted;
	} catch (error) {
		await discardUnlessShared(context.storage, received);
		await giveBack();
		throw error;
	}
}

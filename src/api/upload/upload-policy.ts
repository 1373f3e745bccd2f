import type { z } from 'zod';
import { type Caller, requireRecipe } from '../../access/caller.ts';
import type { NamedRecipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { checkUrl } from '../../http/guard.ts';
import type { ReceiveLimits } from '../../intake/receive.ts';
import { svgLimitsOf } from '../../pipeline/inspect/limits.ts';
import type { ApiContext } from '../context.ts';
import { parse, type UploadFields } from '../contract.ts';
import { chooseRecipe } from './choose-recipe.ts';

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

/** Limits of the files of one upload. */
export interface UploadLimits extends ReceiveLimits {
	readonly maxFiles: number;
	/** Told of the bytes of files as they come. */
	readonly onBytes?: ((bytes: number) => void) | undefined;
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
 * Checks the webhook URL of an upload. Requests to it are signed with the secrets of the settings, so that the receiver can verify them; without
 * secrets the URL is refused.
 *
 * @throws PicpipeError `webhook-unsigned`, and what `checkUrl` throws
 */
export function checkWebhook({ webhooks }: ApiContext, url: string | undefined): string | undefined {
	if (url === undefined) return undefined;
	const { secrets, rules } = webhooks.settings;
	if (secrets.length === 0) {
		throw new PicpipeError(
			'webhook-unsigned',
			'Expected PICPIPE_WEBHOOK_SECRETS to be set for an upload with a webhook but there are none.',
		);
	}
	return checkUrl(url, rules).href;
}

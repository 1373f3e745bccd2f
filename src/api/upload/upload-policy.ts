import type { z } from 'zod';
import type { Caller } from '../../access/caller.ts';
import { cleanLabel, type Meta } from '../../domain/labels.ts';
import { urgentPriority } from '../../domain/picture.ts';
import type { NamedRecipe } from '../../domain/recipe.ts';
import { PicpipeError } from '../../errors.ts';
import { checkUrl } from '../../http/guard.ts';
import type { ReceiveLimits } from '../../intake/receive.ts';
import { svgLimitsOf } from '../../pipeline/inspect/limits.ts';
import type { ApiContext } from '../context.ts';
import { parse, type UploadFields } from '../contract.ts';
import { chooseRecipe } from './choose-recipe.ts';

/** What an upload may request: with a key, the recipes that it allows; with an upload token, what the token contains. */

/**
 * Reads the fields of an upload, with their recipe.
 *
 * @throws PicpipeError as `parse`, `chooseRecipe` and `checkWebhook`; `fixed-by-token`
 */
export async function fieldsOf<T extends UploadFields>(
	context: ApiContext,
	caller: Caller,
	schema: z.ZodType<T>,
	{ token: _token, ...input }: Record<string, unknown>,
): Promise<Omit<T, 'recipe'> & { readonly recipe: NamedRecipe }> {
	const fields = parse(schema, caller.grant ? fixedBy(caller.grant, input) : input);
	const recipe = await chooseRecipe(context, caller, fields.recipe);
	return { ...fields, recipe, webhook: checkWebhook(context, fields.webhook) };
}

/**
 * A token's user can only choose the file name and add metadata: with `priority`, strangers could jump the queue, and with `duplicates`,
 * learn what is stored.
 */
function fixedBy(
	grant: NonNullable<Caller['grant']>,
	{ filename, meta, ...rest }: Record<string, unknown>,
): Record<string, unknown> {
	const given = Object.entries(rest).find(([name, value]) => !(name === 'recipe' && value === grant.recipe));
	if (given) throw fixed(given[0], given[0] === 'recipe' ? `"${grant.recipe}"` : 'nothing');
	return {
		recipe: grant.recipe,
		tags: grant.tags,
		priority: grant.priority === urgentPriority ? 'urgent' : String(grant.priority),
		...(grant.batch !== undefined && { batch: grant.batch }),
		...(filename !== undefined && { filename }),
		...((meta || grant.meta) && { meta: addedTo(grant.meta ?? {}, meta ?? {}) }),
	};
}

/** @throws PicpipeError `fixed-by-token` for another value than the token has */
function addedTo(fixedMeta: Meta, given: object): object {
	for (const [key, value] of Object.entries(given)) {
		const name = cleanLabel(key);
		if (Object.hasOwn(fixedMeta, name) && fixedMeta[name] !== value) {
			throw fixed(`meta[${name}]`, JSON.stringify(fixedMeta[name]));
		}
	}
	return { ...given, ...fixedMeta };
}

function fixed(name: string, kept: string): PicpipeError {
	return new PicpipeError(
		'fixed-by-token',
		`Expected ${kept} for ${name}, because the upload token decides it, but received something else.`,
	);
}

/** Limits of the files of one upload. */
export interface UploadLimits extends ReceiveLimits {
	readonly maxFiles: number;
	/** Called with the bytes of files as they arrive. */
	readonly onBytes?: ((bytes: number) => void) | undefined;
}

/** The largest file of the caller, and the largest number of files in an upload. */
export function limitsOf({ config, metrics }: ApiContext, { grant }: Caller): UploadLimits {
	return {
		maxFiles: config.maxFiles,
		maxBytes: Math.min(config.maxBytes, grant?.maxBytes ?? config.maxBytes),
		svg: svgLimitsOf(config),
		onBytes: metrics.received,
	};
}

/**
 * Checks the webhook URL of an upload. The configured secrets sign requests to it, so that the receiver can verify them. Without secrets
 * the URL is refused.
 *
 * @throws PicpipeError `webhook-unsigned`, and as `checkUrl`
 */
export function checkWebhook({ webhooks }: ApiContext, url: string | undefined): string | undefined {
	if (url === undefined) return undefined;
	const { secrets, rules } = webhooks.settings;
	if (secrets.length === 0) {
		throw new PicpipeError(
			'webhook-unsigned',
			'Expected PICPIPE_WEBHOOK_SECRETS to be set for an upload with a webhook but there are none; `echo whsec_$(openssl rand -base64 32)` makes a secret.',
		);
	}
	return checkUrl(url, rules).href;
}

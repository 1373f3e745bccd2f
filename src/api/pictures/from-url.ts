import type { Request, Response } from 'express';
import { type Caller, requireRecipe } from '../../access/caller.ts';
import { requireOpenBatch } from '../../catalog/batch.ts';
import { digest } from '../../domain/digest.ts';
import { newPictureId } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { checkUrl } from '../../http/guard.ts';
import { type AdmitFields, admitUrl } from '../../intake/admit.ts';
import { fetchLimitsOf } from '../../intake/fetch.ts';
import type { Logger } from '../../observe/log.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { fetchBodySchema, parse, type RecipeField } from '../contract.ts';
import { chooseRecipe } from './choose-recipe.ts';
import type { Berth, Submission } from './idempotency.ts';
import { asRefusal, type Result } from './response.ts';
import { checkWebhook } from './webhook-field.ts';

/** `POST /v1/pictures` with JSON: pictures that are still to be fetched. An address that can't be asked is refused by itself. */
export async function takeUrls(context: ApiContext, request: Request, response: Response): Promise<Submission> {
	const caller = callerOf(response);
	if (caller.grant) {
		throw new PicpipeError(
			'insufficient-scope',
			'Expected a key but received an upload token, which is good for files and not for addresses.',
			{ scope: 'upload' },
		);
	}
	const misplaced = Object.keys(request.query);
	if (misplaced.length > 0) {
		throw new PicpipeError(
			'unknown-field',
			`Expected every field in the JSON body but received ${misplaced.join(', ')} in the address.`,
		);
	}
	const { url, urls = [], webhook, ...fields } = parse(fetchBodySchema, request.body);
	if (fields.batch !== undefined) await requireOpenBatch(context.storage, fields.batch);
	const wanted = { ...fields, webhook: checkWebhook(context, webhook), body: request.body };
	const submission = takeAddresses(context, response, { ...wanted, urls: url === undefined ? urls : [url] });
	return { ...submission, isList: url === undefined };
}

/** Pictures that are to be fetched, and what is asked for them. */
interface Addresses extends Omit<AdmitFields, 'recipe' | 'requestId'> {
	readonly urls: readonly string[];
	readonly recipe?: RecipeField | undefined;
	/** The whole body, to know the same request again. */
	readonly body: unknown;
}

/** @throws PicpipeError `too-many-files`, `recipe-not-allowed`, and what `chooseRecipe` throws */
export function takeAddresses(context: ApiContext, response: Response, wanted: Addresses): Submission {
	const caller = callerOf(response);
	const { urls, body, recipe: asked, ...fields } = wanted;
	const { maxFiles } = context.config;
	if (urls.length > maxFiles) {
		throw new PicpipeError(
			'too-many-files',
			`Expected at most ${maxFiles} addresses (PICPIPE_MAX_FILES) in one request but received ${urls.length}.`,
		);
	}
	const recipe = chooseRecipe(context, asked);
	requireRecipe(caller, recipe.name);
	const { requestId, log } = response.locals;
	const checked = urls.map((one) => ({ url: one, ...check(context, one) }));
	return {
		isList: true,
		fingerprint: { request: digest('json', body), files: [] },
		berths: checked.map(({ refused }) => (refused ? undefined : { id: newPictureId() })),
		async admit(berths) {
			const results: Result[] = [];
			for (const [at, { url, address, refused }] of checked.entries()) {
				const berth = berths[at];
				if (!address || !berth) results.push({ url, ...(refused && { refused }) });
				else {
					const made = await admitOne(context, caller, address, { ...fields, recipe, requestId }, berth, log);
					results.push({ url, ...made });
				}
			}
			return results;
		},
	};
}

function check({ config }: ApiContext, text: string): { readonly address?: URL; readonly refused?: PicpipeError } {
	try {
		return { address: checkUrl(text, fetchLimitsOf(config).rules) };
	} catch (error) {
		if (error instanceof PicpipeError) return { refused: error };
		throw error;
	}
}

async function admitOne(
	context: ApiContext,
	caller: Caller,
	url: URL,
	fields: AdmitFields,
	berth: Berth,
	log: Logger,
): Promise<Pick<Result, 'picture' | 'refused'>> {
	if (berth.picture) return { picture: berth.picture };
	try {
		const giveBack = await context.limiter.chargePicture(caller);
		try {
			return { picture: await admitUrl(context, url, fields, log, berth) };
		} catch (error) {
			await giveBack();
			throw error;
		}
	} catch (error) {
		return asRefusal(error);
	}
}

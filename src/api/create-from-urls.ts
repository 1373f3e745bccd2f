import type { Request, Response } from 'express';
import { type Caller, requireRecipe } from '../access/caller.ts';
import { PicpipeError } from '../errors.ts';
import { checkUrl } from '../http/guard.ts';
import { type AdmitFields, admitUrl } from '../intake/admit.ts';
import { fetchLimitsOf } from '../intake/fetch.ts';
import type { Logger } from '../observe/log.ts';
import { chooseRecipe } from './choose-recipe.ts';
import { type ApiContext, callerOf } from './context.ts';
import { fetchBodySchema, parse } from './contract.ts';
import { answer, asRefusal, type Result } from './created.ts';

/** `POST /v1/pictures` with JSON: pictures that are still to be fetched. An address that can't be asked is refused by itself. */
export async function createFromUrls(context: ApiContext, request: Request, response: Response): Promise<void> {
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
	const { url, urls = [], ...fields } = parse(fetchBodySchema, request.body);
	const { maxFiles } = context.config;
	if (urls.length > maxFiles) {
		throw new PicpipeError(
			'too-many-files',
			`Expected at most ${maxFiles} addresses (PICPIPE_MAX_FILES) in one request but received ${urls.length}.`,
		);
	}
	const recipe = chooseRecipe(context, fields.recipe);
	requireRecipe(caller, recipe.name);
	const { requestId, log } = response.locals;
	const results: Result[] = [];
	for (const one of url === undefined ? urls : [url]) {
		const made = await admitOne(context, caller, one, { ...fields, recipe, requestId }, log);
		results.push({ url: one, ...made });
	}
	await answer(context, request, response, results, url === undefined);
}

async function admitOne(
	context: ApiContext,
	caller: Caller,
	text: string,
	fields: AdmitFields,
	log: Logger,
): Promise<Pick<Result, 'picture' | 'refused'>> {
	let url: URL;
	try {
		url = checkUrl(text, fetchLimitsOf(context.config).rules);
	} catch (error) {
		if (error instanceof PicpipeError) return { refused: error };
		throw error;
	}
	try {
		const giveBack = await context.limiter.chargePicture(caller);
		try {
			return { picture: await admitUrl(context, url, fields, log) };
		} catch (error) {
			await giveBack();
			throw error;
		}
	} catch (error) {
		return asRefusal(error);
	}
}

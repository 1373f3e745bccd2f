import type { Request, Response } from 'express';
import { digest } from '../../domain/digest.ts';
import { newPictureId } from '../../domain/picture.ts';
import { PicpipeError } from '../../errors.ts';
import { checkUrl } from '../../http/guard.ts';
import { fetchLimitsOf } from '../../intake/fetch.ts';
import { type ApiContext, callerOf } from '../context.ts';
import { fetchBodySchema, parse, type RecipeField } from '../contract.ts';
import { requireJoinableBatch } from '../resolve.ts';
import { chooseRecipe } from './choose-recipe.ts';
import type { ReceivedUpload, UploadedUrl } from './upload.ts';
import { checkWebhook } from './upload-policy.ts';

/** Reads an upload of URLs from a JSON body. The pictures are fetched after they are created. */
export async function receiveUrlBody(
	context: ApiContext,
	request: Request,
	response: Response,
): Promise<ReceivedUpload> {
	const caller = callerOf(response);
	if (caller.grant) {
		throw new PicpipeError(
			'insufficient-scope',
			'Expected an API key but received an upload token, which accepts files and no URLs.',
			{ scope: 'upload' },
		);
	}
	const misplaced = Object.keys(request.query);
	if (misplaced.length > 0) {
		throw new PicpipeError(
			'unknown-field',
			`Expected every field in the JSON body but received ${misplaced.join(', ')} in the query.`,
		);
	}
	const { url, urls = [], webhook, ...fields } = parse(fetchBodySchema, request.body);
	if (fields.batch !== undefined) await requireJoinableBatch(context, caller, fields.batch);
	const upload = await receiveUrls(context, response, {
		...fields,
		webhook: checkWebhook(context, webhook),
		urls: url === undefined ? urls : [url],
		body: request.body,
	});
	return { ...upload, isList: url === undefined };
}

/** URLs to fetch pictures from, with the fields of the pictures. */
interface UrlFields extends Omit<ReceivedUpload['fields'], 'recipe'> {
	readonly urls: readonly string[];
	readonly recipe?: RecipeField | undefined;
	/** The whole body, to detect a different request with the same key. */
	readonly body: unknown;
}

/**
 * Checks URLs and gives each an id. A forbidden URL is refused individually.
 *
 * @throws PicpipeError `too-many-files`, and as `chooseRecipe`
 */
export async function receiveUrls(context: ApiContext, response: Response, given: UrlFields): Promise<ReceivedUpload> {
	const { urls, body, recipe: asked, ...fields } = given;
	const { maxFiles } = context.config;
	if (urls.length > maxFiles) {
		throw new PicpipeError(
			'too-many-files',
			`Expected at most ${maxFiles} URLs (PICPIPE_MAX_FILES) in one request but received ${urls.length}.`,
		);
	}
	const recipe = await chooseRecipe(context, callerOf(response), asked);
	return {
		isList: true,
		fingerprint: { request: digest('json', body), files: [] },
		items: urls.map((url) => checked(context, url)),
		fields: { ...fields, recipe },
	};
}

function checked({ config }: ApiContext, url: string): UploadedUrl {
	try {
		return { url, remote: { id: newPictureId(), url: checkUrl(url, fetchLimitsOf(config).rules) } };
	} catch (error) {
		if (error instanceof PicpipeError) return { url, refused: error };
		throw error;
	}
}

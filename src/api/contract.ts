import * as z from 'zod';
import { shortestToken } from '../access/upload-token.ts';
import { maximumDistance } from '../catalog/lists/similar.ts';
import { isBatchId } from '../domain/batch.ts';
import { cleanLabel, maximumTags, metaLimits, readMeta, tagPattern, tagSentence } from '../domain/labels.ts';
import { maximumPriority, namedPriorities, pictureStates } from '../domain/picture.ts';
import { namePattern } from '../domain/recipe.ts';
import { type ErrorCode, errorTable, failureClasses, PicpipeError } from '../errors.ts';
import { duplicatePolicies } from '../intake/duplicates.ts';
import { didYouMean } from '../suggestion.ts';

/** Fields of requests, in one place. The reference pages are generated from it. */

const tag = z.string().overwrite(cleanLabel).regex(tagPattern, tagSentence);
/** Not a record of zod, which drops `__proto__` without a word. */
const meta = z
	.unknown()
	.transform((given, context) => {
		const read = readMeta(given);
		if ('meta' in read) return read.meta;
		context.addIssue(read.problem);
		return z.NEVER;
	})
	.meta({ type: 'object' });
const metaBounds = `At most ${metaLimits.entries} names of ${metaLimits.key} characters, ${metaLimits.value} bytes for a value, and ${metaLimits.total} bytes in all.`;
/** Longest inline recipe, bytes of JSON; also the longest value of a form field. */
export const maximumInlineRecipe = 8 * 1024;
const recipeName = z.string().regex(namePattern, 'expected the name of a recipe');
/** A name, or a recipe as JSON, which starts with a brace. */
const recipeText = z
	.string()
	.regex(/^([a-z0-9][a-z0-9_]{0,31}$|\s*\{)/, 'expected the name of a recipe, or a recipe as JSON');
const recipeDoc = 'Recipe name, or a recipe as JSON if `PICPIPE_INLINE_RECIPES` is set';

/** An integer written as text. */
export const wholeNumber = (
	minimum: number,
	maximum: number,
	expected = `expected an integer from ${minimum} to ${maximum}`,
) =>
	z
		.string()
		.regex(/^\d{1,9}$/, expected)
		.transform(Number)
		.refine((value) => value >= minimum && value <= maximum, expected);

const expectedPriority = `expected urgent, normal, bulk, or an integer from 0 to ${maximumPriority}`;
const priorityDoc =
	'`urgent` overtakes everything that waits. `normal` (0) comes next, then 1 to 1000 in this order; `bulk` is 1000.';
const priorityName = z
	.enum(Object.keys(namedPriorities) as (keyof typeof namedPriorities)[])
	.transform((name) => namedPriorities[name]);
/** Of forms, where everything is text. -1 for `urgent`. */
const priorityText = z.union([priorityName, wholeNumber(0, maximumPriority, expectedPriority)], expectedPriority);
/** Of JSON bodies. */
const priority = z.union(
	[priorityName, z.int().min(0, expectedPriority).max(maximumPriority, expectedPriority)],
	expectedPriority,
);

/** Longest URL of a webhook, characters. */
const maximumWebhookUrl = 2_048;
export const webhookUrl = z
	.string('expected a URL')
	.min(1, 'expected a URL')
	.max(maximumWebhookUrl, `expected a URL of at most ${maximumWebhookUrl} characters`);
/** A cursor that is a number. */
export const cursorOfNumber = wholeNumber(0, 999_999_999);
const webhookDoc =
	'URL notified about this picture, in addition to the endpoints. Signed with `PICPIPE_WEBHOOK_SECRETS`; refused without secrets.';

const batch = z.string().refine(isBatchId, 'expected the id of a batch');
const batchDoc = 'Id of an open batch that the picture joins.';

/** Fields of an upload: form fields of a multipart body, or query parameters of a raw one. */
export const uploadFieldsSchema = z.strictObject({
	recipe: recipeText.optional().describe(`${recipeDoc}; the default recipe when absent.`),
	tags: z
		.union([z.string(), z.array(z.string())])
		.optional()
		.transform((given) => [...new Set([given ?? []].flat().join(',').split(',').map(cleanLabel).filter(Boolean))])
		.pipe(z.array(tag).max(maximumTags, `expected at most ${maximumTags} tags`))
		.describe('Tags, separated by commas. The field can be repeated.'),
	meta: meta
		.optional()
		.describe(`Metadata of your own, shown with the picture: \`meta[name]=value\` for each. ${metaBounds}`),
	priority: priorityText.default(0).describe(priorityDoc),
	duplicates: z
		.enum(duplicatePolicies)
		.default('accept')
		.describe(
			'What happens to bytes that are already stored: `accept` makes another picture, `refuse` answers `duplicate-picture`, `link` and `dedupe` give the stored one.',
		),
	webhook: webhookUrl.optional().describe(webhookDoc),
	batch: batch.optional().describe(batchDoc),
});
export type UploadFields = z.output<typeof uploadFieldsSchema>;

/** A raw body has no part headers, so its file name comes as a parameter. */
export const rawUploadFieldsSchema = uploadFieldsSchema.extend({
	filename: z.string().optional().describe('File name, for display.'),
	token: z
		.string()
		.optional()
		.describe(
			'Upload token, if it cannot be sent as `Authorization: Bearer <token>`. Always a query parameter, with a form too.',
		),
});

/** Fields of a resumable upload, in `Upload-Metadata`. */
export const uploadMetadataSchema = uploadFieldsSchema.extend({ filename: rawUploadFieldsSchema.shape.filename });

/** Default lifetime of an upload token, seconds. */
export const defaultTokenSeconds = 900;

export const uploadTokenBodySchema = z.strictObject({
	recipe: recipeName.optional().describe('Recipe of the uploads; the default recipe when absent.'),
	tags: uploadFieldsSchema.shape.tags,
	meta: meta.optional().describe('Metadata of the uploads. Uploads can add to it, and not change it.'),
	priority: priority.default(0).describe(`Priority of the uploads: ${priorityDoc}`),
	batch: batch.optional().describe('Id of the batch that the uploads join. It must be open when the token is created.'),
	maxBytes: z.int().min(1).optional().describe('Largest file in bytes; `PICPIPE_MAX_BYTES` at most and when absent.'),
	maxPictures: z
		.int()
		.min(1)
		.max(10_000)
		.optional()
		.describe('Total number of pictures; `PICPIPE_MAX_FILES` when absent.'),
	expiresIn: z
		.int()
		.min(shortestToken)
		.optional()
		.describe(
			`Seconds in which uploads can begin; ${defaultTokenSeconds} when absent, \`PICPIPE_UPLOAD_TOKEN_SECONDS\` at most.`,
		),
});

/** Longest URL to fetch a picture from, in characters. Signed URLs of cloud storage have up to 2,500. */
const maximumUrl = 4_096;
const remoteUrl = z
	.string('expected a URL')
	.min(1, 'expected a URL')
	.max(maximumUrl, `expected a URL of at most ${maximumUrl} characters`);

/** Fields of pictures to fetch, shared by the requests that have them. */
export const fetchFields = {
	remoteUrl,
	recipe: z
		.union([recipeText, z.record(z.string(), z.unknown())], 'expected the name of a recipe, or a recipe')
		.optional()
		.describe(`${recipeDoc} or as an object; the default recipe when absent.`),
	tags: uploadFieldsSchema.shape.tags.describe('Tags, as a list or separated by commas.'),
	meta: meta.optional().describe(`Metadata of your own, texts by name. ${metaBounds}`),
	priority: priority.default(0).describe(priorityDoc),
};

/** An upload by URL. */
export const fetchBodySchema = z
	.strictObject({
		url: remoteUrl.optional().describe('URL of a picture, `https` or `http`.'),
		urls: z
			.array(remoteUrl)
			.min(1, 'expected at least one URL')
			.optional()
			.describe('URLs of several pictures, instead of `url`; `PICPIPE_MAX_FILES` at most.'),
		recipe: fetchFields.recipe,
		tags: fetchFields.tags,
		meta: fetchFields.meta,
		priority: fetchFields.priority,
		webhook: webhookUrl.optional().describe(webhookDoc),
		batch: batch.optional().describe(batchDoc),
	})
	.refine(({ url, urls }) => (url === undefined) !== (urls === undefined), {
		path: ['url'],
		message: 'expected either url or urls, and not both',
	});

const errorCode = z
	.string()
	.refine((text) => Object.hasOwn(errorTable, text), 'expected the code of an error, as the errors page lists them')
	.transform((text) => text as ErrorCode);

export const pageQuerySchema = z.strictObject({
	limit: wholeNumber(1, 200).default(50).describe('Number of pictures per page.'),
	cursor: z.string().optional().describe('`next` of the previous page.'),
});

/** Most pictures of a page with `view=full`: each costs a read of its manifest. */
export const mostFullPictures = 50;

const instant = z.iso.datetime({ offset: true, error: 'expected a time such as 2026-01-31T12:00:00Z' });

export const tagsQuerySchema = z.strictObject({
	prefix: z.string().max(64).optional().describe('Only tags that begin so.'),
	limit: wholeNumber(1, 200).default(50).describe('Number of tags per page.'),
	cursor: wholeNumber(0, 999_999_999).optional().describe('`next` of the previous page.'),
});

export const listQuerySchema = z.strictObject({
	state: z.enum(pictureStates).optional().describe('Only pictures in this state.'),
	tag: tag.optional().describe('Only pictures with this tag.'),
	recipe: recipeName.optional().describe('Only pictures of this recipe.'),
	batch: batch.optional().describe('Only pictures of this batch.'),
	owner: z
		.string()
		.regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'expected an owner: the group of a key, local, settings or watch')
		.optional()
		.describe('Only pictures of this owner. A key with `upload` alone sees no others.'),
	failures: z
		.literal('true')
		.transform(() => true as const)
		.optional()
		.describe('Only pictures with failures: failed ones, and ready ones that lack variants.'),
	class: z.enum(failureClasses).optional().describe('Only pictures with a failure of this class.'),
	code: errorCode.optional().describe('Only pictures with a failure of this [code](errors.md#codes).'),
	since: instant.optional().describe('Only pictures that were created at this time or later.'),
	until: instant.optional().describe('Only pictures that were created before this time.'),
	filename: z
		.string()
		.min(1)
		.max(200)
		.optional()
		.describe('Only pictures whose file name begins so, ordered by name. ASCII letters match in any case.'),
	view: z
		.enum(['summary', 'full'])
		.default('summary')
		.describe(`\`full\` lists whole pictures, at most ${mostFullPictures} per page.`),
	...pageQuerySchema.shape,
});

export const retryFailuresSchema = z.strictObject({
	class: z.enum(failureClasses).optional().describe('Only pictures with a failure of this class.'),
	code: errorCode.optional().describe('Only pictures with a failure of this [code](errors.md#codes).'),
	limit: z.int().min(1).max(10_000).default(1_000).describe('Number of pictures queued by one call.'),
});

export const similarQuerySchema = z.strictObject({
	distance: wholeNumber(0, maximumDistance)
		.default(10)
		.describe(
			'Bits of the perceptual hash that may differ: 0 to 3 for the same picture, up to about 10 for near-duplicates.',
		),
	limit: wholeNumber(1, 100).default(20).describe('Number of pictures in the answer.'),
});

export const processBodySchema = z.strictObject({
	recipe: z
		.union([recipeText, z.record(z.string(), z.unknown())], 'expected the name of a recipe, or a recipe')
		.optional()
		.describe(`${recipeDoc} or as an object; the current version of the picture's recipe when absent.`),
	force: z
		.boolean('expected true or false')
		.default(false)
		.describe('Make every variant again, even those that are up to date.'),
});
/** The recipe that a request names. */
export type RecipeField = NonNullable<z.output<typeof processBodySchema>['recipe']>;

export const cleanBodySchema = z.strictObject({
	state: z.enum(['completed', 'failed']).default('completed').describe('State of the jobs to remove.'),
	olderThan: z.int().min(0).default(0).describe('Minimum age: seconds since the job ended.'),
	limit: z.int().min(1).max(100_000).default(1_000).describe('Number of jobs removed by one call.'),
});

/** Longest allowed `Prefer: wait=N`, seconds. */
export const maximumWait = 120;

/** Seconds of `Prefer: wait=N` (RFC 7240), at most `maximumWait`; 0 if absent. */
export function preferredWait(prefer: string | undefined): number {
	const wait = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?:$|[,;])/i.exec(prefer ?? '')?.[1];
	return Math.min(Number(wait ?? 0), maximumWait);
}

/**
 * Checks the input of a request against a schema.
 *
 * @throws PicpipeError `unknown-field` or `invalid-field`, with the field, the expected and the received value
 */
export function parse<T>(schema: z.ZodType<T>, input: Record<string, unknown>): T {
	const result = schema.safeParse(input);
	if (result.success) return result.data;
	const [issue] = result.error.issues;
	if (issue?.code === 'unrecognized_keys') {
		const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
		const received = issue.keys.map((key) => key + didYouMean(key, known)).join(', ');
		throw new PicpipeError('unknown-field', `Expected only ${known.join(', ')} but received ${received}.`);
	}
	const name = String(issue?.path[0] ?? 'body');
	// A secret may be right but for one character.
	const isSecret = schema instanceof z.ZodObject && schema.shape[name]?.meta()?.writeOnly === true;
	const received = isSecret ? 'something else' : JSON.stringify(input[name])?.slice(0, 100);
	throw new PicpipeError('invalid-field', `${name}: ${issue?.message}, received ${received}.`);
}

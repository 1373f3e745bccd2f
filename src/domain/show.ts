import { isErrorCode, nextStepOf } from '../errors.ts';
import { type Failure, failuresOf, isReceived, type Picture, pictureSchema, type Source, shownUrl } from './picture.ts';
import { knownPart } from './stored.ts';

/**
 * A picture as the API and webhooks show it: no storage keys, no recipe text, URLs without their queries, and links relative to the API.
 * Unknown fields of a newer version are left out, because this version cannot know whether they may be shown.
 */
export function showPicture(picture: Picture) {
	const {
		version: _version,
		requestId: _requestId,
		analysisDigest: _analysisDigest,
		...shown
	} = knownPart<Picture>(pictureSchema, picture);
	const { recipe, source, variants, force: _force, webhook, ...rest } = shown;
	const { type, bytes, sha256 } = isReceived(picture) ? picture.source : ({} as Partial<Source>);
	const { filename, url } = source;
	const self = `/v1/pictures/${picture.id}`;
	return {
		...rest,
		/** What to do about each failure, by its code; absent without failures. */
		next: nextStepsOf(failuresOf(picture)),
		source: {
			type,
			bytes,
			sha256,
			filename,
			/** The URL of the original, without the query, which may contain a signature. */
			url: url === undefined ? undefined : shownUrl(url),
		},
		recipe: { name: recipe.name, digest: recipe.digest },
		/** The webhook for this picture alone, also without the query. */
		webhook: webhook === undefined ? undefined : shownUrl(webhook),
		variants: variants.map(({ key: _key, ...variant }) => ({
			...variant,
			url: `${self}/variants/${variant.name}.${variant.format}`,
		})),
		links: {
			self,
			...(isReceived(picture) && { original: `${self}/original` }),
			variants: Object.fromEntries(
				Object.keys(recipe.definition.variants).map((name) => [name, `${self}/variants/${name}`]),
			),
			retry: `${self}/retry`,
			process: `${self}/process`,
			...(picture.analysis.phash && { similar: `${self}/similar` }),
		},
	};
}

/** What to do about each failure, by its code; undefined if there is none. An unknown code of a newer version has no advice. */
export function nextStepsOf(failures: readonly Failure[]): Readonly<Record<string, string>> | undefined {
	const codes = failures.flatMap(({ code }) => (isErrorCode(code) ? code : []));
	return codes.length === 0 ? undefined : Object.fromEntries(codes.map((code) => [code, nextStepOf(code)]));
}

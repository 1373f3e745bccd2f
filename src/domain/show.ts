import { isReceived, type Picture, pictureSchema, type Source, shownUrl } from './picture.ts';
import { knownPart } from './stored.ts';

/**
 * A picture as it is shown to the outside, by the API and in webhooks: no storage keys, no recipe text, addresses without their queries, and links
 * to go on, relative to the API. Of what a newer version has stored nothing: nobody has said yet whether it may be seen.
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
		source: {
			type,
			bytes,
			sha256,
			filename,
			/** Where it was fetched from, or will be; without the query, which may hold a signature. */
			url: url === undefined ? undefined : shownUrl(url),
		},
		recipe: { name: recipe.name, digest: recipe.digest },
		/** Who is told of this picture alone; likewise without the query. */
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

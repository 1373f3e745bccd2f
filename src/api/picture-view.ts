import { parse } from 'node:path';
import type { Request } from 'express';
import type { PictureSummary } from '../catalog/lists/summary.ts';
import type { Picture } from '../domain/picture.ts';
import { nextStepsOf, showPicture } from '../domain/show.ts';
import { type ElementVariant, pictureElement } from '../pipeline/analysis/element.ts';
import { arenaJobPath, jobOf } from '../queue/jobs.ts';
import type { ApiContext } from './context.ts';

/** Arena's URL from the client's point of view, without a trailing slash. */
export function arenaOf(context: ApiContext, request: Request): string {
	const { arenaHost, arenaPort, arenaUrl } = context.config;
	if (arenaUrl !== undefined) return arenaUrl.replace(/\/+$/, '');
	// If Arena listens on every interface of its machine, the host of this request is the best guess.
	const host = /^(0\.0\.0\.0|::)$/.test(arenaHost) ? request.hostname : arenaHost;
	return `http://${host.includes(':') ? `[${host}]` : host}:${arenaPort}`;
}

/** Creates the view of pictures for the sender of this request. */
export function viewOf(context: ApiContext, request: Request) {
	const arena = arenaOf(context, request);
	return (picture: Picture) => {
		const { queue, id } = jobOf(picture);
		const shown = pictureView(picture, { jobUrl: arena + arenaJobPath(queue, id) });
		// An upload token is in the hands of a stranger, whom the names of groups and keys do not concern.
		return request.res?.locals.caller?.grant ? { ...shown, owner: undefined } : shown;
	};
}

export interface ViewOptions {
	/** URL of the picture's job in Arena. */
	readonly jobUrl: string;
}

/** A picture as the API shows it: the public view, with its `<picture>` element and the URL of its job in Arena. */
export function pictureView(picture: Picture, options: ViewOptions) {
	const shown = showPicture(picture);
	const element = elementOf(picture, shown.variants);
	return {
		...shown,
		analysis: { ...shown.analysis, ...(element && { element }) },
		links: { ...shown.links, job: options.jobUrl },
	};
}

/** The `<picture>` element, if the recipe asks for it and there are variants. */
function elementOf(picture: Picture, variants: readonly ElementVariant[]): string | undefined {
	if (!picture.recipe.definition.analyse.includes('element')) return undefined;
	const { placeholder, opaque } = picture.analysis;
	// Behind transparent pixels the placeholder would stay visible.
	const isOpaque = opaque ?? picture.facts?.alpha === false;
	return pictureElement({
		variants,
		alt: parse(picture.source.filename ?? '').name,
		placeholder: isOpaque ? placeholder : undefined,
	});
}

/**
 * A picture in a list: the same names as in `pictureView`, and less of it. A variant has a `version`, which changes with its bytes, instead of
 * digests and times.
 */
export function summaryView({ id, recipe, variants, variantCount, ...rest }: PictureSummary) {
	const self = `/v1/pictures/${id}`;
	const { state, failure, failures = [] } = rest;
	const next = nextStepsOf(state === 'ready' ? failures : failure ? [failure] : []);
	return {
		id,
		...rest,
		/** What to do about each failure, by its code; absent without failures. */
		...(next && { next }),
		recipe: { name: recipe.name, digest: recipe.digest },
		variants: variants.map((one) => ({
			...one,
			type: `image/${one.format}`,
			url: `${self}/variants/${one.name}.${one.format}`,
		})),
		/** Number of all variants; `variants` has the first ones. */
		variantCount,
		links: {
			self,
			...(rest.source.sha256 !== undefined && { original: `${self}/original` }),
			variants: Object.fromEntries(recipe.variants.map((name) => [name, `${self}/variants/${name}`])),
			retry: `${self}/retry`,
			process: `${self}/process`,
			...(rest.analysis.phash && { similar: `${self}/similar` }),
		},
	};
}

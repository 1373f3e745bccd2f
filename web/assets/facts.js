/** @import { ListedVariant, Picture, Variant } from '../types/api.d.ts' */
/** @import { Api } from './api.js' */
import { el } from './dom.js';
import {
	addressOf,
	countOf,
	formatBytes,
	formatDuration,
	formatSize,
	formatTime,
	isFinished,
	lackedBy,
	shownVariants,
	stateWords,
} from './format.js';
import { placePlaceholder } from './placeholder.js';

/** The largest variant, over its placeholder. @param {Picture} picture @param {Api} api */
export function heroOf(picture, api) {
	const variant = shownVariants(picture).at(-1);
	if (!variant) return undefined;
	const image = imageOf(variant, api, `The variant ${variant.name}`);
	placePlaceholder(image, image, picture.analysis.thumbhash);
	return el('div', { class: 'hero' }, image);
}

/** Every variant with its size and duration. @param {Picture} picture @param {Api} api */
export function variantList(picture, api) {
	if (picture.variants.length === 0) return undefined;
	return el(
		'ul',
		{ class: 'variants', 'aria-label': 'Variants' },
		...picture.variants.map((one) => variantRow(picture, one, api)),
	);
}

/** @param {Picture} picture @param {Variant} variant @param {Api} api */
function variantRow({ id, source }, variant, api) {
	const isShown = shownVariants({ variants: [variant] }).length > 0;
	const share = source.bytes && ` (${Number(((variant.bytes / source.bytes) * 100).toPrecision(2))} %)`;
	return el(
		'li',
		{},
		el(
			'a',
			{ href: variant.url, target: '_blank', 'data-save-as': `${id}-${variant.name}.${variant.format}` },
			el('span', { class: 'frame' }, isShown && imageOf(variant, api, '')),
			el('b', {}, variant.name),
			el('span', {}, `${variant.format} · ${formatSize(variant)}`),
			el('span', {}, `${formatBytes(variant.bytes)}${share ?? ''} · ${formatDuration(variant.milliseconds)}`),
			variant.limited && el('span', { class: 'limited' }, variant.limited.message),
		),
	);
}

/** @param {ListedVariant} variant @param {Api} api @param {string} alt */
function imageOf(variant, api, alt) {
	const image = el('img', { alt, width: variant.width, height: variant.height, decoding: 'async' });
	api.show(image, addressOf(variant)).catch(() => image.remove());
	return image;
}

/**
 * The reason of a failure, and what to do about it.
 *
 * @param {NonNullable<Picture['failure']>} failure
 * @param {Picture['next']} [next]
 */
export function failureBox({ message, class: failureClass, code, step, attempt, at }, next = {}) {
	return el(
		'section',
		{ class: 'failure', 'aria-label': 'Failure' },
		el('p', {}, message),
		next[code] && el('p', { class: 'next' }, next[code]),
		definitions([
			['Class', failureClass],
			['Code', code],
			['Step', step],
			['Attempt', String(attempt)],
			['At', formatTime(at)],
		]),
	);
}

/** The variants that a ready picture lacks, each with its reason. @param {Picture} picture */
export function failureList(picture) {
	const lacked = lackedBy(picture);
	const { next = {} } = picture;
	if (lacked.length === 0) return undefined;
	return el(
		'section',
		{ class: 'failure', 'aria-label': 'Failed variants' },
		el('p', {}, `${countOf(lacked.length, 'variant')} could not be made.`),
		el(
			'ul',
			{},
			...lacked.map(({ variant, format, message, class: failureClass, code }) =>
				el(
					'li',
					{},
					el('b', {}, format === undefined ? variant : `${variant}.${format}`),
					el('span', {}, next[code] ? `${message} ${next[code]}` : message),
					el('span', { class: 'quiet' }, `${failureClass} · ${code}`),
				),
			),
		),
	);
}

/** Facts about the original and its processing. @param {Picture} picture */
export function factList(picture) {
	const {
		source,
		facts,
		recipe,
		tags,
		meta = {},
		owner,
		priority,
		urgent,
		state,
		waiting,
		createdAt,
		updatedAt,
		revision,
		variants,
	} = picture;
	const made = variants.reduce((sum, variant) => sum + variant.milliseconds, 0);
	const took = Date.parse(updatedAt) - Date.parse(createdAt);
	return definitions([
		['Type', source.type],
		['Dimensions', facts && `${formatSize(facts)} (${megapixels(facts)})`],
		['Size', source.bytes !== undefined && sizeInWords(source.bytes)],
		[facts?.format === 'tiff' ? 'Pages' : 'Frames', facts && facts.frames > 1 && String(facts.frames)],
		['Orientation', facts && facts.orientation > 1 && `${facts.orientation}, applied`],
		['Colours', facts && `${facts.colourSpace}${facts.alpha ? ', with transparency' : ''}`],
		['SHA-256', source.sha256 && el('code', {}, source.sha256)],
		[source.sha256 ? 'Fetched from' : 'Fetching from', source.url],
		['Recipe', el('span', {}, `${recipe.name} `, el('code', {}, recipe.digest))],
		['Tags', tags.length > 0 && el('span', { class: 'tags' }, ...tags.map((tag) => el('span', {}, tag)))],
		['Owner', owner],
		['Metadata', Object.keys(meta).length > 0 && metaList(meta)],
		['Priority', urgent ? 'urgent' : priority > 0 && String(priority)],
		['Waiting', waiting && `${waiting.reason} Since ${formatTime(waiting.since)}.`],
		['Received', formatTime(createdAt)],
		// From the third revision on it was processed again, and the time since its upload means nothing.
		[
			stateWords[state],
			isFinished(picture) && (revision > 2 ? formatTime(updatedAt) : `after ${formatDuration(took)}`),
		],
		['Work', variants.length > 0 && `${countOf(variants.length, 'variant')} in ${formatDuration(made)}`],
		['Id', el('code', {}, picture.id)],
	]);
}

/** What the uploader wrote, each text on its own, so that right-to-left text disturbs no other. @param {Record<string, string>} meta */
function metaList(meta) {
	return el(
		'ul',
		{ class: 'meta' },
		...Object.entries(meta).map(([name, value]) =>
			el('li', {}, el('bdi', { class: 'quiet' }, name), ' ', el('bdi', {}, value)),
		),
	);
}

/** @param {number} bytes */
function sizeInWords(bytes) {
	return formatBytes(bytes) + (bytes >= 1000 ? ` (${bytes.toLocaleString()} bytes)` : '');
}

/** @param {{ readonly width: number, readonly height: number }} size */
function megapixels({ width, height }) {
	const count = (width * height) / 1e6;
	return `${count < 0.1 ? '< 0.1' : count.toFixed(1)} megapixels`;
}

/** A list of names and values; those without a value are omitted. @param {(readonly [string, Node | string | false | undefined])[]} rows */
function definitions(rows) {
	return el(
		'dl',
		{},
		...rows.flatMap(([name, value]) =>
			value
				? [
						el(
							'div',
							{ class: /^(SHA-256|Fetch(ed|ing) from|Waiting|Metadata)$/.test(name) && 'long' },
							el('dt', {}, name),
							el('dd', {}, value),
						),
					]
				: [],
		),
	);
}

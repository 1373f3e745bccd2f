import { isPictureId } from '../../../domain/picture.ts';
import type { ImageSource } from '../image-request.ts';
import { base64Text, percentText } from './arguments.ts';
import { invalid, unexpected, unsupported } from './refusals.ts';

/** The parts of an address, still text. */
export interface Address {
	/** Options of each pipeline, as written. */
	readonly pipelines: readonly (readonly string[])[];
	readonly source: ImageSource;
	/** As written; empty when there is none. */
	readonly extension: string;
}

/** Longest URL of a source, characters. */
const maximumUrl = 2_048;
/** What may stand before a picture's id. */
const idPrefix = /^(?:picpipe:\/\/|local:\/\/\/)/;

/**
 * Takes an address apart: options have a colon in them, a minus begins the next pipeline, and what comes then is the source.
 *
 * @param path what follows the signature, as it stands in the URL
 * @throws PicpipeError `invalid-delivery-url`, `option-unsupported`
 */
export function readAddress(path: string): Address {
	if (!path.startsWith('/')) throw unexpected('a path that begins with a slash', 'the address', path);
	const parts = path.slice(1).split('/');
	const found = parts.findIndex((part) => part !== '-' && !part.includes(':'));
	const end = found < 0 ? parts.length : found;
	return { pipelines: splitPipelines(parts.slice(0, end)), ...readSource(parts.slice(end)) };
}

/** Options of each pipeline. @param options options and minuses between them */
export function splitPipelines(options: readonly string[]): string[][] {
	const pipelines: string[][] = [[]];
	for (const option of options) {
		if (option === '-') pipelines.push([]);
		else pipelines.at(-1)?.push(option);
	}
	return pipelines;
}

/** In an address that names presets alone: they are its first part. */
export function readPresetAddress(path: string): { readonly presets: readonly string[] } & Omit<Address, 'pipelines'> {
	const [empty, first = '', ...rest] = path.split('/');
	if (empty !== '') throw unexpected('a path that begins with a slash', 'the address', path);
	return { presets: first.split(':'), ...readSource(rest) };
}

function readSource(parts: readonly string[]): Omit<Address, 'pipelines'> {
	const [first, ...rest] = parts;
	if (first === 'enc') throw unsupported('enc', 'Addresses of sources are not encrypted here.');
	if (first === 'plain' && rest.length > 0) return plainSource(rest.join('/'));
	return base64Source(parts.join(''));
}

function plainSource(text: string): Omit<Address, 'pipelines'> {
	const [encoded = '', extension = '', ...more] = text.split('@');
	if (encoded === '') throw invalid('Expected a source after /plain/ but there is none.');
	if (more.length > 0) throw unexpected('at most one @', 'the source', text);
	return { source: sourceOf(percentText('the source', encoded)), extension };
}

function base64Source(text: string): Omit<Address, 'pipelines'> {
	const [encoded = '', extension = '', ...more] = text.split('.');
	if (encoded === '') throw invalid('Expected a source after the options but there is none.');
	if (more.length > 0) throw unexpected('at most one extension', 'the source', text);
	return { source: sourceOf(base64Text('the source', encoded)), extension };
}

function sourceOf(text: string): ImageSource {
	const id = text.replace(idPrefix, '');
	if (isPictureId(id)) return { id };
	const url = text.length <= maximumUrl && URL.canParse(text) ? new URL(text) : undefined;
	if (!url || !/^https?:$/.test(url.protocol)) {
		throw unexpected(
			`the id of a picture or an http or https URL of at most ${maximumUrl} characters`,
			'the source',
			text,
		);
	}
	return { url: url.href };
}

/**
 * The part of an address that is signed.
 *
 * @param options such as `rs:fit:300:200/q:80`
 * @example imgproxyPath('rs:fit:300:200', { id: 'pic_01jzkwp9nbe0tvahm2q4c8s6rd' }, 'webp')
 */
export function imgproxyPath(options: string, source: ImageSource, extension?: string): string {
	const before = options.replace(/^\/+|\/+$/g, '');
	const place =
		'id' in source
			? `plain/${source.id}${extension ? `@${extension}` : ''}`
			: `${Buffer.from(source.url).toString('base64url')}${extension ? `.${extension}` : ''}`;
	return `/${before ? `${before}/` : ''}${place}`;
}

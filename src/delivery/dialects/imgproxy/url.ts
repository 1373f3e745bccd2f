import { isPictureId } from '../../../domain/picture.ts';
import type { ImageSource } from '../image-request.ts';
import { base64Decoded, percentDecoded } from '../shared/arguments.ts';
import { invalidUrl, invalidValue, unsupportedOption } from '../shared/refusals.ts';
import { maximumSourceUrl } from '../shared/source.ts';

/** The parts of a URL, still text. */
export interface ImgproxyUrl {
	/** Options of each pipeline, as written. */
	readonly pipelines: readonly (readonly string[])[];
	readonly source: ImageSource;
	/** As written; empty if absent. */
	readonly extension: string;
}

/** Prefixes of a picture's id. Proxies that merge slashes leave one of them. */
const idPrefix = /^(?:picpipe:\/{1,2}|local:\/{1,3})/;

/** The scheme of a plain source with the slashes that proxies may have merged. */
const mergedScheme = /\/plain\/(local|picpipe|https?):\/{1,2}(?=[^/])/;

/**
 * The spellings in which a path may have been signed: as received, with the slashes of its plain source restored, as imgproxy does, and with
 * that source encoded. Proxies such as nginx merge slashes (`plain/https:/host`) and decode `%2F` where they change the path.
 *
 * @param path the part after the signature, as received
 */
export function spellingsOf(path: string): readonly string[] {
	const restored = path.replace(mergedScheme, restoredScheme);
	// The last @ may begin the extension; any other was encoded.
	const [, before, source = '', extension = ''] = /^(.*?\/plain\/)(.*?)(@[a-z0-9]{1,5})?$/s.exec(restored) ?? [];
	const encoded = before === undefined ? restored : before + encodedAgain(source) + extension;
	return [...new Set([path, restored, encoded])];
}

function encodedAgain(source: string): string {
	try {
		return encodeURIComponent(decodeURIComponent(source));
	} catch {
		return source;
	}
}

function restoredScheme(_merged: string, scheme: string): string {
	return `/plain/${scheme}:${scheme === 'local' ? '///' : '//'}`;
}

/**
 * Splits a URL: options contain a colon, a minus starts the next pipeline, and the rest is the source.
 *
 * @param path the part after the signature, as written in the URL
 * @throws PicpipeError `invalid-delivery-url`, `option-unsupported`
 */
export function readUrl(path: string): ImgproxyUrl {
	if (!path.startsWith('/')) throw invalidValue('the URL', 'a path that begins with a slash', path);
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

/** Splits a URL whose first part lists presets, and which has no options. */
export function readPresetUrl(path: string): { readonly presets: readonly string[] } & Omit<ImgproxyUrl, 'pipelines'> {
	const [empty, first = '', ...rest] = path.split('/');
	if (empty !== '') throw invalidValue('the URL', 'a path that begins with a slash', path);
	return { presets: first.split(':'), ...readSource(rest) };
}

function readSource(parts: readonly string[]): Omit<ImgproxyUrl, 'pipelines'> {
	const [first, ...rest] = parts;
	if (first === 'enc') throw unsupportedOption('enc', 'Source URLs cannot be encrypted.');
	if (first === 'plain' && rest.length > 0) return plainSource(rest.join('/'));
	return base64Source(parts.join(''));
}

function plainSource(text: string): Omit<ImgproxyUrl, 'pipelines'> {
	const [encoded = '', extension = '', ...more] = text.split('@');
	if (encoded === '') throw invalidUrl('Expected a source after /plain/ but received none.');
	if (more.length > 0) throw invalidValue('the source', 'at most one @', text);
	const source = percentDecoded('the source', encoded).replace(/^(https?):\/(?=[^/])/, '$1://');
	return { source: sourceOf(source), extension };
}

function base64Source(text: string): Omit<ImgproxyUrl, 'pipelines'> {
	const [encoded = '', extension = '', ...more] = text.split('.');
	if (encoded === '') throw invalidUrl('Expected a source after the options but received none.');
	if (more.length > 0) throw invalidValue('the source', 'at most one extension', text);
	return { source: sourceOf(base64Decoded('the source', encoded)), extension };
}

function sourceOf(text: string): ImageSource {
	const id = text.replace(idPrefix, '');
	if (isPictureId(id)) return { id };
	const url = text.length <= maximumSourceUrl && URL.canParse(text) ? new URL(text) : undefined;
	if (!url || !/^https?:$/.test(url.protocol)) {
		throw invalidValue(
			'the source',
			`the id of a picture or an http or https URL of at most ${maximumSourceUrl} characters`,
			text,
		);
	}
	return { url: url.href };
}

/**
 * The path of a URL before it is signed.
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

import { isPictureId } from '../../domain/picture.ts';
import type { DialectOptions, ImageRequest, ImageSource, Presets } from './image-request.ts';
import { longName, readModifiers } from './ipx/modifiers.ts';
import { planRender } from './ipx/plan.ts';
import { percentDecoded } from './shared/arguments.ts';
import { invalidUrl, invalidValue, shown } from './shared/refusals.ts';
import { maximumSourceUrl } from './shared/source.ts';

/*
 * The addresses of ipx (unjs): /<modifiers>/<id>. Modifiers are separated by `,` or `&`, and a name and its values by `_`, `:` or `=`;
 * `_` alone is none. The language is that of version 4, which is that of version 3 and more.
 */

/** More than there are names. */
const maximumModifiers = 64;

/**
 * What an address in the language of ipx asks for.
 *
 * @param path what follows `/ipx`, as it was received
 * @throws PicpipeError `invalid-delivery-url`, `option-unsupported`
 * @example parseIpx('/w_300,f_webp/pic_01h455vb4pex5vsknk084sn02q', { presets: new Map() });
 */
export function parseIpx(path: string, { presets, presetsOnly = false }: DialectOptions): ImageRequest {
	const [, modifiers = '', id = ''] = /^\/?([^/]*)\/?(.*)$/s.exec(path) ?? [];
	if (modifiers === '') throw invalidValue('the URL', 'modifiers, or _ for none,', path);
	const request = readModifiers(withPresets(split(modifiers), presets, presetsOnly));
	return {
		source: sourceOf(id),
		target: { kind: 'render', plan: (source) => planRender(request, source) },
	};
}

/**
 * The path of an address, as `parseIpx` reads it.
 *
 * @param modifiers values by names; several values are separated by `_`
 * @example ipxPath({ s: '300x200', f: 'webp' }, { id: 'pic_01h455vb4pex5vsknk084sn02q' }); // '/s_300x200,f_webp/pic_01h455vb4pex5vsknk084sn02q'
 */
export function ipxPath(modifiers: Readonly<Record<string, string>>, source: ImageSource): string {
	const words = Object.entries(modifiers).map(([name, value]) => (value === '' ? name : `${name}_${encoded(value)}`));
	return `/${words.length > 0 ? words.join(',') : '_'}/${encodeURIComponent('id' in source ? source.id : source.url)}`;
}

/** What could be read as a separator of values stays one. */
function encoded(value: string): string {
	return value.split('_').map(encodeURIComponent).join('_');
}

function split(modifiers: string): ReadonlyMap<string, string> {
	const written = new Map<string, string>();
	if (modifiers === '_') return written;
	const words = modifiers.split(/[&,]/);
	if (words.length > maximumModifiers) {
		throw invalidUrl(`Expected at most ${maximumModifiers} modifiers but received ${words.length}.`);
	}
	for (const word of words) {
		const [name = '', ...values] = word.split(/[:=_]/);
		if (name === '') throw invalidValue('the URL', 'a name and its values, such as w_300,', word);
		written.set(name, values.map((value) => percentDecoded(name, value)).join('_'));
	}
	return written;
}

/** A modifier that an address has beside its preset stands in place of the preset's own, under the long name or the short one. */
function withPresets(
	written: ReadonlyMap<string, string>,
	presets: Presets,
	presetsOnly: boolean,
): ReadonlyMap<string, string> {
	const preset = written.get('preset');
	const others = new Map([...written].filter(([name]) => name !== 'preset'));
	const [other] = others.keys();
	if (presetsOnly && other !== undefined) throw invalidValue('the URL', 'nothing but a preset', other);
	if (preset === undefined) return written;
	const words = presets.get(preset);
	if (words === undefined) throw invalidValue('preset', 'the name of a preset', preset);
	const said = new Set([...others.keys()].map(longName));
	return new Map([...[...split(words)].filter(([name]) => !said.has(longName(name))), ...others]);
}

function sourceOf(id: string): ImageSource {
	// An address that was not encoded is taken as it stands: what is encoded in it belongs to it.
	const text = /^https?:\//i.test(id) ? id : percentDecoded('the picture', id);
	if (/^https?:\//i.test(text)) return { url: urlOf(text) };
	const [, name = ''] = /^([^.]*)(?:\.[a-z0-9]{1,8})?$/i.exec(text) ?? [];
	if (isPictureId(name)) return { id: name };
	throw invalidValue('the picture', 'an id, or an address that begins with http:// or https://,', text);
}

function urlOf(text: string): string {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (!url || url.username || url.password || text.length > maximumSourceUrl) {
		throw invalidUrl(
			`Expected an address of at most ${maximumSourceUrl} characters without a user but received ${shown(text)}.`,
		);
	}
	url.hash = '';
	return url.href;
}

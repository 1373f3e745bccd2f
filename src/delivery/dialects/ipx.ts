import { isPictureId } from '../../domain/picture.ts';
import type {
	DialectOptions,
	ImageRequest,
	ImageSource,
	Presets,
	RenderFormat,
	RenderPlan,
	SourceFacts,
} from './image-request.ts';
import { filterModifiers } from './ipx/filter-modifiers.ts';
import { cutSteps, scaleSteps } from './ipx/geometry.ts';
import { longName, type ModifierRequest, readModifiers } from './ipx/modifiers.ts';
import type { Settings } from './ipx/settings.ts';
import { percentDecoded } from './shared/arguments.ts';
import { greyOf, isOpaque, opaqueColour } from './shared/colours.ts';
import { invalidUrl, invalidValue, shown } from './shared/refusals.ts';
import { maximumSourceUrl } from './shared/source.ts';
import { StepList } from './shared/step-list.ts';

/*
 * The URLs of ipx (unjs): /<modifiers>/<id>. Modifiers are separated by `,` or `&`; a name and its values by `_`, `:` or `=`. A single `_`
 * stands for no modifiers. The syntax is that of version 4, which includes that of version 3.
 */

/** More than the number of modifier names. */
const maximumModifiers = 64;

/**
 * Reads an ipx URL.
 *
 * @param path the part after `/ipx`, as received
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
 * The path of a URL, as `parseIpx` reads it.
 *
 * @param modifiers values by name; several values are separated by `_`
 * @example ipxPath({ s: '300x200', f: 'webp' }, { id: 'pic_01h455vb4pex5vsknk084sn02q' }); // '/s_300x200,f_webp/pic_01h455vb4pex5vsknk084sn02q'
 */
export function ipxPath(modifiers: Readonly<Record<string, string>>, source: ImageSource): string {
	const words = Object.entries(modifiers).map(([name, value]) => (value === '' ? name : `${name}_${encoded(value)}`));
	return `/${words.length > 0 ? words.join(',') : '_'}/${encodeURIComponent('id' in source ? source.id : source.url)}`;
}

/** Encodes a value. A `_` in it still separates values. */
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

/** A modifier in the URL replaces the same modifier of the preset, under its long or short name. */
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
	// A URL that was not encoded is used as written: percent signs in it are part of it.
	const text = /^https?:\//i.test(id) ? id : percentDecoded('the picture', id);
	if (/^https?:\//i.test(text)) return { url: urlOf(text) };
	const [, name = ''] = /^([^.]*)(?:\.[a-z0-9]{1,8})?$/i.exec(text) ?? [];
	if (isPictureId(name)) return { id: name };
	throw invalidValue('the picture', 'an id, or a URL that begins with http:// or https://,', text);
}

function urlOf(text: string): string {
	const url = URL.canParse(text) ? new URL(text) : undefined;
	if (!url || url.username || url.password || text.length > maximumSourceUrl) {
		throw invalidUrl(
			`Expected a URL of at most ${maximumSourceUrl} characters without a user but received ${shown(text)}.`,
		);
	}
	url.hash = '';
	return url.href;
}

/** The smallest value of the operation `gamma`. */
const leastGamma = 0.35;

/** @throws PicpipeError if a modifier cannot be applied to this picture */
function planRender({ changes, format, animated }: ModifierRequest, source: SourceFacts): RenderPlan {
	const settings: Settings = {};
	for (const change of changes) {
		Object.assign(settings, typeof change === 'function' ? change(settings, source) : change);
	}
	const { width, height, alpha } = source;
	const steps = new StepList({ size: { width, height }, alpha, limitsSides: true, keepsAlphaWithoutSize: true });
	cutSteps(settings, steps);
	const isFirst = areColoursFirst(settings);
	if (isFirst) firstColours(settings, steps);
	// At this point sharp has a grey picture, and the background becomes grey.
	const { background, grayscale } = settings;
	scaleSteps(grayscale && background ? { ...settings, background: greyOf(background) } : settings, steps);
	if (!isFirst) firstColours(settings, steps);
	for (const { names } of filterModifiers) settings.filters?.get(names[0] ?? '')?.(steps, settings);
	const encode = encoding(settings, { isStill: !animated && isAnimation(source), alpha: steps.alpha });
	return { steps: steps.steps, format, encode };
}

/**
 * Must the colour changes that sharp makes before scaling happen there? If they give the same result after scaling, they are made then, on
 * fewer pixels.
 */
function areColoursFirst({ gammaBefore = 1, background = '#000000' }: Settings): boolean {
	return gammaBefore !== 1 || !isOpaque(background);
}

function firstColours({ flatten, background, gammaBefore = 1, grayscale }: Settings, steps: StepList): void {
	if (flatten && steps.alpha) steps.add('flatten', { background: opaqueColour(background ?? '#000000') });
	if (gammaBefore !== 1) {
		const value = 1 / gammaBefore;
		// Two steps with its square root.
		const times = value < leastGamma ? 2 : 1;
		for (let time = 0; time < times; time++) steps.add('gamma', { value: value ** (1 / times) });
	}
	if (grayscale) steps.add('grayscale');
}

function isAnimation({ frames, format }: SourceFacts): boolean {
	return frames > 1 && format !== 'tiff';
}

function encoding(
	{ quality }: Settings,
	{ isStill, alpha }: { readonly isStill: boolean; readonly alpha: boolean },
): NonNullable<RenderPlan['encode']> {
	const byFormat: Readonly<Record<RenderFormat, Readonly<Record<string, unknown>>>> = {
		avif: { ...(quality && { quality }) },
		webp: { ...(quality && { quality }), ...(isStill && { animated: false }) },
		// ipx's options for sharp: progressive, and transparent areas in black.
		jpeg: { ...(quality && { quality }), progressive: true, ...(alpha && { background: '#000000' }) },
		// ipx's options for sharp: a quality reduces a PNG to 256 colours.
		png: { ...(quality && { palette: true, quality }) },
		gif: {},
		tiff: {},
	};
	return (format) => byFormat[format];
}

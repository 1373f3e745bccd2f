import type { ColourOption, MetadataOption } from '../../../domain/output.ts';
import type { RenderFormat, RenderPlan, SourceFacts } from '../image-request.ts';
import { invalidValue, unsupportedValue } from '../shared/refusals.ts';
import { type Component, qualifier } from './components.ts';
import { formatOf } from './url.ts';

/** Options of the output: `f_`, `q_`, `pg_`, `cs_` and flags. They apply to the whole URL; of repeated ones the last wins. */
export interface CloudinaryOutput {
	format?: RenderFormat | 'auto';
	quality?: Qualities;
	chroma?: '4:4:4';
	isProgressive?: boolean;
	hasPalette?: boolean;
	/** Starts at 1. */
	page?: number;
	metadata?: MetadataOption;
	colour?: ColourOption;
	isAttachment?: boolean;
	filename?: string;
}

/** Quality by lossy format; absent formats use their default. */
type Qualities = Partial<Readonly<Record<RenderFormat, number>>>;

/** The levels of `q_auto`: `good` is the encoders' defaults, which look alike. */
const automatic: Readonly<Record<string, Qualities>> = {
	best: { jpeg: 90, webp: 90, avif: 65 },
	good: {},
	eco: { jpeg: 70, webp: 70, avif: 40 },
	low: { jpeg: 55, webp: 55, avif: 30 },
};

/** Allowed names for downloads; other characters cause trouble on some systems. */
const filenamePattern = /^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_\p{Join_Control} ()-]{0,99}$/u;

/** Flags and their effects. An empty function means that picpipe always does this. */
const flags: Readonly<Record<string, (output: CloudinaryOutput, argument: string) => void>> = {
	attachment(output, argument) {
		output.isAttachment = true;
		if (argument === '') return;
		if (!filenamePattern.test(argument)) throw invalidValue('fl_attachment', 'a plain name of a file', argument);
		output.filename = argument;
	},
	progressive(output, argument) {
		if (!['', 'semi', 'steep', 'none'].includes(argument)) {
			throw invalidValue('fl_progressive', 'semi, steep, none or nothing', argument);
		}
		if (argument === 'semi' || argument === 'steep')
			throw unsupportedValue('fl_progressive', 'none or nothing', argument);
		output.isProgressive = argument !== 'none';
	},
	lossy: plain('lossy', (output) => {
		output.hasPalette = true;
	}),
	png8: plain('png8', (output) => {
		output.hasPalette = true;
	}),
	keep_iptc: plain('keep_iptc', (output) => {
		output.metadata = 'keep';
	}),
	keep_attribution: plain('keep_attribution', (output) => {
		output.metadata = 'copyright';
	}),
	force_strip: plain('force_strip', (output) => {
		delete output.metadata;
	}),
	strip_profile: plain('strip_profile', () => {}),
	preserve_transparency: plain('preserve_transparency', () => {}),
	animated: plain('animated', () => {}),
	awebp: plain('awebp', () => {}),
};

function plain(name: string, say: (output: CloudinaryOutput) => void) {
	return (output: CloudinaryOutput, argument: string) => {
		if (argument !== '') throw invalidValue(`fl_${name}`, 'nothing after it', argument);
		say(output);
	};
}

/** @throws PicpipeError */
export function takeOutput(component: Component, output: CloudinaryOutput): void {
	const format = component.take('f');
	if (format !== undefined) {
		output.format = format === 'auto' || format === 'auto:image' ? 'auto' : formatOf('f_', format);
	}
	const quality = component.take('q');
	if (quality !== undefined) readQuality(quality, output);
	const page = component.take('pg');
	if (page !== undefined) {
		if (component.has('l')) throw unsupportedValue('pg_', 'no layer with it', page);
		if (!/^\d+$/.test(page)) throw unsupportedValue('pg_', 'the number of one page', page);
		output.page = qualifier.integer('pg_', page, 1, 100_000);
	}
	const space = component.take('cs');
	if (space !== undefined && !['srgb', 'tinysrgb', 'no_cmyk'].includes(space)) {
		throw unsupportedValue('cs_', 'srgb, tinysrgb or no_cmyk', space);
	}
	for (const [name, say] of Object.entries(flags)) {
		const argument = component.takeFlag(name);
		if (argument !== undefined) say(output, argument);
	}
}

function readQuality(text: string, output: CloudinaryOutput): void {
	const [quality = '', ...more] = text.split(':');
	const level =
		quality === 'auto' && more[0] !== undefined && Object.hasOwn(automatic, more[0]) ? more.shift() : 'good';
	const [chroma, ...rest] = more;
	if (rest.length > 0 || (chroma !== undefined && chroma !== '420' && chroma !== '444')) {
		throw unsupportedValue('q_', '1 to 100 or auto:best, good, eco or low, and 420 or 444', text);
	}
	if (quality === 'jpegmini') throw unsupportedValue('q_', '1 to 100, or auto', text);
	if (quality === 'auto') output.quality = automatic[level ?? 'good'] ?? {};
	else {
		const value = qualifier.integer('q_', quality, 1, 100);
		output.quality = { jpeg: value, webp: value, avif: value };
	}
	if (chroma === '444') output.chroma = '4:4:4';
	else delete output.chroma;
}

/** Options of an encoder. Undefined if all encoders use their defaults. */
export function encodingOf(output: CloudinaryOutput, { frames, format: source }: SourceFacts): RenderPlan['encode'] {
	const { quality = {}, chroma, isProgressive, hasPalette, page } = output;
	const isStill = page !== undefined && isAnimation({ frames, format: source });
	const isSaid = Object.keys(quality).length > 0 || chroma || isProgressive || hasPalette || isStill;
	if (!isSaid) return undefined;
	return (format) => {
		const lossy = quality[format] !== undefined && { quality: quality[format] };
		switch (format) {
			case 'jpeg':
				return { ...lossy, ...(chroma && { chromaSubsampling: chroma }), ...(isProgressive && { progressive: true }) };
			case 'avif':
				return { ...lossy, ...(chroma && { chromaSubsampling: chroma }) };
			case 'webp':
				return { ...lossy, ...(isStill && { animated: false }) };
			case 'gif':
				return { ...(isStill && { animated: false }) };
			case 'png':
				return {
					...(isProgressive && { progressive: true }),
					...(hasPalette && { palette: true, ...(quality.jpeg !== undefined && { quality: quality.jpeg }) }),
				};
			case 'tiff':
				return {};
		}
	};
}

/** The page to render; undefined for the first page. @throws PicpipeError */
export function pageFor({ page = 1 }: CloudinaryOutput, facts: SourceFacts): number | undefined {
	if (page === 1) return undefined;
	if (facts.format === 'avif' || facts.format === 'heic')
		throw unsupportedValue('pg_', 'the first picture of several', String(page));
	if (page > facts.frames) throw invalidValue('pg_', `a page from 1 to ${facts.frames}`, String(page));
	return page;
}

function isAnimation({ frames, format }: Pick<SourceFacts, 'frames' | 'format'>): boolean {
	return frames > 1 && format !== 'tiff';
}

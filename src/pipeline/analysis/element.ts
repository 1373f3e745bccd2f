import { escapeXml } from '../../domain/escape-xml.ts';

/** What the element shows: one stored encoding of a variant. */
export interface ElementVariant {
	readonly name: string;
	/** Encoder: `webp`, `jpeg`, ... */
	readonly format: string;
	/** Media type. */
	readonly type: string;
	readonly width: number;
	readonly height: number;
	readonly url: string;
}

export interface ElementOptions {
	readonly variants: readonly ElementVariant[];
	/** What stands for the picture where it is not seen; the writer of the page knows better. */
	readonly alt: string;
	/** A data URI to show until the picture is there. */
	readonly placeholder?: string | undefined;
}

/** The kind of analysis that is no measurement: it is written anew for each answer. */
export const element = {
	name: 'element',
	doc: 'A ready `<picture>` element of the variants that show the whole of what the largest one shows: sources by format, `srcset`, `sizes`, `width`, `height`, the file name as a stand-in for `alt`, and the `placeholder` where that is asked for too and nothing is transparent.',
} as const;

/** Formats as a browser should try them; the last one that there is goes into the `img`, for browsers that know no other. */
const preference = ['jxl', 'avif', 'webp', 'gif', 'png', 'jpeg'];

/**
 * A `<picture>` element, every value escaped.
 *
 * @returns undefined when no variant is of a format that browsers show
 */
export function pictureElement({ variants, alt, placeholder }: ElementOptions): string | undefined {
	const shown = sameShapeAsLargest(variants.filter(({ format }) => preference.includes(format)));
	const formats = preference.filter((format) => shown.some((variant) => variant.format === format));
	const sets = formats.map((format) => bySize(shown.filter((variant) => variant.format === format)));
	const fallback = sets.at(-1);
	const largest = fallback?.at(-1);
	if (!fallback || !largest) return undefined;
	const sizes = `(max-width: ${largest.width}px) 100vw, ${largest.width}px`;
	const sources = sets
		.slice(0, -1)
		.map((set) => tag('source', { type: set[0]?.type ?? '', srcset: srcset(set), sizes }));
	const image = tag('img', {
		src: largest.url,
		srcset: srcset(fallback),
		sizes,
		width: String(largest.width),
		height: String(largest.height),
		alt,
		loading: 'lazy',
		decoding: 'async',
		...(placeholder && { style: `background: url(${placeholder}) center / cover no-repeat` }),
	});
	return `<picture>${[...sources, image].join('')}</picture>`;
}

/** A square thumbnail is no smaller version of a wide picture: a browser must not choose between them by width. */
function sameShapeAsLargest(variants: readonly ElementVariant[]): readonly ElementVariant[] {
	const largest = bySize(variants).at(-1);
	if (!largest) return [];
	// Half a pixel of the smaller one is what rounding makes of the same shape.
	return variants.filter(
		({ width, height }) =>
			Math.abs(height - (width * largest.height) / largest.width) <= 1 ||
			Math.abs(width - (height * largest.width) / largest.height) <= 1,
	);
}

function bySize(variants: readonly ElementVariant[]): ElementVariant[] {
	return [...variants].sort((a, b) => a.width * a.height - b.width * b.height);
}

function srcset(variants: readonly ElementVariant[]): string {
	return variants.map(({ url, width }) => `${url} ${width}w`).join(', ');
}

function tag(name: string, attributes: Readonly<Record<string, string>>): string {
	const written = Object.entries(attributes).map(([attribute, value]) => ` ${attribute}="${escapeXml(value)}"`);
	return `<${name}${written.join('')}>`;
}

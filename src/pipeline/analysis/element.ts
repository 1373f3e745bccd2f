import { escapeXml } from '../../domain/escape-xml.ts';

/** A stored encoding of a variant that the element may show. */
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
	/** Alternative text; the author of the page can write a better one. */
	readonly alt: string;
	/** A data URI to show until the picture is loaded. */
	readonly placeholder?: string | undefined;
}

/** The only kind that is not measured: it is generated for each response. */
export const element = {
	name: 'element',
	doc: 'HTML of a `<picture>` element with the variants that have the aspect ratio of the largest one, and the `placeholder` if requested.',
} as const;

/** Formats in the order that a browser should try them. The last available one goes into the `img`, for browsers that support no other. */
const preference = ['jxl', 'avif', 'webp', 'gif', 'png', 'jpeg'];

/**
 * A `<picture>` element, every value escaped.
 *
 * @returns undefined if no variant has a format that browsers show
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

/** A square thumbnail is not a smaller version of a wide picture, so a browser must not choose between them by width. */
function sameShapeAsLargest(variants: readonly ElementVariant[]): readonly ElementVariant[] {
	const largest = bySize(variants).at(-1);
	if (!largest) return [];
	// Rounding changes the same aspect ratio by half a pixel of the smaller one.
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

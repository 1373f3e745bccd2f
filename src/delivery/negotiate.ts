import type { RenderFormat, SourceFacts } from './dialects/image-request.ts';

/** Formats that only some clients support. */
export interface Accepted {
	readonly avif: boolean;
	readonly webp: boolean;
}

/**
 * The newer formats that an `Accept` field names (RFC 9110, 12.5.1). Wildcards do not count: browsers without AVIF send them too.
 *
 * @example
 * acceptedBy('image/avif,image/webp,*\/*;q=0.8'); // { avif: true, webp: true }
 */
export function acceptedBy(accept: string | undefined): Accepted {
	const named = new Set<string>();
	for (const range of (accept ?? '').slice(0, 1_000).toLowerCase().split(',')) {
		const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
		if (!parameters.some((one) => /^q=0(\.0{0,3})?$/.test(one))) named.add(type);
	}
	return { avif: named.has('image/avif'), webp: named.has('image/webp') };
}

/** Formats for a picture, best first. The second stands in until the first is made. */
export function formatsFor(source: SourceFacts, accepted: Accepted): readonly RenderFormat[] {
	// picpipe does not write animated AVIF.
	if (source.frames > 1 && isAnimatable(source.format)) return [accepted.webp ? 'webp' : 'gif'];
	return [...(accepted.avif ? ['avif' as const] : []), accepted.webp ? 'webp' : plainFormat(source)];
}

/** The format of the original if every browser supports it, otherwise a common format that can hold it. */
export function sourceFormat(source: SourceFacts): RenderFormat {
	const shown = (['jpeg', 'png', 'webp', 'gif', 'avif'] as const).find((one) => one === source.format);
	return shown ?? plainFormat(source);
}

function plainFormat({ alpha }: SourceFacts): RenderFormat {
	return alpha ? 'png' : 'jpeg';
}

function isAnimatable(format: string): boolean {
	return format === 'gif' || format === 'webp' || format === 'png';
}

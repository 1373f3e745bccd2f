import type { RenderFormat, SourceFacts } from './dialects/image-request.ts';

/** Formats that some clients show and others do not. */
export interface Accepted {
	readonly avif: boolean;
	readonly webp: boolean;
}

/**
 * Which of the newer formats an `Accept` field names (RFC 9110, 12.5.1). By name only: browsers without AVIF send wildcards too.
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

/** Formats for a picture, best first: the second is the stand-in until the first is made. */
export function formatsFor(source: SourceFacts, accepted: Accepted): readonly RenderFormat[] {
	// There is no AVIF of several frames here.
	if (source.frames > 1 && isAnimatable(source.format)) return [accepted.webp ? 'webp' : 'gif'];
	return [...(accepted.avif ? ['avif' as const] : []), accepted.webp ? 'webp' : plainFormat(source)];
}

/** The format of the original if every browser shows it, else the plain one that holds it. */
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

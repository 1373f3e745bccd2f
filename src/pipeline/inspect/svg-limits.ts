import { PicpipeError } from '../../errors.ts';

/** How much an SVG may hold. */
export interface SvgLimits {
	/** Bytes. */
	readonly maxBytes: number;
	readonly maxElements: number;
}

/** The setting without which no SVG is taken, for sentences. */
export const svgSetting = 'PICPIPE_SVG';

/** The limits of an installation; undefined where it takes no SVG. */
export function svgLimitsOf(settings: {
	readonly svg: boolean;
	readonly maxSvgBytes: number;
	readonly maxSvgElements: number;
}): SvgLimits | undefined {
	if (!settings.svg) return undefined;
	return { maxBytes: settings.maxSvgBytes, maxElements: settings.maxSvgElements };
}

/** @throws PicpipeError `file-too-large` */
export function checkSvgBytes(bytes: number, { maxBytes }: SvgLimits, step?: string): void {
	if (bytes <= maxBytes) return;
	const message = `Expected at most ${maxBytes} bytes for an SVG (PICPIPE_MAX_SVG_BYTES) but received more.`;
	throw new PicpipeError('file-too-large', message, { step });
}

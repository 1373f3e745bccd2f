import { avif } from '../../../pipeline/encoders/avif.ts';
import { jpeg } from '../../../pipeline/encoders/jpeg.ts';
import { fixed } from '../../../pipeline/encoders/quality.ts';
import { webp } from '../../../pipeline/encoders/webp.ts';
import type { RenderFormat } from '../image-request.ts';
import type { Autoquality, OutputOptions } from './pipeline.ts';

/** Encoders with a quality. */
const lossy = { jpeg, avif, webp };
type Lossy = keyof typeof lossy;

/** Options of an encoder; the encoder's defaults apply to the rest. */
export function encodeOptions(output: OutputOptions, format: RenderFormat): Readonly<Record<string, unknown>> {
	switch (format) {
		case 'jpeg':
			return { ...output.jpeg, ...qualityOf(output, format) };
		case 'avif':
			return { ...output.avif, ...qualityOf(output, format) };
		case 'webp':
			return { ...output.webp, ...webpQuality(output), ...still(output) };
		case 'png': {
			// A PNG has a quality only for its palette.
			return output.png;
		}
		case 'gif':
			return still(output);
		case 'tiff':
			return {};
	}
}

function still({ isStill }: OutputOptions): { readonly animated?: false } {
	return isStill ? { animated: false } : {};
}

/** A target in bytes or in similarity overrides a number. */
function qualityOf(output: OutputOptions, format: Lossy): Readonly<Record<string, unknown>> {
	const number = numberOf(output, format);
	const { maxBytes, autoquality } = output;
	// Never better than without the limit.
	if (maxBytes > 0) return { quality: { maxBytes, max: number ?? ownQuality(format), orSmallest: true } };
	if (autoquality) return { quality: targetFor(autoquality, format) };
	return number === undefined ? {} : { quality: number };
}

/** `quality` overrides `format_quality`. */
function numberOf({ quality, formatQuality }: OutputOptions, format: Lossy): number | undefined {
	return quality > 0 ? quality : formatQuality.get(format);
}

/** The encoder's default. */
function ownQuality(format: Lossy): number {
	return fixed(lossy[format].schema.parse({}).quality);
}

/** A lossless image has no quality. */
function webpQuality(output: OutputOptions): Readonly<Record<string, unknown>> {
	return output.webp.lossless ? {} : qualityOf(output, 'webp');
}

/** imgproxy's defaults (`IMGPROXY_AUTOQUALITY_MIN`, `_MAX`, `_FORMAT_MIN` and `_FORMAT_MAX`). */
const usualBounds = { min: 70, max: 80 };
const usualAvifBounds = { min: 60, max: 65 };

/** The target as encoders take it. A bound in the URL moves a default bound that contradicts it. */
function targetFor({ goal, min, max }: Autoquality, format: string): Readonly<Record<string, unknown>> {
	const usual = format === 'avif' ? usualAvifBounds : usualBounds;
	const bounds = {
		min: min ?? Math.min(usual.min, max ?? usual.min),
		max: max ?? Math.max(usual.max, min ?? usual.max),
	};
	return { ...goal, ...bounds, ...('maxBytes' in goal && { orSmallest: true }) };
}

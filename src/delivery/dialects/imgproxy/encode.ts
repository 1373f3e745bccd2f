import { avif } from '../../../pipeline/encoders/avif.ts';
import { jpeg } from '../../../pipeline/encoders/jpeg.ts';
import { fixed } from '../../../pipeline/encoders/quality.ts';
import { webp } from '../../../pipeline/encoders/webp.ts';
import type { RenderFormat } from '../image-request.ts';
import { targetFor } from './autoquality.ts';
import type { Output } from './pipeline.ts';

/** Those that can lose something. */
const lossy = { jpeg, avif, webp };
type Lossy = keyof typeof lossy;

/** Options of an encoder, as the address asks for them; what it leaves out is the encoder's own default. */
export function encodeOptions(output: Output, format: RenderFormat): Readonly<Record<string, unknown>> {
	switch (format) {
		case 'jpeg':
			return { ...output.jpeg, ...qualityOf(output, format) };
		case 'avif':
			return { ...output.avif, ...qualityOf(output, format) };
		case 'webp':
			return { ...output.webp, ...webpQuality(output), ...still(output) };
		case 'png': {
			// The quality of a palette is another one.
			return output.png;
		}
		case 'gif':
			return still(output);
		case 'tiff':
			return {};
	}
}

function still({ isStill }: Output): { readonly animated?: false } {
	return isStill ? { animated: false } : {};
}

/** A size or a likeness comes before a number. */
function qualityOf(output: Output, format: Lossy): Readonly<Record<string, unknown>> {
	const number = numberOf(output, format);
	const { maxBytes, autoquality } = output;
	// It only ever takes away from what would be written without it.
	if (maxBytes > 0) return { quality: { maxBytes, max: number ?? ownQuality(format), orSmallest: true } };
	if (autoquality) return { quality: targetFor(autoquality, format) };
	return number === undefined ? {} : { quality: number };
}

/** A number for all formats comes before one for this. */
function numberOf({ quality, formatQuality }: Output, format: Lossy): number | undefined {
	return quality > 0 ? quality : formatQuality.get(format);
}

/** What an encoder takes where nothing is said. */
function ownQuality(format: Lossy): number {
	return fixed(lossy[format].schema.parse({}).quality);
}

/** Without loss a quality has no meaning. */
function webpQuality(output: Output): Readonly<Record<string, unknown>> {
	return output.webp.lossless ? {} : qualityOf(output, 'webp');
}

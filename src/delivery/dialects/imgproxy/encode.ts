import type { RenderFormat } from '../../wanted.ts';
import type { Output } from './pipeline.ts';

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

/** A size or a likeness comes before a number, and a number for all formats before one for this. */
function qualityOf(
	{ maxBytes, target, quality, formatQuality }: Output,
	format: string,
): Readonly<Record<string, unknown>> {
	if (maxBytes > 0) return { quality: { maxBytes } };
	if (target) return { quality: target };
	const number = quality > 0 ? quality : formatQuality.get(format);
	return number === undefined ? {} : { quality: number };
}

/** Without loss a quality has no meaning. */
function webpQuality(output: Output): Readonly<Record<string, unknown>> {
	return output.webp.lossless ? {} : qualityOf(output, 'webp');
}

import type { z } from 'zod';
import { area, aroundPoint, coverIn, movedIn, type Offset } from './geometry.ts';
import type { Operation, Size } from './operation.ts';
import { isTranslucent, type Length, type Place } from './options.ts';
import { isGiven, isPlaced, type ResizeOptions, schema } from './resize-options.ts';
import { frameOf, type Sized, scaledSize, scales, sizedFor } from './resize-size.ts';

function keptFrom(scaled: Size, framed: Size, options: Sized): Offset {
	const { focus, position } = options;
	return focus ? aroundPoint(scaled, framed, focus) : movedIn(scaled, framed, position as Place, options);
}

/**
 * Scales a picture, and crops or pads it if the aspect ratio requires it. Names and results are those of sharp's `resize`.
 *
 * @example { resize: { width: 640, height: 480, fit: 'cover', position: 'attention' } }
 */
export const resize: Operation<ResizeOptions> = {
	name: 'resize',
	doc: 'Scales a picture to a width, a height or both. `fit: auto` crops like `cover` if the picture and width × height are both landscape or both portrait, and otherwise fits like `inside`.',
	schema: schema as z.ZodType<ResizeOptions>,
	example: { width: 640, height: 480, fit: 'cover', position: 'attention' },

	passes(input, asked) {
		const options = sizedFor(input, asked);
		const { width, height, fit, withoutEnlargement, x, y, focus: _focus, ...rest } = options;
		if (fit !== 'cover' || width === undefined || height === undefined || withoutEnlargement) return [options];
		const [scale] = scales(input, options);
		if (scale <= 1) return [options];
		// Crop first: a line of 1 × 3,000 pixels, enlarged to a width of 300, would be cropped to a tiny part.
		const crop = {
			width: Math.min(input.width, Math.max(1, Math.round(width / scale))),
			height: Math.min(input.height, Math.max(1, Math.round(height / scale))),
		};
		const before = (length: Length | undefined) => (typeof length === 'number' ? Math.round(length / scale) : length);
		return [
			{ ...options, ...crop, ...(isGiven(x) && { x: before(x) }), ...(isGiven(y) && { y: before(y) }) },
			{ ...rest, width, height, withoutEnlargement, fit: 'fill', position: 'centre' },
		];
	},

	predict(input, asked) {
		const options = sizedFor(input, asked);
		const scaled = scaledSize(input, options);
		const output = frameOf(scaled, options) ?? scaled;
		const copy = options.fit === 'fill' ? coverIn(input, scaled) : scaled;
		// `nearest` picks pixels; from a scaled picture it would pick others.
		const isEnough = copy.width <= input.width && copy.height <= input.height && options.kernel !== 'nearest';
		return {
			output,
			...(area(scaled) > area(output) && { peak: scaled }),
			...(options.fit === 'contain' && isTranslucent(options.background) && { addsAlpha: true }),
			...(isEnough && { sufficientScale: { ...copy, kernel: options.kernel } }),
			...(copy.width > input.width && copy.height > input.height && { rasterSize: copy }),
		};
	},

	apply(image, asked, input) {
		const options = sizedFor(input, asked);
		const scaled = scaledSize(input, options);
		const framed = frameOf(scaled, options);
		const { fit, position, kernel, withoutEnlargement, background } = options;
		// An exact size with `fill`: rounding must not depend on the level that this starts from.
		if (!framed) return image.resize({ ...scaled, fit: 'fill', kernel });
		if (isPlaced(options)) {
			const kept = { ...framed, ...keptFrom(scaled, framed, options) };
			return image.resize({ ...scaled, fit: 'fill', kernel }).extract(kept);
		}
		return image.resize({ ...framed, fit, position, kernel, withoutEnlargement, background });
	},

	repeat(asked, input, { width, height, cropOffsetLeft, cropOffsetTop }) {
		const options = sizedFor(input, asked);
		if (cropOffsetLeft === undefined || cropOffsetTop === undefined) return undefined;
		const kept = { left: -cropOffsetLeft, top: -cropOffsetTop, width, height };
		return (image) =>
			image.resize({ ...scaledSize(input, options), fit: 'fill', kernel: options.kernel }).extract(kept);
	},
};

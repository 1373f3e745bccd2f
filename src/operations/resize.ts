import { z } from 'zod';
import { area, coverIn } from './geometry.ts';
import { kernels, type Operation, type Size } from './operation.ts';
import { colour, integer, isStrategy, isTranslucent, maximumSide, number, position } from './options.ts';

const fits = ['cover', 'contain', 'fill', 'inside', 'outside'] as const;

const schema = z
	.strictObject({
		width: integer(1, maximumSide).optional().describe('Pixels; follows from the height when absent.'),
		height: integer(1, maximumSide).optional().describe('Pixels; follows from the width when absent.'),
		dpr: number(0.1, 8)
			.optional()
			.describe('Pixels of the device for each of the page: width and height are multiplied by it. 1 when absent.'),
		fit: z
			.enum(fits)
			.default('cover')
			.describe(
				'How a picture of another shape fills width × height: `cover` crops, `contain` adds background, `fill` distorts, `inside` and `outside` keep the shape and at most or at least fill it.',
			),
		position: position()
			.default('centre')
			.describe(
				'What `cover` keeps or where `contain` places: a side or corner, or for `cover` what draws the eye (`attention`) or is busiest (`entropy`).',
			),
		kernel: z.enum(kernels).default('lanczos3').describe('How pixels are combined when scaling down.'),
		withoutEnlargement: z.boolean().default(false).describe('Never scale up: a smaller picture stays as it is.'),
		orSmaller: z
			.boolean()
			.optional()
			.describe(
				'For `cover` and `fill`: never scale up, and of a picture that is too small make the largest size of the same shape.',
			),
		background: colour().default('#000000').describe('Colour that `contain` adds.'),
	})
	.refine((options) => options.width !== undefined || options.height !== undefined, {
		error: 'expected a width, a height or both',
	})
	.refine((options) => options.fit !== 'contain' || !isStrategy(options.position), {
		error: 'expected a side, a corner or centre because fit is contain',
		path: ['position'],
	})
	.refine(({ width = 1, height = 1, dpr = 1 }) => Math.max(width, height) * dpr <= maximumSide, {
		error: `expected width and height to be at most ${maximumSide} pixels when multiplied by dpr`,
		path: ['dpr'],
	})
	.refine((options) => !options.orSmaller || options.fit === 'cover' || options.fit === 'fill', {
		error: 'expected no such key because fit is neither cover nor fill',
		path: ['orSmaller'],
	});
type ResizeOptions = z.infer<typeof schema>;

/** With width and height in pixels of the device. */
function inDevicePixels({ dpr, ...options }: ResizeOptions): ResizeOptions {
	if (dpr === undefined) return options;
	const side = (pixels: number | undefined) => pixels && Math.max(1, Math.round(pixels * dpr));
	return { ...options, width: side(options.width), height: side(options.height) };
}

/** What a picture can do of what is asked: with `orSmaller` a smaller size of the same shape, where it has too few pixels. */
function possible(input: Size, asked: ResizeOptions): ResizeOptions {
	const options = inDevicePixels(asked);
	if (!options.orSmaller) return options;
	const isWhole = options.fit === 'fill';
	const width = options.width ?? (isWhole ? input.width : undefined);
	const height = options.height ?? (isWhole ? input.height : undefined);
	const share = Math.min(1, input.width / (width ?? 1), input.height / (height ?? 1));
	const side = (pixels: number | undefined) => pixels && Math.max(1, Math.round(pixels * share));
	return { ...options, width: side(width), height: side(height), withoutEnlargement: true };
}

/** Size to which the whole picture is scaled, before `cover` crops and `contain` adds. Rounds as libvips does. */
function scaledSize(input: Size, options: ResizeOptions): Size {
	let [horizontal, vertical] = scales(input, options);
	if (options.withoutEnlargement) [horizontal, vertical] = [Math.min(1, horizontal), Math.min(1, vertical)];
	return {
		width: Math.max(1, Math.round(input.width * horizontal)),
		height: Math.max(1, Math.round(input.height * vertical)),
	};
}

function scales(input: Size, { width, height, fit }: ResizeOptions): [number, number] {
	const horizontal = width === undefined ? undefined : width / input.width;
	const vertical = height === undefined ? undefined : height / input.height;
	if (fit === 'fill') return [horizontal ?? 1, vertical ?? 1];
	if (horizontal === undefined || vertical === undefined) {
		const scale = horizontal ?? vertical ?? 1;
		return [scale, scale];
	}
	const scale = fit === 'cover' || fit === 'outside' ? Math.max(horizontal, vertical) : Math.min(horizontal, vertical);
	return [scale, scale];
}

/** Size of a crop or frame, or undefined where the scaled picture is the result. */
function frame(scaled: Size, { width, height, fit }: ResizeOptions): Size | undefined {
	if (fit === 'contain') return { width: width ?? scaled.width, height: height ?? scaled.height };
	if (width === undefined || height === undefined) return undefined;
	if (fit === 'cover') return { width: Math.min(width, scaled.width), height: Math.min(height, scaled.height) };
	return undefined;
}

/**
 * Scales, and crops or adds background where the shape asks for it; words and results are those of sharp's `resize`.
 *
 * @example { resize: { width: 640, height: 480, fit: 'cover', position: 'attention' } }
 */
export const resize: Operation<ResizeOptions> = {
	name: 'resize',
	doc: 'Scales a picture to a width, a height or both.',
	schema: schema as z.ZodType<ResizeOptions>,
	example: { width: 640, height: 480, fit: 'cover', position: 'attention' },

	passes(input, asked) {
		const options = inDevicePixels(asked);
		const { width, height, fit, withoutEnlargement } = options;
		if (fit !== 'cover' || width === undefined || height === undefined || withoutEnlargement || options.orSmaller) {
			return [options];
		}
		const [scale] = scales(input, options);
		if (scale <= 1) return [options];
		// Crop first: of a line of 1 × 3,000 pixels, enlarged to be 300 wide, all but a spot would be thrown away.
		const crop = {
			width: Math.min(input.width, Math.max(1, Math.round(width / scale))),
			height: Math.min(input.height, Math.max(1, Math.round(height / scale))),
		};
		return [
			{ ...options, ...crop },
			{ ...options, fit: 'fill', position: 'centre' },
		];
	},

	predict(input, asked) {
		const options = possible(input, asked);
		const scaled = scaledSize(input, options);
		const output = frame(scaled, options) ?? scaled;
		const copy = options.fit === 'fill' ? coverIn(input, scaled) : scaled;
		// `nearest` picks pixels; from a scaled copy it would pick others.
		const isEnough = copy.width <= input.width && copy.height <= input.height && options.kernel !== 'nearest';
		return {
			output,
			...(area(scaled) > area(output) && { peak: scaled }),
			...(options.fit === 'contain' && isTranslucent(options.background) && { addsAlpha: true }),
			...(isEnough && { enough: { ...copy, kernel: options.kernel } }),
			...(copy.width > input.width && copy.height > input.height && { drawn: copy }),
		};
	},

	apply(image, asked, input) {
		const options = possible(input, asked);
		const scaled = scaledSize(input, options);
		const framed = frame(scaled, options);
		const { fit, position, kernel, withoutEnlargement, background } = options;
		// An exact size and `fill`: rounding must not depend on which copy of the picture this starts from.
		if (!framed) return image.resize({ ...scaled, fit: 'fill', kernel });
		return image.resize({ ...framed, fit, position, kernel, withoutEnlargement, background });
	},

	repeat(asked, input, { width, height, cropOffsetLeft, cropOffsetTop }) {
		const options = possible(input, asked);
		if (cropOffsetLeft === undefined || cropOffsetTop === undefined) return undefined;
		const kept = { left: -cropOffsetLeft, top: -cropOffsetTop, width, height };
		return (image) =>
			image.resize({ ...scaledSize(input, options), fit: 'fill', kernel: options.kernel }).extract(kept);
	},
};

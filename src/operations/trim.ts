import type { OutputInfo, Region, Sharp } from 'sharp';
import * as z from 'zod';
import { loadSharp } from './load-sharp.ts';
import type { Operation, Size } from './operation.ts';
import { colour, integer, maximumSide, number, opaqueColour } from './options.ts';

const schema = z.strictObject({
	background: colour().optional().describe('Colour to remove; that of the top left pixel when absent.'),
	matte: opaqueColour()
		.optional()
		.describe(
			'Colour that transparent pixels have while the border is searched. When absent, colours and opacity are compared separately.',
		),
	threshold: number(0, 255).default(10).describe('How much a removed pixel may differ from that colour.'),
	margin: integer(0, maximumSide).default(0).describe('Pixels of the border to keep on each side.'),
	lineArt: z
		.boolean()
		.default(false)
		.describe('Keep single pixels, which drawings have; otherwise they count as noise.'),
	equal: z
		.enum(['horizontal', 'vertical', 'both'])
		.optional()
		.describe(
			'Trim the same amount on opposite sides: left and right (`horizontal`), top and bottom (`vertical`) or `both`.',
		),
});
type TrimOptions = z.infer<typeof schema>;

/**
 * Removes borders of one colour. A picture of a single colour stays as it is.
 *
 * @example { trim: { background: '#ffffff', threshold: 20, margin: 10 } }
 */
export const trim: Operation<TrimOptions> = {
	name: 'trim',
	doc: 'Removes borders of one colour or of transparency. A picture of a single colour stays as it is.',
	schema: schema as z.ZodType<TrimOptions>,
	example: { threshold: 40, margin: 10 },

	predict: (input) => ({ output: input, isAtMost: true }),

	async apply(image, options, input) {
		// The eight neighbours decide what is noise; sharp refuses and libvips fails if there is no space for them.
		if (input.width < 3 && input.height < 3) return image;
		if (!options.equal && !options.matte) return trimmed(image, options, input);
		return image.extract(await boxFor(image, options, input));
	},

	async repeat(options, input, first, frame) {
		if (input.width < 3 && input.height < 3) return undefined;
		const kept = options.equal || options.matte ? await boxFor(frame, options, input) : boxOf(first);
		return (image) => image.extract(kept);
	},
};

function trimmed(image: Sharp, { background, threshold, margin, lineArt }: TrimOptions, input: Size): Sharp {
	const isNarrow = Math.min(input.width, input.height) < 3;
	return image.trim({ threshold, margin, lineArt: lineArt || isNarrow, ...(background && { background }) });
}

function boxOf({ width, height, trimOffsetLeft = 0, trimOffsetTop = 0 }: OutputInfo): Region {
	return { left: -trimOffsetLeft, top: -trimOffsetTop, width, height };
}

/** The box that remains. With `equal`, both sides of a pair lose the smaller of their two borders. */
async function boxFor(image: Sharp, options: TrimOptions, input: Size): Promise<Region> {
	const searched = options.matte ? await onMatte(image, options.matte) : image.clone();
	const { info } = await trimmed(searched, options, input).raw().toBuffer({ resolveWithObject: true });
	const box = boxOf(info);
	if (!options.equal) return box;
	const { left, top, width, height } = box;
	const across = Math.min(left, input.width - left - width);
	const down = Math.min(top, input.height - top - height);
	return {
		...(options.equal === 'vertical' ? { left, width } : { left: across, width: input.width - 2 * across }),
		...(options.equal === 'horizontal' ? { top, height } : { top: down, height: input.height - 2 * down }),
	};
}

/** sharp trims before it flattens, so the flattened picture begins a pipeline of its own. */
async function onMatte(image: Sharp, matte: string): Promise<Sharp> {
	const flat = image.clone().flatten({ background: matte }).raw();
	const { data, info } = await flat.toBuffer({ resolveWithObject: true });
	const { width, height, channels } = info;
	return (await loadSharp())(data, { raw: { width, height, channels }, limitInputPixels: width * height });
}

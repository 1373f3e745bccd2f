import * as z from 'zod';
import type { Operation, Size } from './operation.ts';
import { colour, isTranslucent, number } from './options.ts';

const schema = z.strictObject({
	angle: number(-360, 360)
		// Two spellings of one rotation would have two digests.
		.overwrite((angle) => (angle + 360) % 360)
		.describe('Angle in degrees clockwise; negative values rotate counter-clockwise.'),
	background: colour()
		.default('#000000')
		.describe('Colour of the corners that appear unless the angle is a multiple of 90.'),
});
type RotateOptions = z.infer<typeof schema>;

/** Size of the box around the rotated picture, rounded like libvips. */
function rotatedSize({ width, height }: Size, angle: number): Size {
	if (angle % 180 === 0) return { width, height };
	if (angle % 90 === 0) return { width: height, height: width };
	const radians = (angle * Math.PI) / 180;
	const [cosine, sine] = [Math.cos(radians), Math.sin(radians)];
	const xs = [0, width * cosine, -height * sine, width * cosine - height * sine];
	const ys = [0, width * sine, height * cosine, width * sine + height * cosine];
	return {
		width: Math.max(1, Math.round(Math.max(...xs) - Math.min(...xs))),
		height: Math.max(1, Math.round(Math.max(...ys) - Math.min(...ys))),
	};
}

/**
 * Rotates the picture; all of it stays visible.
 *
 * @example { rotate: { angle: 90 } }
 */
export const rotate: Operation<RotateOptions> = {
	name: 'rotate',
	doc: 'Rotates the picture clockwise; all of it stays visible.',
	schema: schema as z.ZodType<RotateOptions>,
	example: { angle: -8, background: '#f4f1ea' },

	predict: (input, { angle, background }) => ({
		output: rotatedSize(input, angle),
		...(angle % 90 !== 0 && isTranslucent(background) && { addsAlpha: true }),
	}),

	inputScale(wanted, { angle }) {
		if (angle % 90 !== 0) return undefined;
		return angle % 180 === 0 ? wanted : { ...wanted, width: wanted.height, height: wanted.width };
	},

	apply: (image, { angle, background }) => image.rotate(angle, { background }),
};

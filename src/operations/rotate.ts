import * as z from 'zod';
import type { Operation, Size } from './operation.ts';
import { colour, isTranslucent, number } from './options.ts';

const schema = z.strictObject({
	angle: number(-360, 360)
		// Two spellings of one turn would have two digests.
		.overwrite((angle) => (angle + 360) % 360)
		.describe('Degrees clockwise; negative ones turn the other way.'),
	background: colour().default('#000000').describe('Colour of the corners that an angle between right ones leaves.'),
});
type RotateOptions = z.infer<typeof schema>;

/** Size of the box around the turned picture, rounded as libvips does. */
function turnedSize({ width, height }: Size, angle: number): Size {
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
 * Turns the picture; all of it stays to be seen.
 *
 * @example { rotate: { angle: 90 } }
 */
export const rotate: Operation<RotateOptions> = {
	name: 'rotate',
	doc: 'Turns the picture clockwise; all of it stays to be seen.',
	schema: schema as z.ZodType<RotateOptions>,
	example: { angle: -8, background: '#f4f1ea' },

	predict: (input, { angle, background }) => ({
		output: turnedSize(input, angle),
		...(angle % 90 !== 0 && isTranslucent(background) && { addsAlpha: true }),
	}),

	inputScale(wanted, { angle }) {
		if (angle % 90 !== 0) return undefined;
		return angle % 180 === 0 ? wanted : { ...wanted, width: wanted.height, height: wanted.width };
	},

	apply: (image, { angle, background }) => image.rotate(angle, { background }),
};

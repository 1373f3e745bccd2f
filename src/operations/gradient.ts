import * as z from 'zod';
import type { Operation, Size } from './operation.ts';
import { channelsOf, number, opaqueColour } from './options.ts';

const towards = ['bottom', 'top', 'left', 'right'] as const;

const schema = z
	.strictObject({
		colour: opaqueColour().default('#000000').describe('Colour that the picture fades into.'),
		opacity: number(0, 1).default(1).describe('How much of the colour there is where there is most of it.'),
		towards: z.enum(towards).default('bottom').describe('Side at which there is most of it.'),
		angle: number(0, 360)
			.optional()
			.describe(
				'Where there is most of it instead of at a side: degrees from the top, clockwise, as CSS counts them; 135 is the right bottom of a square.',
			),
		start: number(0, 1)
			.default(0)
			.describe('Where it begins: a share of the way to that side, before which the picture is as it was.'),
		stop: number(0, 1)
			.default(1)
			.describe('Where there is most of it: a share of the way, at least that of the start.'),
	})
	.refine(({ start, stop }) => start <= stop, { error: 'expected at least what start is', path: ['stop'] })
	.refine(({ angle, towards }) => angle === undefined || towards === 'bottom', {
		error: 'expected no such key because an angle is given',
		path: ['towards'],
	});
type GradientOptions = z.infer<typeof schema>;

/**
 * A colour that grows towards one side, so that text can be read there.
 *
 * @example { gradient: { colour: '#000000', opacity: 0.7, towards: 'bottom', start: 0.5 } }
 */
export const gradient: Operation<GradientOptions> = {
	name: 'gradient',
	doc: 'Lets the picture fade into a colour towards one side or at an angle, so that text can be read there.',
	schema: schema as z.ZodType<GradientOptions>,
	example: { opacity: 0.8, start: 0.3 },
	predict: (input) => ({ output: input }),

	apply(image, options, input) {
		const { width, height } = input;
		if (options.angle !== undefined) {
			const raw = { width, height, channels: 4 } as const;
			return image.composite([{ input: slope(options, options.angle, input), raw }]);
		}
		const isUpright = options.towards === 'bottom' || options.towards === 'top';
		const length = isUpright ? height : width;
		return image.composite([
			{
				// One line, again and again.
				input: line(options, length),
				raw: { width: isUpright ? 1 : length, height: isUpright ? length : 1, channels: 4 },
				tile: true,
				gravity: 'northwest',
			},
		]);
	},
};

/** Pixels across the picture, from the left or from the top. */
function line(options: GradientOptions, length: number): Buffer {
	const { colour, towards } = options;
	const pixels = Buffer.alloc(length * 4);
	const isBackwards = towards === 'left' || towards === 'top';
	for (let index = 0; index < length; index++) {
		const at = isBackwards ? length - 1 - index : index;
		pixels.set([...channelsOf(colour), alphaAt((index + 0.5) / length, options)], at * 4);
	}
	return pixels;
}

/** All pixels: of the corners one has nothing of it and the one across from it most, as CSS has its gradients. */
function slope(options: GradientOptions, angle: number, { width, height }: Size): Buffer {
	const [right, up] = [Math.sin((angle * Math.PI) / 180), Math.cos((angle * Math.PI) / 180)];
	const length = Math.abs(width * right) + Math.abs(height * up);
	const pixels = Buffer.alloc(width * height * 4, Buffer.from([...channelsOf(options.colour), 0]));
	for (let y = 0; y < height; y++) {
		for (let x = 0; x < width; x++) {
			const along = (x + 0.5 - width / 2) * right - (y + 0.5 - height / 2) * up;
			pixels[(y * width + x) * 4 + 3] = alphaAt(along / length + 0.5, options);
		}
	}
	return pixels;
}

/** @param way a share of the way to where there is most of it */
function alphaAt(way: number, { opacity, start, stop }: GradientOptions): number {
	// All at once where it has no room to grow.
	const share = stop > start ? Math.max(0, Math.min(1, (way - start) / (stop - start))) : Number(way >= start);
	return Math.round(opacity * share * 255);
}

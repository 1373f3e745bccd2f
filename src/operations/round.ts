import * as z from 'zod';
import { cutCorners } from './corners.ts';
import type { Operation, Size } from './operation.ts';
import { maximumSide } from './options.ts';

const error = `expected pixels from 1 to ${maximumSide}, or a share of the shorter side from 1% to 50%`;

const schema = z.strictObject({
	radius: z
		.union(
			[
				z.int({ error }).min(1, { error }).max(maximumSide, { error }),
				z.string({ error }).regex(/^([1-9]|[1-4]\d|50)%$/, { error }),
			],
			{ error },
		)
		.describe('Radius of the corners: pixels, or a share of the shorter side; at most half of it.'),
});
type RoundOptions = z.infer<typeof schema>;

function pixels({ width, height }: Size, radius: number | string): number {
	const shorter = Math.min(width, height);
	const wanted = typeof radius === 'number' ? radius : (shorter * Number.parseInt(radius, 10)) / 100;
	return Math.min(wanted, shorter / 2);
}

/**
 * Rounds the corners; the cut-off area becomes transparent.
 *
 * @example { round: { radius: '10%' } }
 */
export const round: Operation<RoundOptions> = {
	name: 'round',
	doc: 'Rounds the corners; the cut-off area becomes transparent.',
	schema: schema as z.ZodType<RoundOptions>,
	example: { radius: '12%' },
	predict: (input) => ({ output: input, addsAlpha: true }),
	apply: (image, { radius }, input) => cutCorners(image, input, pixels(input, radius)),
};
